#pragma once
// What the outbox answers: who holds the token, what a push came to, what the owner is to do next.
//
// Laws of this file:
// - Values only. What a result carries out from under the lock (waiters, a workload) is the caller's.

#include "../drain.hpp"
#include "workload.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Who holds the write token.
enum class token : std::uint8_t {
    free,      ///< nobody: the queue is empty
    gated,     ///< the handshake: see write/init_gate.hpp
    scheduled, ///< the schedule hook: pump() is owed
    pumping,   ///< the thread inside pump()
    parked,    ///< the transport: pump() is owed when it is writable or a deadline passes
    finished,  ///< nobody, ever again
};

namespace detail {

/// What a push came to.
struct [[nodiscard]] push_result {
    errc error = errc::none;
    bool drive = false; ///< the caller took the token and must call the schedule hook
};

/// What the owner is to do next.
enum class next_step : std::uint8_t { write, write_what_must, look_again, released, drained, aborted };

/// What the owner takes out from under the lock.
struct [[nodiscard]] next_result {
    next_step step = next_step::released;
    bool climbed = false;     ///< the queue reached its high mark: tell the observer, before `fell`
    bool fell = false;        ///< the queue fell to its low mark: tell the observer
    std::uint32_t frames = 0; ///< that were written so far, modulo 2^32
    workload* idle = nullptr; ///< the caller's to destroy
    waiter_list due{};        ///< the caller's to wake
};

/// How things stand while a write is in flight.
struct [[nodiscard]] standing {
    bool over = false;    ///< it has ended
    bool climbed = false; ///< the queue reached its high mark: tell the observer
    bool drains = false;  ///< the deadline is that of a close or an abort
    bool gone = false;    ///< the writer is being destroyed
    time_point deadline = no_deadline;
    waiter_list due{}; ///< the caller's to wake
};

/// The end, for the owner to tell and to clean up.
struct [[nodiscard]] end_result {
    drain_report report{};
    workload* rest = nullptr;
    waiter_list due{};
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
