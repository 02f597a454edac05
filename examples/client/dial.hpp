#pragma once
// From a URL to an open WebSocket: connect, ask, judge the answer.

#include "loop/descriptor.hpp"
#include "url.hpp"

#include <wsolo/core/byte_buffer.hpp>
#include <wsolo/core/time.hpp>

namespace client {

/// An open connection, and what the server sent right behind its answer.
struct dialled {
    loop::descriptor socket;
    wsolo::byte_buffer early;
};

/// Throws std::system_error, or std::runtime_error with the rule that the answer broke.
[[nodiscard]] dialled dial(const url& to, wsolo::time_point deadline);

} // namespace client
