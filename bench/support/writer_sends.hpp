#pragma once
// What a send and its write cost by themselves: one thread, one writer, a wire that takes everything. Processor time of
// that thread, so that other programs disturb little.

#include "writer_memory.hpp"

#include <ctime>

namespace bench {

inline double thread_nanoseconds() {
    timespec time{};
    must(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return seconds(time) * 1e9;
}

/// ns for each of `count` sends, of which each `burst` is written at once: a burst of one meets an idle writer.
template <class Send>
double measure_sends(std::size_t count, std::size_t burst, Send send) {
    const wire to(wire_kind::null);
    bare_writer writer{wire_transport(to), pumped_by_hand{}};
    const double start = thread_nanoseconds();
    for (std::size_t sent = 0; sent < count; sent += burst) {
        for (std::size_t i = 0; i < burst; ++i) must(send(writer) == wsolo::errc::none);
        must(writer.pump().status == wsolo::pump_status::idle);
    }
    return (thread_nanoseconds() - start) / static_cast<double>(count);
}

/// A mutex and two strings, as many appended as are written at once.
inline double measure_swapped_sends(std::size_t count, std::size_t burst, wsolo::const_bytes payload) {
    const wire to(wire_kind::null);
    bare_swap one;
    const double start = thread_nanoseconds();
    for (std::size_t sent = 0; sent < count; sent += burst) {
        for (std::size_t i = 0; i < burst; ++i) {
            const std::lock_guard hold(one.mutex);
            append_to(one.queued, payload);
        }
        {
            const std::lock_guard hold(one.mutex);
            std::swap(one.batch, one.queued);
        }
        write_all(to, one.batch.data(), one.batch.size());
        one.batch.clear();
    }
    return (thread_nanoseconds() - start) / static_cast<double>(count);
}

} // namespace bench
