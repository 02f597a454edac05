#pragma once
// std_traits plus what a thread sleeps on. Apart from sync/traits.hpp, so that rooms that never sleep do
// not pay for <mutex> and <condition_variable>.

#include "traits.hpp"

#include <condition_variable>
#include <mutex>

namespace wsolo::inline WSOLO_ABI {

/// std_traits with std::mutex and std::condition_variable.
struct std_blocking_traits : std_traits {
    using mutex = std::mutex;
    using condition_variable = std::condition_variable;
};

} // namespace wsolo::inline WSOLO_ABI
