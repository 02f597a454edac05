// Would catch: a number completed twice or never as its ticket moves, is assigned over or abandoned.

#include <support/catch.hpp>
#include <support/sync.hpp>

#include <wsolo/sync/ticket.hpp>

#include <type_traits>

using support::step_barrier;
using ticket = step_barrier::ticket;

static_assert(!std::is_copy_constructible_v<ticket>);
static_assert(std::is_nothrow_move_constructible_v<ticket>);
static_assert(!std::is_move_constructible_v<step_barrier::handling>);

TEST_CASE("a ticket completes its number when it goes", "[sync][ticket]") {
    step_barrier barrier;
    {
        const ticket item = barrier.issue_ticket();
        CHECK(item.number() == 1);
        CHECK_FALSE(barrier.has_reached(1));
    }
    CHECK(barrier.has_reached(1));
}

TEST_CASE("a moved ticket has one owner", "[sync][ticket]") {
    step_barrier barrier;
    ticket first = barrier.issue_ticket();
    ticket second(std::move(first));
    CHECK(second.number() == 1);
    first.complete();
    CHECK_FALSE(barrier.has_reached(1));
    ticket third = barrier.issue_ticket();
    second = std::move(third); // the old number completes
    CHECK(barrier.has_reached(1));
    CHECK_FALSE(barrier.has_reached(2));
    ticket& same = second;
    second = std::move(same);
    CHECK(second.number() == 2);
    second.complete();
    CHECK(barrier.has_reached(2));
    CHECK(second.number() == 0);
    second.complete();
    second.abandon();
    CHECK(barrier.done() == 2);
}

TEST_CASE("a ticket is abandoned once and passes on to a handler once", "[sync][ticket]") {
    step_barrier barrier;
    ticket refused = barrier.issue_ticket();
    refused.abandon();
    CHECK(barrier.has_reached(1));
    ticket item = barrier.issue_ticket();
    {
        const auto work = barrier.handle(std::move(item));
        CHECK(work.number() == 2);
        CHECK(item.number() == 0);
        CHECK_FALSE(barrier.has_reached(2));
    }
    CHECK(barrier.done() == 2);
}
