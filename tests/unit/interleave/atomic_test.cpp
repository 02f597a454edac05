// interleave::atomic as a std::atomic: every operation and kind of value, inside an execution and outside of
// one. Would catch: a value cut or shifted on its way, a strong compare_exchange that fails for nothing, a
// static that carries a value from one execution into the next.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/verdict.hpp>

#include <set>

using namespace interleave;

TEST_CASE("a strong compare_exchange fails for a reason, a weak one also for none", "[litmus]") {
    const auto run = [](bool weak, int budget) {
        std::set<std::pair<bool, int>> found;
        const result done = explore({.spurious_failures = budget}, [&](scenario& stage) {
            auto& x = stage.make<interleave::atomic<int>>("x", 0);
            stage.thread("one", [&, weak] {
                int expected = 0;
                const bool won =
                    weak ? x.compare_exchange_weak(expected, 1) : x.compare_exchange_strong(expected, 1);
                found.insert({won, expected});
            });
            stage.thread("two", [&] { x.store(2); });
        });
        CHECK(done.passed());
        return found;
    };
    const std::set<std::pair<bool, int>> honest{{true, 0}, {false, 2}};
    CHECK(run(false, 1) == honest);
    CHECK(run(true, 0) == honest);
    CHECK(run(true, 1) == std::set<std::pair<bool, int>>{{true, 0}, {false, 2}, {false, 0}});
}

TEST_CASE("every kind of value goes through an atomic", "[litmus]") {
    enum class colour : std::uint8_t { red, blue };
    static constinit interleave::atomic<int> counted{41};
    CHECK(counted.fetch_add(1) == 41);
    CHECK(counted == 42);
    int cells[3] = {1, 2, 3};
    for (int repeat = 0; repeat < 2; ++repeat) {
        const result done = explore({}, [&](scenario& stage) {
            auto& flag = stage.make<interleave::atomic<bool>>("flag");
            auto& hue = stage.make<interleave::atomic<colour>>("hue", colour::red);
            auto& at = stage.make<interleave::atomic<int*>>("at", cells);
            auto& small = stage.make<interleave::atomic<std::uint8_t>>("small", std::uint8_t{255});
            stage.thread("one", [&] {
                check(!flag.exchange(true) && flag, "bool");
                check(hue.exchange(colour::blue) == colour::red && hue == colour::blue, "enum");
                check(*at.fetch_add(2) == 1 && *at.load() == 3 && *at.fetch_sub(1) == 3, "pointer");
                check(small.fetch_add(1) == 255 && small == 0, "wraps at its own width");
                check(++small == 1 && small-- == 1 && (small += 7) == 7 && (small |= 8) == 15, "operators");
                check(small.fetch_and(6) == 15 && small.fetch_xor(2) == 6 && small.fetch_or(1) == 4, "bits");
                // What was made outside starts every execution from the value that it has outside.
                check(counted.fetch_add(5) == 42, "left by another execution");
            });
        });
        INFO(done.report());
        CHECK(done.passed());
    }
    CHECK(counted == 42);
}
