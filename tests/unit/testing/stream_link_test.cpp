// Would catch: a byte that is lost uncounted, doubled or out of order, whatever the options, and whenever it is asked for;
// next() that names a time at which nothing happens, or none although something will.

#include <support/catch.hpp>

#include <wsolo/testing/stream_link.hpp>

using namespace std::chrono_literals;
using wsolo::time_point;
using wsolo::testing::link_options;
using wsolo::testing::stream_link;

namespace {

constexpr time_point start{1h};

std::uint64_t draw(std::uint64_t& state) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state >> 33;
}

/// Everything that comes within an hour.
std::string read_all(stream_link& link, time_point now) {
    std::string got;
    const time_point last = now + 1h;
    while (now <= last) {
        static_cast<void>(link.move(now));
        got += link.read(link.readable(), now);
        if (link.next() == wsolo::no_deadline) break;
        CHECK(link.next() >= now - 1h);
        if (now < link.next()) now = link.next();
    }
    return got;
}

} // namespace

TEST_CASE("a byte departs when the link is free, and arrives after the latency", "[testing][stream_link]") {
    stream_link link({.latency = 5ms, .rate = 100'000}); // 1,000 bytes in 10 ms
    CHECK(link.next() == wsolo::no_deadline);
    CHECK(link.take(wsolo::bytes_of("0123456789"), start) == 10);
    CHECK(link.next() == start);
    static_cast<void>(link.move(start));
    CHECK(link.next() == start + 5100us);
    static_cast<void>(link.move(start + 5099us));
    CHECK(link.readable() == 0);
    CHECK(link.unsent() == 10);
    static_cast<void>(link.move(start + 5100us));
    CHECK(link.readable() == 10);
    CHECK(link.unsent() == 0);
    CHECK(link.next() == wsolo::no_deadline);
}

TEST_CASE("what was taken is read in order, lost, or under way, whatever happens", "[testing][stream_link]") {
    const auto seed = static_cast<std::uint64_t>(GENERATE(range(1, 200)));
    std::uint64_t state = seed;
    const auto one_of = [&](unsigned a, unsigned b, unsigned c, unsigned d) {
        const unsigned all[] = {a, b, c, d};
        return all[draw(state) % 4];
    };
    const bool has_proxy = draw(state) % 3 == 0;
    stream_link link({.latency = std::chrono::milliseconds(one_of(0, 1, 7, 7)),
                      .rate = one_of(0, 500, 30'000, 0),
                      .send_buffer = one_of(0, 1, 50, 4000),
                      .receive_buffer = one_of(0, 1, 33, 4000)},
                     has_proxy);
    time_point now = start;
    std::string sent, got;
    bool has_ended = false, was_cut = false;
    for (unsigned i = 0; i < 300; ++i) {
        switch (draw(state) % 12) {
        case 0: link.stall(now); break;
        case 1:
        case 2: link.resume(now); break;
        case 3:
            if (i > 200 && draw(state) % 10 == 0) {
                link.end(now);
                has_ended = true;
            }
            break;
        case 4:
            if (has_proxy && i > 250 && !was_cut) {
                link.end_midway(now);
                was_cut = true;
            }
            break;
        case 5:
        case 6: got += link.read(1 + draw(state) % 60, now); break;
        case 7:
        case 8: now += std::chrono::microseconds(draw(state) % 5000); break;
        case 9: static_cast<void>(link.move(now)); break;
        default:
            if (!has_ended) {
                std::string more;
                for (std::uint64_t count = draw(state) % 100; more.size() < count;)
                    more += static_cast<char>('a' + (sent.size() + more.size()) * 7 % 26);
                sent += more.substr(0, link.take(wsolo::bytes_of(more), now));
            }
        }
        CHECK(link.taken() == sent.size());
        CHECK(link.taken() == link.was_read() + link.lost() + link.unsent() + link.readable());
    }
    link.resume(now);
    if (draw(state) % 5 == 0) {
        link.reset(now, 1ms);
        has_ended = true;
    } else if (!has_ended) {
        link.end(now);
    }
    got += read_all(link, now);
    CHECK(sent.substr(0, got.size()) == got);
    CHECK(sent.size() == got.size() + link.lost());
    CHECK(link.is_at_end());
}
