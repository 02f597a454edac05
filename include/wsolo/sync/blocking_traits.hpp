// SPDX-License-Identifier: MIT
#pragma once
// std_traits plus what a thread sleeps on.
//
// Laws of this file:
// - A Traits' condition_variable waits on any lock whose mutex() is its mutex, as std::condition_variable_any does.

#include "os_mutex.hpp"
#include "traits.hpp"

namespace wsolo::inline WSOLO_ABI {

/// std_traits with the system's mutex and condition variable.
struct std_blocking_traits : std_traits {
    using mutex = os_mutex;
    using condition_variable = os_condition_variable;
};

} // namespace wsolo::inline WSOLO_ABI
