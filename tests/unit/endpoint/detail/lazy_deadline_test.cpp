// Would catch: a loop that is called too late, one whose timer moves with every message, and one that comes again at once for
// a time that has passed.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/lazy_deadline.hpp>

namespace {

using namespace std::chrono_literals;
using wsolo::no_deadline;
constexpr wsolo::time_point start = wsolo::time_point(1000s);

} // namespace

TEST_CASE("a deadline moves to be earlier, or once it has passed", "[endpoint][lazy_deadline]") {
    wsolo::detail::lazy_deadline told;
    CHECK(told.tell(no_deadline, start) == no_deadline);
    CHECK(told.tell(start + 20s, start) == start + 20s);
    for (int i = 1; i < 20; ++i) CHECK(told.tell(start + 20s + 1s * i, start + 1s * i) == start + 20s);
    CHECK(told.tell(start + 19500ms, start + 19s) == start + 19500ms);
    CHECK(told.tell(start + 40s, start + 19500ms) == start + 40s); // it has passed
    CHECK(told.tell(start + 60s, start + 39s) == start + 40s);
    CHECK(told.tell(no_deadline, start + 39s) == no_deadline); // nothing is due any more
    CHECK(told.tell(start + 90s, start + 39s) == start + 90s);
}
