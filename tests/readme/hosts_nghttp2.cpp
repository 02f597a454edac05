// A server of HTTP/2, as it might look.

#include <wsolo/wsolo.hpp>

#include <string>
#include <vector>

struct stream {
    void open(wsolo::connection_group& everyone);
};
struct request {
    std::string method, path, protocol, scheme, authority;
    std::vector<wsolo::header_field> fields;
};
struct server {
    void respond(std::int32_t id, const wsolo::upgrade_answer& answer);
    void page(std::int32_t id);
    stream& make_stream(std::int32_t id);
};
extern wsolo::connection_group everyone;

@BLOCK@
