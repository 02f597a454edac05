#pragma once
// Who gets what: the WebSocket at /feed, the page at /, a refusal anywhere else.

#include <wsolo/endpoint/http_reply.hpp>

namespace relay {

/// Decides about a legal request.
void route(const wsolo::upgrade_request& asked, wsolo::http_reply& reply);

} // namespace relay
