#pragma once
// Open loop: one producer sends at a given rate whatever the writer does, in bursts of 20 us, and each frame
// carries the moment at which it was due. A writer that falls behind is charged for it (no coordinated
// omission).
//
// "Enqueue" is one call of send. "Wire" is from the moment due until the peer's read returned the frame.

#include "writer_throughput.hpp"

namespace bench {

struct latency {
    histogram enqueue, wire;
};

inline std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Waits for a moment without giving up the CPU for longer than a yield.
inline void spin_until(std::int64_t moment) {
    while (now_ns() < moment) std::this_thread::yield();
}

template <class Writer>
latency measure_latency(const load& wanted, double frames_per_second) {
    latency seen;
    wsolo::client_reader reader;
    wire to(wanted.kind, [&](std::span<std::byte> bytes) {
        const std::int64_t now = now_ns();
        for (const wsolo::event& event : reader.read(bytes)) {
            if (event.kind() != wsolo::event_kind::message) continue;
            std::int64_t due = 0;
            std::memcpy(&due, event.payload().data(), sizeof due);
            seen.wire.add(now - due);
        }
    });
    Writer writer(to);
    produce(writer, 1, [&](auto& producer, int) {
        const double per_ns = frames_per_second * 1e-9;
        const auto tick = static_cast<std::int64_t>(std::max(20'000.0, 1 / per_ns));
        const std::int64_t start = now_ns(), end = start + wanted.duration.count();
        std::vector<std::byte> payload(wanted.payload, std::byte{'x'});
        std::uint64_t sent = 0;
        for (std::int64_t due = start; due < end; due += tick) {
            spin_until(due);
            std::memcpy(payload.data(), &due, sizeof due);
            const auto until = static_cast<std::uint64_t>(static_cast<double>(due + tick - start) * per_ns);
            for (; sent < until; ++sent) {
                if (sent % 16 != 0) { // the clock costs more than the send
                    send(producer, payload);
                    continue;
                }
                const std::int64_t before = now_ns();
                send(producer, payload);
                seen.enqueue.add(now_ns() - before);
            }
        }
    });
    writer.finish();
    to.finish();
    return seen;
}

} // namespace bench
