// SPDX-License-Identifier: MIT
#pragma once
// Header and payload in one contiguous run of bytes, in four forms: into a span, appended to a container,
// into one allocation, and in place around a payload that is already there (RFC 6455 §5.2).
//
// Laws of this file:
// - The role is a template argument. A client's form takes a key source and always masks with a fresh key, a
//   server's takes none and never masks (§5.1): the other two combinations do not compile.
// - On an error nothing was written, and no key was taken.
// - A payload is never masked where it lies, except in the form that says "in place".

#include "../core/byte_buffer.hpp"
#include "../core/detail/exchange.hpp"
#include "../core/result.hpp"
#include "../core/role.hpp"
#include "check.hpp"
#include "detail/container.hpp"
#include "detail/copy.hpp"
#include "mask.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What a frame to be encoded is. Converts from an opcode, so that `opcode::text` alone is a whole message;
/// `{opcode::text, false}` is its first fragment (RFC 6455 §5.4). A value of one byte.
class frame_spec {
public:
    /// `rsv1` belongs to a negotiated extension, and to a message's first frame (RFC 7692 §6).
    constexpr frame_spec(opcode op, bool fin = true, bool rsv1 = false) noexcept
        : first_(detail::first_byte({.fin = fin, .rsv1 = rsv1, .op = op})) {}

    /// The opcode of that frame.
    [[nodiscard]] constexpr opcode op() const noexcept {
        return static_cast<opcode>(std::to_integer<unsigned>(first_) & 0x0fU);
    }
    /// The header's first byte as it goes on the wire.
    [[nodiscard]] constexpr std::byte first_byte() const noexcept { return first_; }

private:
    std::byte first_;
};

/// The key argument that `Role` needs: one key source for a client, none for a server (RFC 6455 §5.1).
template <role Role, class... Keys>
concept keys_for = (masks(Role) ? sizeof...(Keys) == 1 && (key_source<Keys> && ...) : sizeof...(Keys) == 0);

/// The most bytes that a header of `Role` takes: what encode_in_place may need before the payload.
template <role Role>
inline constexpr std::size_t headroom = header_size(max_payload_size, masks(Role));

/// The bytes of a whole frame; SIZE_MAX where a size_t can't say it. O(1).
template <role Role>
[[nodiscard]] constexpr std::size_t encoded_size(std::size_t payload_size) noexcept {
    const std::size_t size = header_size(payload_size, masks(Role)) + payload_size;
    return size < payload_size ? static_cast<std::size_t>(-1) : size;
}

/// A frame in memory of its own. Move-only; not thread-safe.
class owned_frame {
public:
    owned_frame() noexcept = default;
    owned_frame(owned_frame&& other) noexcept
        : bytes_(std::move(other.bytes_)), start_(detail::exchange(other.start_, {})) {}
    owned_frame& operator=(owned_frame&& other) noexcept {
        bytes_ = std::move(other.bytes_);
        start_ = detail::exchange(other.start_, {});
        return *this;
    }
    ~owned_frame() = default;

    /// The encoded frame. Valid while this object is not assigned to, moved from or destroyed.
    [[nodiscard]] const_bytes bytes() const noexcept { return bytes_.view().subspan(start_); }
    /// Bytes of memory that it holds, its frame's included.
    [[nodiscard]] std::size_t memory() const noexcept { return bytes_.capacity(); }

private:
    explicit owned_frame(byte_buffer&& bytes, std::size_t start = 0) noexcept
        : bytes_(std::move(bytes)), start_(start) {}

    template <role Role, class... Keys>
        requires keys_for<Role, Keys...>
    friend result<owned_frame> make_frame(frame_spec, const_bytes, Keys&...) noexcept;
    template <role Role, class... Keys>
        requires keys_for<Role, Keys...>
    friend result<owned_frame> make_frame_in_place(byte_buffer&&, std::size_t, frame_spec, Keys&...) noexcept;

    byte_buffer bytes_;
    std::size_t start_ = 0;
};

namespace detail {

constexpr errc check_outgoing(frame_spec spec, std::uint64_t payload_size) noexcept {
    if (const errc error = check_first(spec.first_byte(), rsv1_bit); error != errc::none) return error;
    if (payload_size <= max_control_payload) return errc::none;
    if (is_control(spec.op())) return errc::control_payload_too_big;
    if (payload_size > max_payload_size) return errc::payload_too_big;
    // No object is larger than half of the memory there can be; so later sums of sizes can't wrap either.
    constexpr std::uint64_t most = static_cast<std::size_t>(-1) / 2 - max_header_size;
    return payload_size > most ? errc::out_of_memory : errc::none;
}

/// Checked and big enough: writes the frame and returns its size.
template <role Role, class... Keys>
std::size_t write_frame(std::byte* to, frame_spec spec, const_bytes payload, Keys&... keys) noexcept {
    std::size_t size = write_start(to, spec.first_byte(), masks(Role), payload.size());
    if constexpr (masks(Role)) {
        const masking_key key = (keys.next_key(), ...);
        std::memcpy(to + size, &key, sizeof key);
        size += sizeof key;
        copy_masked(to + size, payload, key);
    } else {
        copy_bytes(to + size, payload.data(), payload.size());
    }
    return size + payload.size();
}

/// Below this size a container is lengthened by one resize(): zeroing so few bytes costs less than two appends.
inline constexpr std::size_t append_apart_from = 512;

} // namespace detail

