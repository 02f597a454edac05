#pragma once
// Which request gets which answer.

#include <wsolo/handshake/upgrade.hpp>

namespace relay {

/// What was answered, for the log. `error` is why a handshake was refused, none for an ordinary answer.
struct answer {
    int status = 0; ///< 0: nothing, for want of memory
    wsolo::errc error = wsolo::errc::none;
    [[nodiscard]] bool upgraded() const noexcept { return status == 101; }
};

/// Appends the answer to a legal request: /feed is the WebSocket, / the page, and the rest is not here.
answer route(const wsolo::upgrade_request& request, wsolo::byte_buffer& out);

/// Appends the answer to an illegal one.
answer refuse(wsolo::errc why, wsolo::byte_buffer& out);

} // namespace relay
