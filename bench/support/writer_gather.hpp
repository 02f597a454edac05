#pragma once
// What one write may offer (writer_options::max_gather): four producers keep the writer busy, and a PONG a millisecond shows how
// long control waits for the write before it.

#include "writer_latency.hpp"
#include "writers_wsolo.hpp"

namespace bench {

struct gathered {
    double frames_per_second = 0;
    histogram pongs; ///< ns from the send until the peer's read returned it
};

inline gathered measure_gather(const load& wanted, std::uint32_t max_gather) {
    gathered seen;
    wsolo::client_reader reader;
    wire to(wanted.kind, [&](std::span<std::byte> bytes) {
        const std::int64_t now = now_ns();
        for (const wsolo::event& event : reader.read(bytes)) {
            if (event.kind() != wsolo::event_kind::pong) continue;
            std::int64_t sent = 0;
            std::memcpy(&sent, event.payload().data(), sizeof sent);
            seen.pongs.add(now - sent);
        }
    });
    wsolo::writer_options options = bounded_writer();
    options.max_gather = max_gather;
    const writer_loop loop;
    wsolo::single_writer<wire_transport, wake_loop> writer(wire_transport(to), wake_loop{&loop}, options);
    std::thread driving([&] { loop.run(writer); });

    const std::int64_t start = now_ns(), end = start + wanted.duration.count();
    std::atomic<std::uint64_t> frames{0};
    std::vector<std::thread> producers;
    for (int i = 0; i < wanted.producers; ++i) {
        producers.emplace_back([&] {
            const std::vector<std::byte> payload(wanted.payload, std::byte{'x'});
            std::uint64_t sent = 0;
            for (; now_ns() < end; ++sent) {
                while (!offer(writer, payload)) std::this_thread::sleep_for(pause_when_full);
            }
            frames += sent;
        });
    }
    while (now_ns() < end) {
        const std::int64_t now = now_ns();
        std::byte payload[sizeof now];
        std::memcpy(payload, &now, sizeof now);
        const auto pong = wsolo::make_pong<wsolo::role::server>(payload);
        must(pong && writer.send(*pong) == wsolo::errc::none);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    for (std::thread& each : producers) each.join();
    must(writer.close(wsolo::close_code::normal, {}, std::chrono::seconds(100)) == wsolo::errc::none);
    driving.join();
    const auto took = static_cast<double>(now_ns() - start);
    must(writer.report().is_clean());
    to.finish();
    seen.frames_per_second = static_cast<double>(frames) / took * 1e9;
    return seen;
}

} // namespace bench
