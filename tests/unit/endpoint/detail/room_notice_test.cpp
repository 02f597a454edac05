// Would catch: room that is told though no send was refused, told twice, told as soon as one byte is free (so that the next
// send is refused again), or never.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/room_notice.hpp>
#include <wsolo/sync/traits.hpp>

namespace {

using notice = wsolo::detail::room_notice<wsolo::std_traits>;

struct queue {
    bool half_is_free;
    [[nodiscard]] bool is_half_free() const { return half_is_free; }
};
constexpr queue full{false}, free_again{true};

} // namespace

TEST_CASE("room is told once after a refusal, when half of both bounds is free", "[endpoint][room_notice]") {
    notice room;
    CHECK_FALSE(room.is_back(free_again)); // no send was refused
    CHECK(room.refusals() == 0);
    room.note_refusal();
    room.note_refusal();
    CHECK(room.refusals() == 2);
    CHECK_FALSE(room.is_back(full));
    CHECK(room.is_back(free_again));
    CHECK_FALSE(room.is_back(free_again));
    room.note_refusal();
    CHECK(room.is_back(free_again));
    CHECK(room.refusals() == 3);
}
