// Would catch: a refusal that is not heard, as a bool or as an exception; a hook of another shape that
// compiles.

#include <support/catch.hpp>

#include <wsolo/sync/schedule_hook.hpp>

namespace {

struct answers_an_int {
    int operator()() const { return 0; }
};
struct wants_an_argument {
    void operator()(int) const {}
};

} // namespace

static_assert(wsolo::schedule_hook<void (*)()>);
static_assert(wsolo::schedule_hook<bool (*)()>);
static_assert(!wsolo::schedule_hook<answers_an_int>);
static_assert(!wsolo::schedule_hook<wants_an_argument>);

TEST_CASE("a hook accepts unless it says or throws otherwise", "[sync][schedule_hook]") {
    int calls = 0;
    const auto quiet = [&calls] { ++calls; };
    const auto yes = [&calls] { return ++calls > 0; };
    const auto no = [&calls] { return ++calls < 0; };
    CHECK(wsolo::detail::ask_for_a_turn(quiet));
    CHECK(wsolo::detail::ask_for_a_turn(yes));
    CHECK_FALSE(wsolo::detail::ask_for_a_turn(no));
    CHECK(calls == 3);
#if WSOLO_HAS_EXCEPTIONS
    const auto throwing = []() -> bool { throw 1; };
    CHECK_FALSE(wsolo::detail::ask_for_a_turn(throwing));
#endif
}
