#pragma once
// What writers hold: one whose peer reads nothing, a hundred thousand that are idle, ten thousand that are
// all sent the same frame.

#include "heap.hpp"
#include "writer_throughput.hpp"
#include "writers_wsolo.hpp"

#include <condition_variable>
#include <deque>
#include <memory>

namespace bench {

/// Peak heap while the peer reads nothing and one producer sends until it is refused for good.
template <class Writer>
double measure_slow_reader(std::size_t payload_size) {
    const std::vector<std::byte> payload(payload_size, std::byte{'x'});
    wire to(wire_kind::socketpair, {}, true);
    const double before = heap_bytes();
    double peak = before;
    Writer writer(to);
    {
        typename Writer::producer producer(writer);
        const std::size_t sample_every = std::max<std::size_t>(1, 64 * 1024 / payload_size);
        int refusals = 0;
        for (std::size_t sent = 0; refusals < 20;) {
            if (producer.try_send(payload)) {
                if (++sent % sample_every == 0) peak = std::max(peak, heap_bytes());
                refusals = 0;
            } else {
                ++refusals;
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
        }
        peak = std::max(peak, heap_bytes());
    }
    to.resume();
    writer.finish();
    to.finish();
    return peak - before;
}

/// A writer that its owner pumps by hand: no loop, no thread.
struct pumped_by_hand {
    void operator()() const {}
};
using bare_writer = wsolo::single_writer<wire_transport, pumped_by_hand>;

/// The least that a hand-written queue for a thread of its own needs, without that thread.
struct bare_deque {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::string> queue;
    bool stopping = false;
};
struct bare_swap {
    std::mutex mutex;
    std::condition_variable changed;
    std::string queued, batch;
    bool stopping = false;
};

/// Heap per object when `count` of them exist and each was used once. The array counts, and so does a
/// socket's number.
template <class Object, class Use, class... Arguments>
double measure_idle(std::size_t count, Use use, const Arguments&... arguments) {
    const double before = heap_bytes();
    std::deque<Object> all;
    for (std::size_t i = 0; i < count; ++i) use(all.emplace_back(arguments...));
    return (heap_bytes() - before) / static_cast<double>(count);
}

struct broadcast {
    double ns = 0;    ///< per writer: queue and write
    double bytes = 0; ///< heap per writer while all are queued
};

/// One message to `count` writers: all queue it, then all write it. Encoded once and sent as a shared_frame, or encoded
/// into each.
inline broadcast measure_broadcast(std::size_t count, std::size_t payload_size, bool is_shared) {
    const wire to(wire_kind::null);
    std::deque<bare_writer> all;
    for (std::size_t i = 0; i < count; ++i) all.emplace_back(wire_transport(to), pumped_by_hand{});
    const std::vector<std::byte> payload(payload_size, std::byte{'x'});
    const double before = heap_bytes();
    const auto start = std::chrono::steady_clock::now();
    auto frame = wsolo::make_shared_frame(wsolo::opcode::binary, payload);
    must(static_cast<bool>(frame));
    for (bare_writer& writer : all)
        must((is_shared ? writer.send(*frame) : writer.send_binary(payload)) == wsolo::errc::none);
    const auto queued = std::chrono::steady_clock::now();
    const double held = heap_bytes() - before;
    const auto again = std::chrono::steady_clock::now();
    for (bare_writer& writer : all) must(writer.pump().status == wsolo::pump_status::idle);
    const auto took = (queued - start) + (std::chrono::steady_clock::now() - again);
    const auto writers = static_cast<double>(count);
    return {static_cast<double>(took.count()) / writers, held / writers};
}

/// The same by hand: frames are appended to each connection's string, and each string is written.
inline broadcast measure_swapped_broadcast(std::size_t count, std::size_t payload_size) {
    const wire to(wire_kind::null);
    std::deque<bare_swap> all(count);
    const std::vector<std::byte> payload(payload_size, std::byte{'x'});
    const double before = heap_bytes();
    const auto start = std::chrono::steady_clock::now();
    for (bare_swap& one : all) {
        const std::lock_guard hold(one.mutex);
        append_to(one.queued, payload);
    }
    const auto queued = std::chrono::steady_clock::now();
    const double held = heap_bytes() - before;
    const auto again = std::chrono::steady_clock::now();
    for (bare_swap& one : all) {
        {
            const std::lock_guard hold(one.mutex);
            std::swap(one.batch, one.queued);
        }
        write_all(to, one.batch.data(), one.batch.size());
        std::string().swap(one.batch); // idle connections keep nothing
    }
    const auto took = (queued - start) + (std::chrono::steady_clock::now() - again);
    const auto writers = static_cast<double>(count);
    return {static_cast<double>(took.count()) / writers, held / writers};
}

} // namespace bench