/// Encodes into `to`, whose first encoded_size<Role>(payload.size()) bytes are overwritten and must not
/// overlap the payload. Returns the bytes written. Errors: buffer_too_small, control_payload_too_big,
/// payload_too_big, out_of_memory (a payload of a size that no memory has), fragmented_control_frame,
/// reserved_opcode, reserved_bits_set (RFC 7692 §6.1: RSV1 is for a message's first frame). O(n), no
/// allocation.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<std::size_t> encode_frame(mutable_bytes to, frame_spec spec, const_bytes payload,
                                 Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    if (to.size() < encoded_size<Role>(payload.size())) return errc::buffer_too_small;
    return detail::write_frame<Role>(to.data(), spec, payload, keys...);
}

/// Encodes after what `out` (byte_buffer, std::string, std::vector of char or std::byte ...) already holds.
/// The payload must not lie in `out`. Errors as encode_frame's, and out_of_memory; `out` is then unchanged.
/// Amortized O(n).
template <role Role, class Container, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] errc append_frame(Container& out, frame_spec spec, const_bytes payload,
                                Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    if constexpr (!masks(Role) && detail::resizable_bytes<Container>) {
        if (payload.size() >= detail::append_apart_from) {
            std::array<std::byte, headroom<Role>> start;
            const std::size_t size =
                detail::write_start(start.data(), spec.first_byte(), false, payload.size());
            const bool appended = detail::append_both(out, const_bytes(start).first(size), payload);
            return appended ? errc::none : errc::out_of_memory;
        }
    }
    std::byte* to = detail::extend(out, encoded_size<Role>(payload.size()));
    if (to == nullptr) return errc::out_of_memory;
    detail::write_frame<Role>(to, spec, payload, keys...);
    return errc::none;
}

/// Encodes into memory of its own: one allocation. Errors as encode_frame's, and out_of_memory. O(n).
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<owned_frame> make_frame(frame_spec spec, const_bytes payload, Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    byte_buffer bytes;
    const std::size_t size = encoded_size<Role>(payload.size());
    if (!bytes.reserve(size)) return errc::out_of_memory;
    detail::write_frame<Role>(bytes.extend(size), spec, payload, keys...);
    return owned_frame(std::move(bytes));
}

/// Makes a frame of a payload that already lies in `storage`, by writing the header right before it; a
/// client's payload is masked where it lies. headroom<Role> bytes before the payload always suffice. Returns
/// the frame, a part of `storage`. Errors as encode_frame's (buffer_too_small: the header does not fit before
/// the payload, or the payload does not end within `storage`). A server's cost is O(1): nothing is copied.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<mutable_bytes> encode_in_place(mutable_bytes storage, std::size_t payload_offset,
                                      std::size_t payload_size, frame_spec spec, Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload_size); error != errc::none) return error;
    const std::size_t header_bytes = header_size(payload_size, masks(Role));
    if (payload_offset < header_bytes || payload_offset > storage.size() ||
        payload_size > storage.size() - payload_offset) {
        return errc::buffer_too_small;
    }
    const mutable_bytes frame = storage.subspan(payload_offset - header_bytes, header_bytes + payload_size);
    const std::size_t start = detail::write_start(frame.data(), spec.first_byte(), masks(Role), payload_size);
    if constexpr (masks(Role)) {
        const masking_key key = (keys.next_key(), ...);
        std::memcpy(frame.data() + start, &key, sizeof key);
        apply_mask(frame.subspan(header_bytes), key);
    }
    return frame;
}

/// Makes a frame of the payload that `storage` holds from `payload_offset` to its end, and takes the memory over: nothing
/// is copied. headroom<Role> bytes before the payload always suffice. Errors as encode_in_place's; `storage` is then
/// unchanged. Memory that `storage` had in reserve is freed.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<owned_frame> make_frame_in_place(byte_buffer&& storage, std::size_t payload_offset, frame_spec spec,
                                        Keys&... keys) noexcept {
    if (payload_offset > storage.size()) return errc::buffer_too_small;
    const auto frame =
        encode_in_place<Role>(storage.view(), payload_offset, storage.size() - payload_offset, spec, keys...);
    if (!frame) return frame.error();
    const auto start = static_cast<std::size_t>(frame->data() - storage.data());
    storage.shrink();
    return owned_frame(std::move(storage), start);
}

} // namespace wsolo::inline WSOLO_ABI
