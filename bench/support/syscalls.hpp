#pragma once
// How many system calls a writer makes: the program is linked with --wrap, so that every call that its own
// code makes to one of the functions in syscalls.cpp is counted, whichever library's code it is. Not counted: what
// the standard library does inside (the futex of a mutex or a condition variable).

#include <cstdint>

namespace bench {

/// Calls so far, by all threads that did not opt out.
std::uint64_t system_calls();

/// The calling thread is the peer, not the writer: its calls do not count.
void leave_out_this_thread();

} // namespace bench
