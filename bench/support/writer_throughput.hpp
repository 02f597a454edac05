#pragma once
// Closed loop: N producers send as fast as the writer lets them, for a fixed time, and the clock stops when
// everything is written. Every byte that was sent must have arrived, or the run counts for nothing.

#include "histogram.hpp"
#include "suite.hpp"
#include "writers_common.hpp"

#include <sys/resource.h>

namespace bench {

struct load {
    wire_kind kind = wire_kind::null;
    std::size_t payload = 32;
    int producers = 1;
    std::chrono::nanoseconds duration{0};
};

struct throughput {
    double frames_per_second = 0;
    double cpu_ns = 0;       ///< per frame, all threads but the reader
    double system_calls = 0; ///< per frame
};

inline double process_seconds() {
    rusage used{};
    must(::getrusage(RUSAGE_SELF, &used) == 0);
    const auto in_seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return in_seconds(used.ru_utime) + in_seconds(used.ru_stime);
}

/// Runs `work(producer, index)` in N threads, a producer each.
template <class Writer, class Work>
void produce(Writer& writer, int producers, Work work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < producers; ++i) {
        threads.emplace_back([&writer, work, i] {
            typename Writer::producer own(writer);
            work(own, i);
        });
    }
    for (std::thread& one : threads) one.join();
}

template <class Writer>
throughput measure_throughput(const load& wanted) {
    using clock = std::chrono::steady_clock;
    wire to(wanted.kind);
    std::atomic<std::uint64_t> total{0};
    const std::uint64_t calls = system_calls();
    const double cpu = process_seconds(), peer = to.reader_seconds();
    const auto start = clock::now();
    {
        Writer writer(to);
        produce(writer, wanted.producers, [&](auto& producer, int) {
            const std::vector<std::byte> payload(wanted.payload, std::byte{'x'});
            std::uint64_t sent = 0;
            for (; sent == 0 || sent % 32 != 0 || clock::now() - start < wanted.duration; ++sent)
                send(producer, payload);
            total += sent;
        });
        writer.finish();
    }
    const double elapsed = std::chrono::duration<double>(clock::now() - start).count();
    const double used = process_seconds() - cpu - (to.reader_seconds() - peer);
    const std::uint64_t made = system_calls() - calls;
    to.finish();
    const std::size_t frame = wsolo::encoded_size<wsolo::role::server>(wanted.payload);
    must(to.is_null() || to.received() == total * frame + Writer::farewell);
    const auto frames = static_cast<double>(total);
    return {frames / elapsed, used / frames * 1e9, static_cast<double>(made) / frames};
}

/// Four producers number their frames, the peer parses strictly: none lost, none torn, each producer's in
/// order.
template <class Writer>
void check_writer(wire_kind kind) {
    constexpr int producers = 4;
    constexpr std::uint64_t each = 3000;
    wsolo::client_reader reader;
    std::array<std::uint64_t, producers> next{};
    wire to(kind, [&](std::span<std::byte> bytes) {
        for (const wsolo::event& event : reader.read(bytes)) {
            if (event.kind() == wsolo::event_kind::peer_close) continue;
            std::uint64_t mark[2];
            must(event.kind() == wsolo::event_kind::message && event.payload().size() >= sizeof mark);
            std::memcpy(mark, event.payload().data(), sizeof mark);
            must(mark[0] < producers && mark[1] == next[mark[0]]++);
        }
    });
    {
        Writer writer(to);
        produce(writer, producers, [](auto& producer, int index) {
            std::vector<std::byte> payload(5000);
            for (std::uint64_t i = 0; i < each; ++i) {
                const std::uint64_t mark[2] = {static_cast<std::uint64_t>(index), i};
                std::memcpy(payload.data(), mark, sizeof mark);
                send(producer,
                     wsolo::const_bytes(payload).first(i % 100 == 0 ? payload.size() : 16 + i % 64));
            }
        });
        writer.finish();
    }
    to.finish();
    for (const std::uint64_t count : next) must(to.is_null() || count == each);
}

struct capture {
    double longest_us = 0; ///< one call of send, on the clock: waiting for a lock or a CPU included
    double most_bytes = 0; ///< that one call wrote to the transport
    double p999_us = 0;
};

/// How long a producer is kept, and what it wrote for others meanwhile. `written` counts the calling thread's
/// bytes.
template <class Writer>
capture measure_capture(const load& wanted) {
    using clock = std::chrono::steady_clock;
    wire to(wanted.kind);
    std::mutex merging;
    histogram all;
    std::uint64_t most = 0;
    Writer writer(to);
    const auto end = clock::now() + wanted.duration;
    produce(writer, wanted.producers, [&](auto& producer, int) {
        const std::vector<std::byte> payload(wanted.payload, std::byte{'x'});
        histogram own;
        std::uint64_t own_most = 0;
        for (auto now = clock::now(); now < end;) {
            const std::uint64_t before = written_by_this_thread;
            const bool sent = producer.try_send(payload);
            const auto after = clock::now();
            own.add((after - now).count());
            own_most = std::max(own_most, written_by_this_thread - before);
            now = after;
            if (sent) continue;
            std::this_thread::sleep_for(pause_when_full);
            now = clock::now();
        }
        const std::lock_guard hold(merging);
        all += own;
        most = std::max(most, own_most);
    });
    writer.finish();
    to.finish();
    return {all.longest() / 1e3, static_cast<double>(most), all.quantile(0.999) / 1e3};
}

} // namespace bench
