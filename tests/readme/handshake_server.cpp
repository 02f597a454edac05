// A server that reads requests by itself.

#include <wsolo/wsolo.hpp>

#include <string>

template <class... Arguments>
void send(std::string& out, const Arguments&... arguments) {
    static_cast<void>(wsolo::append_response(out, arguments...));
}
void send(std::string& out, const wsolo::upgrade_request& request, const wsolo::http_response& page) {
    static_cast<void>(wsolo::append_response(out, request, page));
}
void accept(std::string& out, const wsolo::upgrade_request& request, const wsolo::accept_options& options) {
    static_cast<void>(wsolo::append_accept_response(out, request, options));
}

@BLOCK@
