// Would catch: any transition that the table in turn.hpp's head does not name, or one that it names and that does not
// happen: each of the 6 states with each of the 12 functions.

#include <support/catch.hpp>

#include <wsolo/sync/turn.hpp>

#include <array>
#include <optional>

using wsolo::turn;
using wsolo::turn_state;

namespace {

using enum turn_state; // but for `free`, which <cstdlib> has too

constexpr std::array all_states{turn_state::free, gated, scheduled, running, parked, finished};

struct transition {
    const char* name;
    bool (*call)(turn&);                         ///< whether it changed anything
    std::array<std::optional<turn_state>, 6> to; ///< from each of all_states; none: it stays
    bool is_runners = false;                     ///< only the thread that runs may call it
};

/// A function that answers.
template <bool (turn::*Function)() noexcept>
bool ask(turn& of) {
    return (of.*Function)();
}
/// One of the running thread's, which always has an effect.
template <void (turn::*Function)() noexcept>
bool leave(turn& of) {
    (of.*Function)();
    return true;
}

constexpr auto stays = std::nullopt;

const transition table[] = {
    //                                 free       gated    scheduled running    parked     finished
    {"claim", ask<&turn::claim>, {scheduled, stays, stays, stays, stays, stays}},
    {"recall", ask<&turn::recall>, {stays, stays, stays, stays, scheduled, stays}},
    {"begin", ask<&turn::begin>, {stays, stays, running, stays, stays, stays}},
    {"resume", ask<&turn::resume>, {stays, stays, stays, stays, running, stays}},
    {"open", ask<&turn::open>, {stays, turn_state::free, stays, stays, stays, stays}},
    {"revoke", ask<&turn::revoke>, {stays, scheduled, stays, stays, stays, stays}},
    {"expire", ask<&turn::expire>, {stays, running, stays, stays, stays, stays}},
    {"seize", ask<&turn::seize>, {running, running, running, stays, running, stays}},
    {"release", leave<&turn::release>, {stays, stays, stays, turn_state::free, stays, stays}, true},
    {"hand_over", leave<&turn::hand_over>, {stays, stays, stays, scheduled, stays, stays}, true},
    {"park", leave<&turn::park>, {stays, stays, stays, parked, stays, stays}, true},
    {"finish", leave<&turn::finish>, {stays, stays, stays, finished, stays, stays}, true},
};

} // namespace

static_assert(sizeof(turn) == 1);
static_assert(turn().state() == turn_state::free);
static_assert(turn(gated).is(gated) && !turn(gated).is(turn_state::free));

TEST_CASE("each function leads from each state to where the table says, or nowhere", "[sync][turn]") {
    for (const transition& row : table) {
        for (std::size_t from = 0; from != all_states.size(); ++from) {
            if (row.is_runners && all_states[from] != running) continue; // a precondition
            turn one(all_states[from]);
            const std::optional<turn_state> to = row.to[from];
            INFO(row.name << " from state " << from);
            CHECK(row.call(one) == to.has_value());
            CHECK(one.state() == to.value_or(all_states[from]));
        }
    }
}

TEST_CASE("finished is for ever", "[sync][turn]") {
    for (const transition& row : table) {
        if (row.is_runners) continue;
        turn over(finished);
        CHECK_FALSE(row.call(over));
        CHECK(over.is(finished));
    }
}
