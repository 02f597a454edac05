#pragma once
// What was done with one connection, counted by those who did it: the endpoint's own report must come to the same.
//
// Laws of this file:
// - Complete once the endpoint is destroyed: until then another thread may stand between a send and its count.

#include <wsolo/core/error.hpp>

#include <atomic>
#include <cstdint>

namespace echo {

/// Any thread.
class tally {
public:
    void count_handled() noexcept { handled_.fetch_add(1, std::memory_order_relaxed); }
    /// Returns `answer`, what a send said.
    wsolo::errc count_sent(wsolo::errc answer) noexcept {
        if (answer == wsolo::errc::none) accepted_.fetch_add(1, std::memory_order_relaxed);
        return answer;
    }

    /// Messages that the handler got.
    [[nodiscard]] std::uint64_t handled() const noexcept { return handled_.load(std::memory_order_relaxed); }
    /// Frames that the writer accepted.
    [[nodiscard]] std::uint64_t accepted() const noexcept {
        return accepted_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint64_t> handled_{0};
    std::atomic<std::uint64_t> accepted_{0};
};

} // namespace echo
