// SPDX-License-Identifier: MIT
#pragma once
// Lengthening what a frame is appended to: byte_buffer, std::string, std::vector, and types that behave like
// them.
//
// Laws of this file:
// - No container's header is included: what it must be able to do is a concept.
// - No memory (bad_alloc, length_error) is an answer, and leaves the container as it was.

#include "../../core/byte_buffer.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI::detail {

/// A string or vector of bytes or characters.
template <class Container>
concept resizable_bytes = requires(Container& out, std::size_t size) {
    out.resize(size);
    out.reserve(size);
    { out.size() } -> std::convertible_to<std::size_t>;
    { out.capacity() } -> std::convertible_to<std::size_t>;
    *out.data();
} && sizeof(typename Container::value_type) == 1;

/// Runs `change`. False when it threw; without exceptions it aborts instead.
template <class Change>
bool without_exception(Change change) noexcept {
#if WSOLO_HAS_EXCEPTIONS
    try {
        change();
    } catch (...) {
        return false;
    }
#else
    change();
#endif
    return true;
}

/// Lengthens by `count` bytes and returns where they start; nullptr when there is no memory.
inline std::byte* extend(byte_buffer& out, std::size_t count) noexcept { return out.extend(count); }

template <resizable_bytes Container>
std::byte* extend(Container& out, std::size_t count) noexcept {
    const std::size_t before = out.size();
    if (!without_exception([&] { out.resize(before + count); })) return nullptr;
    return reinterpret_cast<std::byte*>(out.data()) + before;
}

template <resizable_bytes Container>
void append_run(Container& out, const_bytes run) {
    const auto* from = reinterpret_cast<const typename Container::value_type*>(run.data());
    if constexpr (requires { out.append(from, run.size()); }) {
        out.append(from, run.size());
    } else {
        out.insert(out.end(), from, from + run.size());
    }
}

/// Appends two runs without zeroing first what they overwrite, as resize() would. False when there is no
/// memory.
template <resizable_bytes Container>
bool append_both(Container& out, const_bytes first, const_bytes second) noexcept {
    return without_exception([&] {
        const std::size_t needed = out.size() + first.size() + second.size();
        // reserve() alone may grow to exactly that, and a hundred appends would copy a hundred times
        if (needed > out.capacity()) out.reserve(needed > 2 * out.capacity() ? needed : 2 * out.capacity());
        append_run(out, first);
        append_run(out, second);
    });
}

} // namespace wsolo::inline WSOLO_ABI::detail
