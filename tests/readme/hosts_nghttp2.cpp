// A server of HTTP/2, as it might look.

#include <wsolo/wsolo.hpp>

#include <string>
#include <vector>

struct stream {
    struct connection {
        wsolo::errc join(wsolo::connection_group& to);
        wsolo::endpoint_wants take_upgraded();
    } ws;
    void settle(const wsolo::endpoint_wants& wants);
};
struct request {
    std::string method, path, protocol, scheme, authority;
    std::vector<wsolo::header_field> fields;
};
struct server {
    void respond(std::int32_t id, const wsolo::upgrade_answer& answer);
    void page(std::int32_t id);
    stream& open(std::int32_t id);
};
extern wsolo::connection_group everyone;

@BLOCK@
