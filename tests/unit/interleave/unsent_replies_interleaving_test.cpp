// The count of an endpoint's unsent replies, in every schedule: a pool's thread answers and rests when it finds them full,
// while the mark before its answer passes, or the queue runs empty. Would catch: a thread that rests and is never roused.

#include <support/catch.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/verdict.hpp>

#include <wsolo/endpoint/detail/unsent_replies.hpp>

using interleave::check;
using interleave::holds;
using interleave::outcomes;
using interleave::scenario;

namespace {

struct room {
    static constexpr wsolo::detail::reply_bounds most{100, 1000};
    wsolo::detail::unsent_replies<interleave::traits> replies;
    bool rests = false;  // the pool's thread
    bool roused = false; // the loop's

    /// The pool's thread: answers with so many bytes, and may find that it has to rest.
    void answer(std::size_t bytes) {
        replies.add(bytes);
        rests = replies.is_full(room::most);
    }
    /// What the loop's next turn does, with a transport that takes everything: it comes, because an answer asks for it.
    void turn() {
        if (replies.wants_mark(room::most)) {
            replies.begin_mark();
            replies.pass_mark(room::most);
        }
        roused = replies.take_room() || roused;
    }
};

void beside_a_mark(scenario& stage, outcomes& seen) {
    auto& m = stage.make<room>("room");
    m.replies.add(60);
    m.replies.begin_mark();
    stage.thread("pool", [&m] { m.answer(50); });
    stage.thread("loop", [&m] {
        m.replies.pass_mark(room::most);
        m.roused = m.replies.take_room();
    });
    stage.finally([&] {
        m.turn();
        check(!m.rests || m.roused, "it rests for ever");
        check(!m.replies.is_full(room::most), "all has left");
        seen.insert(m.rests ? 1 : 0);
    });
}

void beside_an_empty_queue(scenario& stage, outcomes& seen) {
    auto& m = stage.make<room>("room");
    m.replies.add(40); // less than a mark is for
    stage.thread("pool", [&m] { m.answer(70); });
    stage.thread("loop", [&m] {
        m.replies.clear(room::most);
        m.roused = m.replies.take_room();
    });
    stage.finally([&] {
        m.turn();
        check(!m.rests || m.roused, "it rests for ever");
        seen.insert(m.rests ? 1 : 0);
    });
}

} // namespace

TEST_CASE("a handler that finds the replies full is roused when the mark passes", "[replies]") {
    CHECK(holds(beside_a_mark, {0, 1}));
}
TEST_CASE("a handler that finds the replies full is roused when the queue runs empty", "[replies]") {
    CHECK(holds(beside_an_empty_queue, {0, 1}));
}
