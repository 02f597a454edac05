// Would catch: one that is due first and not in front, one that is lost or stays when another takes its place, and a place that one
// does not know.

#include <support/catch.hpp>

#include <wsolo/adapt/detail/timetable.hpp>

#include <algorithm>
#include <vector>

namespace {

struct timed {
    wsolo::time_point due = wsolo::no_deadline;
    std::uint32_t place = 0;
};

/// The same numbers on every machine.
class draw {
public:
    std::size_t below(std::size_t bound) {
        state_ = state_ * 1664525U + 1013904223U;
        return static_cast<std::size_t>(state_ >> 16U) % bound;
    }
    wsolo::time_point time() {
        const std::size_t drawn = below(30); // few, so that many are equal
        return drawn == 0 ? wsolo::no_deadline : wsolo::time_point(std::chrono::seconds(drawn));
    }
    timed* out_of(std::vector<timed*>& from) {
        const auto which = from.begin() + static_cast<std::ptrdiff_t>(below(from.size()));
        timed* const taken = *which;
        from.erase(which);
        return taken;
    }

private:
    std::uint32_t state_ = 7;
};

} // namespace

TEST_CASE("in any order of coming, moving and going the first in a timetable is due first",
          "[adapt][timetable]") {
    wsolo::adapt::detail::timetable<timed> table;
    std::vector<timed> all(40);
    std::vector<timed*> in, out;
    for (timed& each : all) out.push_back(&each);
    draw random;
    for (int step = 0; step < 5000; ++step) {
        const std::size_t what = random.below(4);
        if (what == 0 && !out.empty()) {
            in.push_back(random.out_of(out));
            in.back()->due = random.time();
            REQUIRE(table.add(*in.back()));
        } else if (what == 1 && !in.empty()) {
            out.push_back(random.out_of(in));
            table.remove(*out.back());
        } else if (!in.empty()) {
            table.move(*in[random.below(in.size())], random.time());
        }
        REQUIRE(table.all().size() == in.size());
        REQUIRE(table.empty() == in.empty());
        auto first = wsolo::no_deadline;
        for (const timed* each : in) first = std::min(first, each->due);
        if (!in.empty()) REQUIRE(table.first().due == first);
        for (const timed* each : in) REQUIRE(table.all()[each->place] == each);
    }
}
