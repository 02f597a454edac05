#include "routes.hpp"

#include "page.hpp"

namespace relay {

using wsolo::errc;

void route(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) {
    if (asked.is_upgrade() && asked.resource_name() == "/feed") {
        // A browser says who it acts for; another site's page has no business here (RFC 6455 §10.2).
        const bool is_welcome = !asked.origin() || is_same_origin(asked);
        return is_welcome ? reply.accept() : reply.refuse(errc::handshake_origin_refused);
    }
    if (asked.method() != "GET" && asked.method() != "HEAD")
        return reply.refuse(errc::handshake_method_not_get);
    if (asked.is_upgrade() || asked.resource_name() != "/")
        return reply.respond({.status = 404, .body = "not here"});
    reply.respond({.content_type = "text/html; charset=utf-8", .body = page});
}

} // namespace relay
