// Would catch: replies that are not bound by bytes or by number, a mark that takes what came after it with it, room that is
// not told or told for nothing, and a bound of zero that bounds.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/unsent_replies.hpp>
#include <wsolo/sync/traits.hpp>

namespace {
using wsolo::bound_of;
using bounds = wsolo::detail::reply_bounds;

/// With its bounds; 0: none.
struct replies_type : wsolo::detail::unsent_replies<wsolo::std_traits> {
    using base = wsolo::detail::unsent_replies<wsolo::std_traits>;
    replies_type(std::size_t bytes, std::uint32_t count) : most{bound_of(bytes), bound_of(count)} {}
    [[nodiscard]] bool is_full() const { return base::is_full(most); }
    [[nodiscard]] bool wants_mark() const { return base::wants_mark(most); }
    void clear() { base::clear(most); }
    void pass_mark() { base::pass_mark(most); }
    const bounds most;
};
} // namespace

TEST_CASE("replies fill up by bytes or by number", "[endpoint][unsent_replies]") {
    replies_type bytes(100, 0), count(0, 3), none(0, 0);
    bytes.add(100);
    for (int i = 0; i < 3; ++i) count.add(1000);
    for (int i = 0; i < 100; ++i) none.add(1U << 30U);
    CHECK_FALSE(bytes.is_full());
    CHECK_FALSE(count.is_full());
    CHECK_FALSE(none.is_full());
    CHECK_FALSE(none.wants_mark());
    bytes.add(1);
    count.add(0);
    CHECK(bytes.is_full());
    CHECK(count.is_full());
}

TEST_CASE("a mark takes what stood before it, and room is told where there was none",
          "[endpoint][unsent_replies]") {
    replies_type replies(100, 0);
    replies.add(50);
    CHECK_FALSE(replies.wants_mark());
    replies.add(1);
    REQUIRE(replies.wants_mark());
    replies.begin_mark();
    CHECK_FALSE(replies.wants_mark()); // one is out
    replies.add(40);
    SECTION("it passes in time") {
        replies.pass_mark();
        CHECK_FALSE(replies.take_room()); // nothing was held back
        replies.add(60);
        CHECK_FALSE(replies.is_full());
    }
    SECTION("it passes late") {
        replies.add(60);
        CHECK(replies.is_full());
        replies.pass_mark();
        CHECK_FALSE(replies.is_full());
        CHECK(replies.take_room());
        CHECK_FALSE(replies.take_room()); // once
        CHECK(replies.wants_mark());      // for the second half
    }
    SECTION("it was not accepted") {
        replies.drop_mark();
        CHECK(replies.wants_mark());
        replies.add(10);
        CHECK(replies.is_full());
    }
}

TEST_CASE("an empty queue clears them", "[endpoint][unsent_replies]") {
    replies_type replies(100, 0);
    replies.add(90);
    replies.clear();
    CHECK_FALSE(replies.take_room());
    replies.add(101);
    replies.clear();
    CHECK_FALSE(replies.is_full());
    CHECK(replies.take_room());
}
