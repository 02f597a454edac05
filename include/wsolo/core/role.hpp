// SPDX-License-Identifier: MIT
#pragma once
// The two ends of a connection. A frame's masking depends on its sender, so the role is a template argument
// wherever frames are encoded or judged: a server that masks does not compile.

#include "config.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Which end of the connection this process is (RFC 6455 §1.2). Clients mask, servers do not (§5.1).
enum class role : std::uint8_t { server, client };

/// The other end.
[[nodiscard]] constexpr role peer_of(role self) noexcept {
    return self == role::server ? role::client : role::server;
}

/// Whether frames that `sender` sends carry a masking key (RFC 6455 §5.1).
[[nodiscard]] constexpr bool masks(role sender) noexcept { return sender == role::client; }

} // namespace wsolo::inline WSOLO_ABI
