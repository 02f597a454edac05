// Would catch: a watermark that the queue reaches without a word, and a low mark above the high one that tells of falls
// from a height that was never left.

#include <support/writer_fixture.hpp>

namespace {

/// A frame costs as much as the entry that they share: a tenth of the budget, so nine fit. Sent and taken one by one.
template <class Side>
struct by_tenths : writer_fixture<Side> {
    static constexpr std::size_t tenth = wsolo::entry_overhead;
    static constexpr std::size_t wire_size = tenth - wsolo::frame_overhead;

    by_tenths(std::uint8_t high, std::uint8_t low) : writer_fixture<Side>(tenths(high, low)) {
        this->wire.rule([this] {
            return wsolo::testing::scripted_step{io_status::would_block, std::exchange(taken, 0), 0};
        });
    }
    /// What the observer was told by now of climbs and falls.
    using told_marks = std::pair<int, int>;
    told_marks queue(int frames) {
        for (int i = 0; i < frames; ++i) send(wire_size);
        return take(0);
    }
    told_marks take(std::size_t frames) {
        taken = frames * wire_size;
        static_cast<void>(this->out->pump());
        return {this->told.high, this->told.low};
    }

    /// One frame of so many bytes on the wire.
    void send(std::size_t bytes) {
        const std::string payload(bytes - wsolo::encoded_size<Side::self>(0), 'x');
        REQUIRE(this->out->send_text(payload) == errc::none);
    }

    std::size_t taken = 0; ///< bytes, by the next write

private:
    static wsolo::writer_options tenths(std::uint8_t high, std::uint8_t low) {
        wsolo::writer_options options;
        options.limits.max_bytes = 10 * tenth;
        options.limits.high_water = high;
        options.limits.low_water = low;
        return options;
    }
};

using marks = std::pair<int, int>;

} // namespace

TEMPLATE_TEST_CASE("a watermark is reached by the byte that it names", "[write][options]", server, client) {
    by_tenths<TestType> f(50, 20);
    CHECK(f.queue(3) == marks{0, 0});
    f.send(f.wire_size - 1);
    CHECK(f.take(0) == marks{0, 0});
    f.send(f.wire_size);
    CHECK(f.take(0) == marks{1, 0});

    by_tenths<TestType> g(50, 20);
    CHECK(g.queue(3) == marks{0, 0});
    CHECK(g.queue(1) == marks{1, 0});
    CHECK(g.take(2) == marks{1, 0});
    CHECK(g.take(1) == marks{1, 1});
    CHECK(g.queue(2) == marks{1, 1});
    CHECK(g.queue(1) == marks{2, 1});
    CHECK(g.take(4) == marks{2, 2});
}

TEMPLATE_TEST_CASE("a low mark above the high one is the high one", "[write][options]", server, client) {
    by_tenths<TestType> f(50, 80);
    CHECK(f.queue(6) == marks{1, 0});
    CHECK(f.take(1) == marks{1, 0});
    CHECK(f.take(1) == marks{1, 1});
}

TEMPLATE_TEST_CASE("without a bound, and with a high mark of zero, no mark is told", "[write][options]",
                   server, client) {
    for (const bool bounded : {false, true}) {
        wsolo::writer_options options;
        options.limits.max_bytes = bounded ? 1000 : 0;
        if (bounded) options.limits.high_water = 0;
        writer_fixture<TestType> f(options);
        for (int i = 0; i < 5; ++i) REQUIRE(f.out->send_text(std::string(100, 'x')) == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        CHECK(f.told.high == 0);
        CHECK(f.told.low == 0);
    }
}
