// Would catch: room that is told though no send was refused, told twice, told as soon as one byte is free (so that the next
// send is refused again), or never.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/room_notice.hpp>
#include <wsolo/sync/traits.hpp>

namespace {

using notice = wsolo::detail::room_notice<wsolo::std_traits>;

struct queue {
    std::size_t bytes;
    std::uint32_t frames;
    [[nodiscard]] std::size_t queued_bytes() const { return bytes; }
    [[nodiscard]] std::uint32_t queued_frames() const { return frames; }
};

} // namespace

TEST_CASE("room is told once after a refusal, when half of both bounds is free", "[endpoint][room_notice]") {
    notice room(wsolo::writer_limits{.max_bytes = 100, .max_frames = 10});
    CHECK_FALSE(room.is_back(queue{0, 0})); // no send was refused
    CHECK(room.refusals() == 0);
    room.note_refusal();
    room.note_refusal();
    CHECK(room.refusals() == 2);
    CHECK_FALSE(room.is_back(queue{51, 0}));
    CHECK_FALSE(room.is_back(queue{0, 6}));
    CHECK(room.is_back(queue{50, 5}));
    CHECK_FALSE(room.is_back(queue{0, 0}));
    room.note_refusal();
    CHECK(room.is_back(queue{0, 0}));
    CHECK(room.refusals() == 3);
}

TEST_CASE("a bound of none is none", "[endpoint][room_notice]") {
    notice room(wsolo::writer_limits{.max_bytes = 0, .max_frames = 0});
    room.note_refusal();
    CHECK(room.is_back(queue{1'000'000'000, 1'000'000'000}));
}
