#pragma once
// The two sides of a writer: a server's frames go out as they are, a client's each take a fresh masking key.
//
// Laws of this file:
// - The side is a type: a server has no key source to misuse, a client can't be made without one (RFC 6455 §5.1).
// - A side is used under its writer's lock, so a key source needs no lock of its own. What is encoded outside the lock
//   takes a key under it first.

#include "../core/random.hpp"
#include "../frame/control_reply.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Encodes a server's frames. Empty.
class server_side {
public:
    static constexpr role self = role::server;

    /// Precondition: `to` has exactly encoded_size<self>(payload.size()) bytes.
    void encode(mutable_bytes to, frame_spec spec, const_bytes payload) noexcept {
        [[maybe_unused]] const std::size_t written = detail::write_frame<self>(to.data(), spec, payload);
        WSOLO_ASSERT(written == to.size(), "a writer encodes exactly what it reserved");
    }
    [[nodiscard]] result<control_frame> close(close_code code, std::string_view reason) noexcept {
        return make_close<self>(code, reason);
    }
    /// An encoder for one frame, for use outside the lock.
    [[nodiscard]] server_side for_one_frame() noexcept { return {}; }
};

/// Encodes a client's frames with keys from `Keys`, which it owns.
template <key_source Keys = random_keys>
class client_side {
public:
    static constexpr role self = role::client;

    client_side()
        requires std::default_initializable<Keys>
    = default;
    explicit client_side(Keys keys) noexcept : keys_(std::move(keys)) {}

    /// Precondition: `to` has exactly encoded_size<self>(payload.size()) bytes.
    void encode(mutable_bytes to, frame_spec spec, const_bytes payload) noexcept {
        [[maybe_unused]] const std::size_t written =
            detail::write_frame<self>(to.data(), spec, payload, keys_);
        WSOLO_ASSERT(written == to.size(), "a writer encodes exactly what it reserved");
    }
    [[nodiscard]] result<control_frame> close(close_code code, std::string_view reason) noexcept {
        return make_close<self>(code, reason, keys_);
    }
    /// An encoder for one frame, for use outside the lock. Takes one key.
    [[nodiscard]] client_side<one_key> for_one_frame() noexcept {
        return client_side<one_key>(one_key(keys_.next_key()));
    }

private:
    Keys keys_{};
};

} // namespace wsolo::inline WSOLO_ABI
