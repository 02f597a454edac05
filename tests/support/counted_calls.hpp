#pragma once
// System calls that a thread makes by the C library's functions of these names: a program that has counted_calls.cpp is linked
// with --wrap for each of them (tests/CMakeLists.txt). What the library does inside is not counted.

#include <array>
#include <cstddef>
#include <string_view>

namespace support {

enum class call : unsigned char { epoll_wait, epoll_ctl, recv, send, sendmsg, read, write, timerfd_settime };
inline constexpr std::size_t call_kinds = 8;

using call_counts = std::array<long, call_kinds>;

inline long of(const call_counts& counts, call which) { return counts[static_cast<std::size_t>(which)]; }

/// The calling thread's calls are counted here from now on; nullptr: no more.
void count_calls_in(call_counts* counts) noexcept;

/// For a handler, with each message: from "start" on the calls of its thread are counted here, until "stop!".
inline void count_calls_between(std::string_view got, call_counts* counts) noexcept {
    if (got == "start") count_calls_in(counts);
    if (got == "stop!") count_calls_in(nullptr);
}

} // namespace support
