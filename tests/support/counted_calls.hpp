#pragma once
// System calls that a thread makes by the C library's functions of these names: a program that has counted_calls.cpp is linked
// with --wrap for each of them (tests/CMakeLists.txt). What the library does inside is not counted.

#include <array>
#include <cstddef>

namespace support {

enum class call : unsigned char { epoll_wait, epoll_ctl, recv, send, sendmsg, read, write, timerfd_settime };
inline constexpr std::size_t call_kinds = 8;

using call_counts = std::array<long, call_kinds>;

/// The calling thread's calls are counted here from now on; nullptr: no more.
void count_calls_in(call_counts* counts) noexcept;

} // namespace support
