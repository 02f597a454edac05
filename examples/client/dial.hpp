#pragma once
// From a URL to a connected socket.

#include "descriptor.hpp"
#include "url.hpp"

#include <wsolo/core/time.hpp>

#include <system_error>

namespace client {

/// Not blocking. Throws std::system_error, or std::runtime_error where the name is not known.
[[nodiscard]] descriptor dial(const url& to, wsolo::time_point deadline);

} // namespace client
