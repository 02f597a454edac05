#include "routes.hpp"

#include "page.hpp"

namespace relay {
namespace {

using wsolo::errc;

answer reply(const wsolo::http_response& response, wsolo::byte_buffer& out, errc why = errc::none) {
    if (wsolo::append_response(out, response) != errc::none) return {};
    return {response.status, why};
}

// A browser says who it acts for; another site's page has no business here (RFC 6455 §10.2).
errc check_origin(const wsolo::upgrade_request& request) {
    return wsolo::check_origin(request,
                               [&](const auto& origin) { return !origin || is_same_origin(request); });
}

answer upgrade(const wsolo::upgrade_request& request, wsolo::byte_buffer& out) {
    if (const errc error = check_origin(request); error != errc::none) return refuse(error, out);
    if (wsolo::append_accept_response(out, request) != errc::none) return {};
    return {101};
}

} // namespace

answer route(const wsolo::upgrade_request& request, wsolo::byte_buffer& out) {
    const bool head = request.method() == "HEAD";
    if (request.is_upgrade() && request.resource_name() == "/feed") return upgrade(request, out);
    if (request.method() != "GET" && !head) return refuse(errc::handshake_method_not_get, out);
    if (request.is_upgrade() || request.resource_name() != "/")
        return reply({.status = 404, .body = "not here", .omit_body = head}, out);
    return reply({.content_type = "text/html; charset=utf-8", .body = page, .omit_body = head}, out);
}

answer refuse(errc why, wsolo::byte_buffer& out) { return reply(wsolo::rejection(why), out, why); }

} // namespace relay
