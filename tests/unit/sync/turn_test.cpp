// Would catch: a cell of the turn's table that is wrong: a transition from a state that has none, or to another state than
// the table says, or an answer that does not fit.

#include <support/catch.hpp>

#include <wsolo/sync/turn.hpp>

#include <array>
#include <string>

using wsolo::turn;
using state = wsolo::turn_state;

namespace {

constexpr std::array all{state::free,    state::gated,  state::scheduled,
                         state::running, state::parked, state::finished};

/// What `step` leads to from each state, in the order of `all`. It answers true where it changes something.
template <class Step>
void check_row(const char* name, Step step, std::array<state, 6> to) {
    for (std::size_t at = 0; at != all.size(); ++at) {
        turn its(all[at]);
        const bool is_changed = step(its);
        INFO(std::string(name) + " from state " + std::to_string(at));
        CHECK(its.state() == to[at]);
        CHECK(is_changed == (to[at] != all[at]));
    }
}

} // namespace

TEST_CASE("every transition of a turn, from every state", "[sync][turn]") {
    check_row(
        "claim", [](turn& its) { return its.claim(); },
        {state::scheduled, state::gated, state::scheduled, state::running, state::parked, state::finished});
    check_row(
        "recall", [](turn& its) { return its.recall(); },
        {state::free, state::gated, state::scheduled, state::running, state::scheduled, state::finished});
    check_row("begin", [](turn& its) { return its.begin(); },
              {state::free, state::gated, state::running, state::running, state::parked, state::finished});
    check_row("resume", [](turn& its) { return its.resume(); },
              {state::free, state::gated, state::scheduled, state::running, state::running, state::finished});
    check_row("open", [](turn& its) { return its.open(); },
              {state::free, state::free, state::scheduled, state::running, state::parked, state::finished});
    check_row(
        "revoke", [](turn& its) { return its.revoke(); },
        {state::free, state::scheduled, state::scheduled, state::running, state::parked, state::finished});
    check_row(
        "expire", [](turn& its) { return its.expire(); },
        {state::free, state::running, state::scheduled, state::running, state::parked, state::finished});
    check_row(
        "seize", [](turn& its) { return its.seize(); },
        {state::running, state::running, state::running, state::running, state::running, state::finished});
}

TEST_CASE("the thread that runs gives the turn away", "[sync][turn]") {
    const auto after = [](void (turn::*leave)() noexcept) {
        turn its(state::running);
        (its.*leave)();
        return its.state();
    };
    CHECK(after(&turn::release) == state::free);
    CHECK(after(&turn::hand_over) == state::scheduled);
    CHECK(after(&turn::park) == state::parked);
    CHECK(after(&turn::finish) == state::finished);
    CHECK(turn().is(state::free));
    static_assert(sizeof(turn) == 1);
}
