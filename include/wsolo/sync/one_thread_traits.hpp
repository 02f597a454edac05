// SPDX-License-Identifier: MIT
#pragma once
// The Traits of a server with one thread: plain memory where std_traits has atomics. An uncontended locked instruction costs
// as much as everything else that a send of a few bytes does.
//
//     using connection = wsolo::server_connection<transport, hook, handler, wsolo::in_the_loop, wsolo::one_thread_traits>;
//
// Laws of this file:
// - Each object of such a type is made, used and destroyed in one thread, and so are its handles, groups and barriers. Several
//   threads with connections of their own are fine.
// - Checked builds (WSOLO_ENABLE_ASSERTS) remember the thread that used an object first, and assert when a second one
//   appears. Unchecked builds have no state for it.
// - A wait that only another thread could end lasts until its deadline.

#include "blocking_traits.hpp"
#include "detail/plain_atomic.hpp"

namespace wsolo::inline WSOLO_ABI {
namespace detail {

#if WSOLO_ENABLE_ASSERTS
/// Remembers the first thread that used the object.
class one_thread_watch {
public:
    void use() const noexcept {
        const void* const here = &std_traits::thread_slot();
        if (first_ == nullptr) first_ = here;
        WSOLO_ASSERT(
            first_ == here,
            "an object with one_thread_traits is used by a second thread: give it std_blocking_traits");
    }

private:
    mutable const void* first_ = nullptr;
};
#else
using one_thread_watch = unwatched;
#endif

} // namespace detail

/// See the file's laws. For every type that takes Traits.
struct one_thread_traits : std_blocking_traits {
    template <class T>
    using atomic = detail::plain_atomic<T, detail::one_thread_watch>;
};

} // namespace wsolo::inline WSOLO_ABI
