// SPDX-License-Identifier: MIT
#pragma once
// Which side of a connection an object is, as one policy for reader, writer and endpoint: the role, and with a client's the
// key source that it masks with.
//
// Laws of this file:
// - The side is a type: a server has no key source to misuse, a client can't be made without one (RFC 6455 §5.1).
// - An endpoint's replies (PONG, Close) are its reader's, masked by a default key source of their own.
// - An object uses its side from one thread at a time (a writer under its lock), so a key source needs no lock of its own.

#include "random.hpp"
#include "role.hpp"

#include <concepts>
#include <type_traits>

namespace wsolo::inline WSOLO_ABI {

/// A server: what it sends goes out as it is. An empty value.
class server_side {
public:
    /// Which of the two it is.
    static constexpr role self = role::server;

    /// Calls use(), and returns its result: encode_frame<self> and the like take no key source of a server.
    template <class Use>
    decltype(auto) with_keys(Use use) noexcept {
        return use();
    }
    /// A side that encodes one frame, for use by another thread.
    [[nodiscard]] server_side for_one_frame() noexcept { return {}; }
};

/// A client: each frame that it sends is masked with a fresh key from `Keys`, which is owned (`random_keys`, the default),
/// or referred to (`random_keys&`: it then outlives this). Not thread-safe: drawing a key changes the source.
template <class Keys = random_keys>
class client_side {
    static_assert(key_source<std::remove_reference_t<Keys>>,
                  "a client's frames are masked: give it a key source (core/random.hpp)");

public:
    /// Which of the two it is.
    static constexpr role self = role::client;

    client_side()
        requires std::default_initializable<Keys>
    = default;
    explicit client_side(Keys keys) noexcept : keys_(static_cast<Keys&&>(keys)) {}

    /// Calls use(keys), and returns its result: for encode_frame<self> and the like.
    template <class Use>
    decltype(auto) with_keys(Use use) noexcept {
        return use(keys_);
    }
    /// A side that encodes one frame, for use by another thread. Takes one key from the source.
    [[nodiscard]] client_side<one_key> for_one_frame() noexcept {
        return client_side<one_key>(one_key(keys_.next_key()));
    }

private:
    Keys keys_{};
};

/// The side of a role, with a client's default key source.
template <role Self>
using default_side = std::conditional_t<Self == role::server, server_side, client_side<>>;

} // namespace wsolo::inline WSOLO_ABI
