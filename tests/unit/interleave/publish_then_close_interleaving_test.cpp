// S3 in every schedule within a bound: a stream is published, its peer closes at once. Would catch: a
// close() that returns with the stream at work or still to begin, one that never returns, a stream granted
// after it.
//
// Teeth: published before it is registered, the checker finds the window by itself.

#include <support/catch.hpp>
#include <support/hubs.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/verdict.hpp>

#include <array>

using namespace interleave;

namespace {

template <class Hub, class Flag>
struct place {
    Hub hub;
    interleave::atomic<int> seen_by_peer{0};
    Flag is_gone{false}; // what streams work on
    std::array<int, 2> granted{};
};

template <class Hub, class Flag>
void publish_then_close(scenario& stage, outcomes& granted) {
    auto& m = stage.make<place<Hub, Flag>>("place");
    stage.thread("server", [&] {
        m.granted[0] = m.hub.publish([&] { m.seen_by_peer.store(1); }, [] {},
                                     [&] { check(!m.is_gone, "a stream works after close()"); });
    });
    stage.thread("peer", [&] {
        while (m.seen_by_peer.load() == 0) traits::pause();
        m.hub.close();
        m.is_gone = true;
    });
    stage.finally([&] { granted.insert(m.granted[0]); });
}

/// Two streams, and a close that does not wait to see either.
template <class Hub, class Flag>
void close_meanwhile(scenario& stage, outcomes& granted) {
    auto& m = stage.make<place<Hub, Flag>>("place");
    for (std::size_t i = 0; i < 2; ++i)
        stage.thread(i == 0 ? "one" : "other", [&m, i] {
            m.granted[i] =
                m.hub.publish([] {}, [] {}, [&] { check(!m.is_gone, "a stream works after close()"); });
        });
    stage.thread("closer", [&] {
        m.hub.close();
        m.is_gone = true;
    });
    stage.finally([&] { granted.insert(m.granted[0] + m.granted[1]); });
}

using sound = support::registers_first<traits>;
using hasty = support::publishes_first<traits>;
using ordered = interleave::atomic<bool>; // no race by itself, so that what fails is the promise

} // namespace

TEST_CASE("S3: a close after the publication waits for the stream", "[s3]") {
    CHECK(holds(publish_then_close<sound, bool>, {1}));
}
TEST_CASE("S3: a close beside the publication waits for the stream, or refuses it", "[s3]") {
    CHECK(holds(close_meanwhile<sound, bool>, {0, 1, 2}));
}

TEST_CASE("S3 teeth: published before it is registered, a stream works after close()", "[s3][teeth]") {
    const auto find = [](open_scenario body, const char* words) {
        outcomes seen;
        const result done = explore({}, [&](scenario& stage) { body(stage, seen); });
        WARN("found after " << done.executions << " executions: " << done.failure);
        return fails_with(done, words);
    };
    CHECK(find(publish_then_close<hasty, ordered>, "a stream works after close()"));
    CHECK(find(close_meanwhile<hasty, ordered>, "a stream works after close()"));
    if (sees_plain_memory()) CHECK(find(publish_then_close<hasty, bool>, "race"));
}
