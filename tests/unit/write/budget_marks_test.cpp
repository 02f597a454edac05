// Would catch: a watermark that the queue reaches without a word, and a low mark above the high one that tells of falls
// from a height that was never left.

#include <support/writer_fixture.hpp>

namespace {

/// Ten frames fit. Sent and taken one by one.
template <class Side>
struct by_tenths : writer_fixture<Side> {
    static constexpr std::string_view payload = "the same every time";

    by_tenths(std::uint8_t high, std::uint8_t low) : writer_fixture<Side>(tenths(high, low)) {
        this->wire.rule([this] {
            return wsolo::testing::scripted_step{io_status::would_block, std::exchange(taken, 0), 0};
        });
    }
    /// What the observer was told by now of climbs and falls.
    using told_marks = std::pair<int, int>;
    told_marks queue(int frames) {
        for (int i = 0; i < frames; ++i) REQUIRE(this->out->send_text(payload) == errc::none);
        return take(0);
    }
    told_marks take(std::size_t frames) {
        taken = frames * wire_size();
        static_cast<void>(this->out->pump());
        return {this->told.high, this->told.low};
    }

    std::size_t taken = 0; ///< bytes, by the next write

private:
    static std::size_t wire_size() { return payload.size() + (wsolo::masks(Side::self) ? 6 : 2); }
    static wsolo::writer_options tenths(std::uint8_t high, std::uint8_t low) {
        writer_fixture<Side> one;
        REQUIRE(one.out->send_text(payload) == errc::none);
        wsolo::writer_options options;
        options.limits.max_bytes = 10 * one.out->queued_bytes();
        options.limits.high_water = high;
        options.limits.low_water = low;
        return options;
    }
};

using marks = std::pair<int, int>;

} // namespace

TEMPLATE_TEST_CASE("a watermark is reached by the byte that it names", "[write][budget]", server, client) {
    by_tenths<TestType> f(50, 20);
    CHECK(f.queue(4) == marks{0, 0});
    CHECK(f.queue(1) == marks{1, 0});
    CHECK(f.take(2) == marks{1, 0});
    CHECK(f.take(1) == marks{1, 1});
    CHECK(f.queue(2) == marks{1, 1});
    CHECK(f.queue(1) == marks{2, 1});
    CHECK(f.take(5) == marks{2, 2});
}

TEMPLATE_TEST_CASE("a low mark above the high one is the high one", "[write][budget]", server, client) {
    by_tenths<TestType> f(50, 80);
    CHECK(f.queue(7) == marks{1, 0});
    CHECK(f.take(1) == marks{1, 0});
    CHECK(f.take(1) == marks{1, 1});
}
