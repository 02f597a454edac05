// SPDX-License-Identifier: MIT
#pragma once
// Writes heads: into a span, or after the contents of a container.
//
// Laws of this file:
// - A head is composed twice, and only counted the first time: so a destination that is too small is left untouched,
//   and a container grows once.
// - Nothing that could end a line or a head early is written: names are tokens, values have no control
//   characters.

#include "../core/byte_buffer.hpp"
#include "../core/result.hpp"
#include "header_list.hpp"

#include <concepts>
#include <cstring>
#include <span>

namespace wsolo::inline WSOLO_ABI {
namespace detail {

/// Counts what is written, and stores it unless it was made without a destination.
class message_writer {
public:
    message_writer() = default;
    explicit message_writer(std::byte* to) noexcept : to_(to) {}

    void text(std::string_view text) noexcept {
        if (to_ != nullptr && !text.empty()) std::memcpy(to_ + size_, text.data(), text.size());
        // The same text may be passed many times: on a 32-bit machine the sum could wrap.
        const std::size_t sum = size_ + text.size();
        size_ = sum < size_ ? static_cast<std::size_t>(-1) : sum;
    }
    void number(std::size_t value) noexcept {
        char digits[20];
        std::size_t at = sizeof digits;
        do {
            digits[--at] = static_cast<char>('0' + value % 10);
            value /= 10;
        } while (value != 0);
        const char* const first = digits + at;
        text(std::string_view(
            first,
            sizeof digits - at)); // from a char* it would cost each source 4 ms to choose the constructor
    }
    void field(std::string_view name, std::string_view value) noexcept {
        text(name);
        text(": ");
        text(value);
        text("\r\n");
    }
    /// Writes the field, or nothing when it has no value.
    void optional_field(std::string_view name, std::string_view value) noexcept {
        if (!value.empty()) field(name, value);
    }
    void fields(std::span<const header_field> all) noexcept {
        for (const header_field& each : all) field(each.name, each.value);
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::byte* to_ = nullptr;
    std::size_t size_ = 0;
};

/// A string or vector of bytes or characters.
template <class Container>
concept resizable_text = requires(Container& out, std::size_t size) {
    out.resize(size);
    { out.size() } -> std::convertible_to<std::size_t>;
    requires sizeof(*out.data()) == 1;
};

/// What append_x functions append to.
template <class Container>
concept growable_bytes = std::same_as<Container, byte_buffer> || resizable_text<Container>;

/// Lengthens `out` by `count` bytes; nullptr when there is no memory, and then it is as it was.
template <growable_bytes Container>
[[nodiscard]] std::byte* lengthen(Container& out, std::size_t count) noexcept {
    if constexpr (std::same_as<Container, byte_buffer>) {
        return out.extend(count);
    } else {
        const std::size_t size = out.size();
        if (count > static_cast<std::size_t>(-1) - size) return nullptr;
#if WSOLO_HAS_EXCEPTIONS
        try {
            out.resize(size + count);
        } catch (...) { // bad_alloc or length_error
            return nullptr;
        }
#else
        out.resize(size + count);
#endif
        return reinterpret_cast<std::byte*>(out.data()) + size;
    }
}

/// The bytes written; errc::buffer_too_small when they do not fit, and then nothing is.
template <class Compose>
[[nodiscard]] result<std::size_t> write_message(mutable_bytes to, const Compose& compose) noexcept {
    message_writer counted;
    compose(counted);
    if (counted.size() > to.size()) return errc::buffer_too_small;
    message_writer writer(to.data());
    compose(writer);
    return writer.size();
}

template <growable_bytes Container, class Compose>
[[nodiscard]] errc append_message(Container& out, const Compose& compose) noexcept {
    message_writer counted;
    compose(counted);
    std::byte* to = lengthen(out, counted.size());
    if (to == nullptr) return errc::out_of_memory;
    message_writer writer(to);
    compose(writer);
    return errc::none;
}

/// Fields that the handshake writes itself, or whose presence would change how the message ends.
[[nodiscard]] constexpr bool is_own_field(std::string_view name) noexcept {
    for (const std::string_view own :
         {"Host", "Origin", "Upgrade", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding",
          "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
          "Sec-WebSocket-Extensions"}) {
        if (equals_ignoring_case(name, own)) return true;
    }
    return false;
}

/// Whether a caller's further fields may be sent as they are.
[[nodiscard]] constexpr bool are_extra_fields(std::span<const header_field> fields) noexcept {
    for (const header_field& field : fields) {
        if (!is_token(field.name) || is_own_field(field.name) || !is_field_value(field.value)) return false;
    }
    return true;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
