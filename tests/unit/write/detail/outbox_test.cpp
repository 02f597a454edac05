// Would catch, one step at a time: a push that takes the turn twice or not at all, a release that loses what was pushed
// meanwhile, a seal that lets something follow, a refusal that changed something, accounts that do not add up.

#include <support/catch.hpp>
#include <support/heap.hpp>

#include <wsolo/write/detail/outbox.hpp>

#include <cstring>

using wsolo::errc;
using wsolo::turn_state;
using wsolo::detail::batch;
using wsolo::detail::entry;
using wsolo::detail::errands;
using wsolo::detail::lane_id;
using wsolo::detail::next_step;
using wsolo::detail::room_state;
using wsolo::detail::taken;
using wsolo::detail::wake;

namespace {

constexpr std::size_t overhead = wsolo::frame_overhead + wsolo::entry_overhead;

/// An outbox, and the thread that runs.
struct fixture {
    using outbox = wsolo::detail::outbox<wsolo::std_traits>;

    explicit fixture(const wsolo::writer_limits& limits = {}, turn_state first = turn_state::free)
        : box(wsolo::writer_options{.limits = limits}, first) {}

    /// A frame of `size` bytes, up to 127.
    wsolo::detail::push_result push(lane_id to = lane_id::data, std::size_t size = 10,
                                    wsolo::detail::room_waiter* waiter = nullptr) {
        return push({.size = size, .to = to, .waiter = waiter});
    }
    wsolo::detail::push_result close(wsolo::time_point drain) {
        const wsolo::detail::closing how{wsolo::close_code::normal, drain};
        return push({.size = 4, .close = &how});
    }
    wsolo::detail::push_result push(const wsolo::detail::offer& what) {
        errands todo;
        entry* none = nullptr;
        const auto encode = [](wsolo::mutable_bytes at) {
            std::memset(at.data(), 0, at.size());
            at[1] = static_cast<std::byte>(at.size() - 2);
        };
        const auto pushed = box.push(what, none, encode, [](entry*) -> entry* { return nullptr; }, todo);
        todo.run();
        return pushed;
    }

    /// Queues a plain data frame as a send does. Whether it took the straight path.
    bool follow(std::size_t size, const wsolo::on_outcome& done = {}, errc expected = errc::none) {
        const auto encode = [](wsolo::mutable_bytes at) { std::memset(at.data(), 0, at.size()); };
        const auto make = [&](entry* kept) { return entry::make_own(size, done, kept); };
        owed = wake::nothing;
        wsolo::detail::queue* work = nullptr;
        if (box.try_follow_or_stay_locked(size, done, encode, owed, work)) return true;
        errands todo;
        entry* owned = nullptr;
        CHECK(box.push_locked({.size = size, .done = done}, owned, encode, make, todo, work).error ==
              expected);
        entry::destroy(owned);
        todo.run();
        return false;
    }

    bool begin() { return box.begin(instead); }
    /// Takes the turn: whether all that is queued is one entry, which is then in `all`.
    bool begin_sole(std::size_t most = 1000) {
        all = {.most = most};
        REQUIRE(box.begin(instead, all));
        return !all.bytes.empty();
    }
    /// The transport took all of it.
    bool settle_sole() {
        wsolo::detail::queue* idle = nullptr;
        const bool is_idle = box.settle_sole(all.bytes.size(), idle);
        wsolo::detail::queue::destroy(idle);
        return is_idle;
    }
    /// The same, told to the long way.
    [[nodiscard]] taken took_all() {
        plan.clear();
        plan.add(lane_id::data, all.bytes, all.frames, all.is_one);
        return write_all();
    }
    next_step step(const taken& done = {}, bool is_blocked = false) {
        errands todo;
        now = {};
        now.done = done;
        now.is_blocked = is_blocked;
        const next_step next = box.next(now, plan, todo);
        wsolo::detail::queue::destroy(std::exchange(now.idle, nullptr));
        todo.run();
        return next;
    }
    /// Plays the transport: takes everything that was planned.
    [[nodiscard]] taken write_all() const { return take(plan.bytes()); }
    [[nodiscard]] taken take(std::size_t bytes) const {
        taken done;
        plan.take(bytes, done);
        return done;
    }

    outbox box;
    wake owed = wake::nothing; ///< by what followed
    wsolo::pump_result instead;
    wsolo::detail::round now;
    batch plan{wsolo::writer_options{}.max_gather};
    wsolo::detail::sole_write all;
};

struct sleeper : wsolo::detail::room_waiter {
    sleeper() noexcept {
        wake = [](room_waiter& self) noexcept { ++static_cast<sleeper&>(self).woken; };
    }
    int woken = 0;
};

} // namespace

TEST_CASE("the first push takes the turn, and only the first", "[write][outbox]") {
    fixture f;
    CHECK_FALSE(f.begin());
    CHECK(f.push().owed == wake::hook);
    CHECK(f.box.state() == turn_state::scheduled);
    CHECK(f.push().owed == wake::nothing);
    REQUIRE(f.begin());
    CHECK_FALSE(f.begin()); // one owner
    CHECK(f.instead.status == wsolo::pump_status::busy);
    CHECK(f.push().owed == wake::nothing);
    CHECK(f.step() == next_step::write);
    const taken done = f.write_all();
    CHECK(done[lane_id::data].frames == 3);
    CHECK(f.push().owed == wake::nothing); // after the write, before the release
    CHECK(f.step(done) == next_step::write);
    CHECK(f.step(f.write_all()) == next_step::released);
    CHECK(f.push().owed == wake::hook);
    CHECK(f.box.report().frames_written == 4);
}

TEST_CASE("a frame takes the straight path where nothing has to be decided, and nowhere else",
          "[write][outbox]") {
    const wsolo::on_outcome asked{[](void*, errc) noexcept {}, nullptr};
    { // in the entry of the frame before it, up to the size that may be copied under the lock
        fixture f;
        CHECK(f.follow(10)); // the first of an idle writer
        CHECK(f.owed == wake::hook);
        CHECK(f.follow(10));
        CHECK(f.owed == wake::nothing);
        CHECK_FALSE(f.follow(10, asked));
        CHECK_FALSE(f.follow(10)); // an entry that has an outcome is one frame's
        CHECK(f.follow(10));
        const std::size_t limit = wsolo::detail::accounts(wsolo::writer_options{}).inline_limit();
        CHECK_FALSE(f.follow(limit)); // the next block
        CHECK(f.follow(10));
        REQUIRE(f.begin());
        CHECK(f.step() == next_step::write);
        CHECK(f.follow(10)); // also while a write names it
        CHECK(f.box.queued_frames() == 8);
        CHECK_FALSE(f.follow(limit + 1)); // after what the transport reads
        const std::size_t overheads = 9 * wsolo::frame_overhead + 5 * wsolo::entry_overhead;
        CHECK(f.box.queued_bytes() == 7 * 10 + limit + limit + 1 + overheads);
    }
    { // no frame above the size that may be copied, though the block has room for it
        fixture f;
        const std::size_t limit = wsolo::detail::accounts(wsolo::writer_options{}).inline_limit();
        CHECK(f.follow(limit));
        for (int i = 0; i != 2; ++i) CHECK_FALSE(f.follow(limit)); // the greater blocks
        CHECK(f.follow(limit));
        CHECK_FALSE(f.follow(limit + 1));
    }
    { // within the budget
        wsolo::writer_limits limits;
        limits.max_bytes = 1000;
        fixture f(limits);
        CHECK_FALSE(f.follow(513)); // 512 may lie in a block of so small a budget
        CHECK(f.begin());
        CHECK(f.step() == next_step::write);
        CHECK(f.step(f.write_all()) == next_step::released);
        CHECK(f.follow(10));
        while (f.box.queued_bytes() + 10 + wsolo::frame_overhead <= 1000) CHECK(f.follow(10));
        CHECK_FALSE(f.follow(10, {}, errc::queue_full));
    }
    { // it has the observer told of a climb
        wsolo::writer_limits limits;
        limits.max_bytes = 1000;
        limits.high_water = 50;
        fixture f(limits);
        CHECK(f.follow(10));
        REQUIRE(f.begin());
        REQUIRE(f.step() == next_step::write);
        REQUIRE(f.step({}, true) == next_step::parked);
        while (f.box.queued_bytes() + 10 + wsolo::frame_overhead < 500) {
            CHECK(f.follow(10));
            CHECK(f.owed == wake::nothing);
        }
        CHECK(f.follow(10));
        CHECK(f.owed == wake::hook);
    }
    { // in no other message
        fixture f;
        CHECK(f.follow(10));
        REQUIRE(f.box.open_message() == errc::none);
        CHECK_FALSE(f.follow(10));
        fixture idle;
        REQUIRE(idle.box.open_message() == errc::none);
        CHECK_FALSE(idle.follow(10));
    }
    { // where it may be dropped, it owns its memory
        wsolo::writer_limits limits;
        limits.when_full = wsolo::overflow::drop_oldest;
        fixture f(limits);
        CHECK_FALSE(f.follow(10));
        fixture other(limits);
        REQUIRE(other.push({.size = 10, .part = wsolo::detail::message_part::last}).error == errc::none);
        CHECK_FALSE(other.follow(10));
    }
    { // before no sender that waits
        wsolo::writer_limits limits;
        limits.max_bytes = 1000;
        fixture f(limits);
        sleeper large;
        CHECK(f.follow(100));
        REQUIRE(f.push(lane_id::data, 800, &large).error == errc::queue_full);
        CHECK_FALSE(f.follow(10, {}, errc::queue_full));
        errands todo;
        wsolo::detail::queue* idle = nullptr;
        CHECK(f.box.withdraw(large, todo, idle));
        CHECK(f.follow(10));
    }
    { // after no Close
        fixture f;
        CHECK(f.follow(10));
        REQUIRE(f.close(wsolo::no_deadline).error == errc::none);
        CHECK_FALSE(f.follow(10, {}, errc::closed));
    }
    { // nor is it accepted where no memory could hold what the budget never has
        wsolo::writer_limits limits;
        limits.max_bytes = 90;
        fixture f(limits);
        CHECK_FALSE(f.follow(10, {}, errc::too_large));
    }
    { // with an outcome, too
        fixture f;
        CHECK(f.follow(10, asked));
        CHECK_FALSE(f.follow(10));
        CHECK(f.box.queued_frames() == 2);
    }
}

TEST_CASE("what is queued is written as one where it is one entry, and nothing has to be decided",
          "[write][outbox]") {
    const wsolo::on_outcome asked{[](void*, errc) noexcept {}, nullptr};
    { // frames back to back, and one that owns its memory
        fixture f;
        for (int i = 0; i != 3; ++i) CHECK(f.follow(10));
        REQUIRE(f.begin_sole());
        CHECK(f.all.bytes.size() == 30);
        CHECK(f.all.frames == 3);
        CHECK_FALSE(f.all.is_one);
        CHECK(f.settle_sole());
        CHECK(f.box.state() == turn_state::free);
        CHECK(f.box.queued_frames() == 0);
        CHECK(f.box.report().frames_written == 3);
        CHECK(f.box.report().bytes_written == 30);
        CHECK_FALSE(f.follow(2500));
        REQUIRE(f.begin_sole(2500));
        CHECK(f.all.is_one);
        CHECK(f.settle_sole());
        CHECK(f.box.report().bytes_written == 2530);
    }
    { // up to what one write offers; after that the long way
        fixture f;
        CHECK_FALSE(f.follow(2500));
        CHECK_FALSE(f.begin_sole(2499));
        CHECK(f.step() == next_step::write);
        CHECK(f.step(f.write_all()) == next_step::released);
    }
    const auto is_sole = [](auto prepare, const wsolo::writer_limits& limits = {}) {
        fixture f(limits);
        CHECK(f.follow(10));
        prepare(f);
        return f.begin_sole();
    };
    CHECK(is_sole([](fixture&) {}));
    CHECK_FALSE(is_sole([](fixture& f) { CHECK(f.push(lane_id::pong, 6).error == errc::none); }));
    CHECK_FALSE(is_sole([](fixture& f) { CHECK(f.push(lane_id::ping, 6).error == errc::none); }));
    CHECK_FALSE(is_sole([](fixture& f) { CHECK(f.push(lane_id::greeting, 6).error == errc::none); }));
    CHECK_FALSE(is_sole([&](fixture& f) { CHECK_FALSE(f.follow(10, asked)); }));
    CHECK_FALSE(is_sole([](fixture& f) { CHECK(f.close(wsolo::no_deadline).error == errc::none); }));
    CHECK_FALSE(
        is_sole([](fixture& f) { CHECK(f.box.abort(errc::aborted, wsolo::no_deadline) == wake::nothing); }));
    CHECK_FALSE(is_sole([](fixture& f) { // data that waits for the open message
        CHECK(f.box.open_message() == errc::none);
        CHECK_FALSE(f.follow(10));
    }));
    CHECK_FALSE(is_sole([](fixture& f) { // the rest of a frame that was begun
        CHECK(f.begin());
        CHECK(f.step() == next_step::write);
        CHECK(f.step(f.take(3), true) == next_step::parked);
    }));
    CHECK_FALSE(is_sole([](fixture& f) { // some of its frames were written
        CHECK(f.follow(127));
        CHECK(f.begin());
        CHECK(f.step() == next_step::write);
        taken first;
        first[lane_id::data] = {10, 1};
        CHECK(f.step(first, true) == next_step::parked);
    }));
    wsolo::writer_limits small;
    small.max_bytes = 1000;
    small.high_water = 15;
    CHECK_FALSE(is_sole([](fixture& f) { CHECK(f.follow(100)); }, small)); // an observer is to be told
    sleeper large;
    CHECK_FALSE(is_sole(
        [&](fixture& f) { CHECK(f.push(lane_id::data, 900, &large).error == errc::queue_full); }, small));
    { // nothing but data that waits for the open message
        fixture f;
        CHECK(f.box.open_message() == errc::none);
        CHECK_FALSE(f.follow(10));
        CHECK_FALSE(f.begin_sole());
    }
    { // an outcome is to be told
        fixture f;
        CHECK(f.follow(10, asked));
        CHECK_FALSE(f.begin_sole());
    }
}

TEST_CASE("what came during a write of all that was queued is not lost", "[write][outbox]") {
    const auto goes_on = [](auto come, std::uint64_t frames, std::size_t size = 10) {
        fixture f;
        static_cast<void>(f.follow(size));
        REQUIRE(f.begin_sole(5000));
        come(f);
        CHECK_FALSE(f.settle_sole()); // and nothing is settled yet
        CHECK(f.box.state() == turn_state::running);
        CHECK(f.box.report().frames_written == 0);
        next_step next = f.step(f.took_all());
        while (next == next_step::write) next = f.step(f.write_all());
        CHECK(f.box.report().frames_written == frames);
        return next;
    };
    CHECK(goes_on([](fixture& f) { CHECK(f.follow(10)); }, 2) == next_step::released); // in the same entry
    CHECK(goes_on([](fixture& f) { CHECK_FALSE(f.follow(3000)); }, 2) == next_step::released);
    CHECK(goes_on([](fixture& f) { CHECK_FALSE(f.follow(10)); }, 2, 3000) == next_step::released);
    CHECK(goes_on([](fixture& f) { CHECK(f.push(lane_id::pong, 6).error == errc::none); }, 2) ==
          next_step::released);
    CHECK(goes_on([](fixture& f) { CHECK(f.close(wsolo::no_deadline).error == errc::none); }, 2) ==
          next_step::drained);
    CHECK(goes_on([](fixture& f) { CHECK(f.box.abort(errc::aborted, wsolo::no_deadline) == wake::nothing); },
                  1) == next_step::aborted);
    { // what a write names is neither dropped nor replaced
        wsolo::writer_limits limits;
        limits.max_bytes = 1500;
        limits.when_full = wsolo::overflow::drop_oldest;
        fixture f(limits);
        CHECK_FALSE(f.follow(700));
        REQUIRE(f.begin_sole());
        CHECK(f.push({.size = 700, .may_displace = true}).error == errc::queue_full);
        CHECK(f.settle_sole());
    }
}

TEST_CASE("small frames leave in one piece where as much was written before the writer was idle",
          "[write][outbox]") {
    const auto burst = [](fixture& f, int frames, std::size_t size) { // whether it was one piece
        for (int i = 0; i != frames; ++i) static_cast<void>(f.follow(size));
        if (f.begin_sole(1'000'000)) {
            CHECK(f.all.bytes.size() == static_cast<std::size_t>(frames) * size);
            CHECK(f.settle_sole());
            return true;
        }
        while (f.step() == next_step::write) {
            if (f.step(f.write_all()) == next_step::released) return false;
        }
        FAIL("it does not end");
        return false;
    };
    fixture f;
    CHECK_FALSE(burst(f, 16, 1000));
    for (int i = 0; i != 3; ++i) CHECK(burst(f, 16, 1000)); // once it is known
    CHECK(burst(f, 1, 10));
    CHECK_FALSE(burst(f, 16, 1000)); // the last burst counts
    CHECK_FALSE(burst(f, 200, 1000));
    CHECK_FALSE(burst(f, 60, 1000));
    CHECK_FALSE(burst(f, 32, 1000)); // 31 KiB at most
    for (int i = 0; i != 2; ++i) CHECK_FALSE(burst(f, 60, 1000));
    CHECK(burst(f, 31, 1000));
    wsolo::writer_limits limits;
    limits.max_bytes = std::size_t{64} * 1024;
    fixture small(limits);
    for (int i = 0; i != 3; ++i) CHECK_FALSE(burst(small, 16, 500)); // a sixteenth of the budget at most
    CHECK(burst(small, 8, 500));
    CHECK(burst(small, 8, 500));
}

TEST_CASE("a burst is remembered however it was written", "[write][outbox]") {
    const auto in_parts = [](fixture& f, std::size_t part) { // next() settles each
        REQUIRE(f.begin());
        while (f.step() == next_step::write) {
            for (std::size_t left = f.plan.bytes(); left > part; left -= part) {
                REQUIRE(f.step(f.take(part)) == next_step::write);
            }
            if (f.step(f.write_all()) == next_step::released) return;
        }
        FAIL("it does not end");
    };
    fixture f;
    for (int i = 0; i != 20; ++i) static_cast<void>(f.follow(120));
    in_parts(f, 1000);
    for (int round = 0; round != 2; ++round) { // the first one leaves in several writes, the second one too
        for (int i = 0; i != 20; ++i) CHECK(f.follow(120));
        in_parts(f, 1000);
    }
    for (int i = 0; i != 20; ++i) CHECK(f.follow(120));
    REQUIRE(f.begin_sole(1'000'000));
    CHECK(f.all.bytes.size() == 20 * 120);
    CHECK(f.settle_sole());
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    fixture pongs;
    for (int i = 0; i != 30; ++i) CHECK(pongs.push(lane_id::pong, 120).error == errc::none);
    in_parts(pongs, 1000);
    const long before = support::heap_now().bytes;
    CHECK(pongs.follow(120));
    CHECK(support::heap_now().bytes - before < 1100);
}

TEST_CASE("a burst is as large as its small data, whatever came beside it", "[write][outbox]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    fixture f;
    for (int period = 0; period != 10; ++period) {
        REQUIRE(f.push(lane_id::pong, 120).error == errc::none); // it has the queue's own block
        REQUIRE(f.push(lane_id::data, 2).error == errc::none);
        REQUIRE(f.begin());
        REQUIRE(f.step() == next_step::write);
        REQUIRE(f.step(f.write_all()) == next_step::released);
    }
    const long before = support::heap_now().bytes;
    CHECK(f.follow(2));
    CHECK(support::heap_now().bytes - before < 1100);
}

TEST_CASE("a parked turn is taken by pump or recalled by close, never by a push", "[write][outbox]") {
    fixture f;
    REQUIRE(f.push().owed == wake::hook);
    REQUIRE(f.begin());
    REQUIRE(f.step() == next_step::write);
    REQUIRE(f.step({}, true) == next_step::parked);
    CHECK(f.now.deadline == wsolo::no_deadline);
    CHECK(f.push().owed == wake::nothing);
    CHECK(f.box.state() == turn_state::parked);
    const wsolo::time_point drain{std::chrono::seconds(5)};
    CHECK(f.close(drain).owed == wake::hook);
    CHECK(f.push().error == errc::closed);
    REQUIRE(f.begin());
    REQUIRE(f.step() == next_step::write);
    REQUIRE(f.step({}, true) == next_step::parked);
    CHECK(f.now.deadline == drain);
    REQUIRE(f.begin());
    REQUIRE(f.step() == next_step::write);
    CHECK(f.step(f.write_all()) == next_step::drained);
}

TEST_CASE("an abort between write and park is not slept over", "[write][outbox]") {
    fixture f;
    REQUIRE(f.push().owed == wake::hook);
    REQUIRE(f.begin());
    REQUIRE(f.step() == next_step::write);
    CHECK(f.box.abort(errc::aborted, wsolo::no_deadline) == wake::nothing); // the owner is awake
    CHECK(f.step({}, true) == next_step::aborted);
    wsolo::detail::round rest;
    errands todo;
    f.box.finish(rest, {}, todo);
    CHECK_FALSE(f.box.tell_dropped(todo));
    todo.run();
    CHECK(f.box.report().frames_dropped == 1);
    CHECK(f.box.report().reason == errc::aborted);
    CHECK(f.box.state() == turn_state::running); // finished is said last, when the transport has been told
    wsolo::detail::queue::destroy(f.box.retire());
    CHECK(f.box.state() == turn_state::finished);
    CHECK(f.box.abort(errc::aborted, wsolo::no_deadline) == wake::nothing);
    CHECK(f.push().error == errc::closed);
}

TEST_CASE("an abort never extends the bound of a close, nor a close that of an abort", "[write][outbox]") {
    using std::chrono::seconds;
    for (const bool abort_is_earlier : {false, true}) {
        fixture f;
        REQUIRE(f.push().owed == wake::hook);
        REQUIRE(f.begin());
        REQUIRE(f.step() == next_step::write);
        REQUIRE(f.step(f.take(3), true) == next_step::parked); // begun
        const wsolo::time_point early{seconds(1)}, late{seconds(9)};
        REQUIRE(f.close(abort_is_earlier ? late : early).error == errc::none);
        CHECK(f.box.abort(errc::aborted, abort_is_earlier ? early : late) ==
              wake::nothing); // the hook is owed already
        REQUIRE(f.begin());
        REQUIRE(f.step() == next_step::write);
        CHECK(f.now.drain_deadline == early);
        CHECK(f.step({}, true) == next_step::parked);
        CHECK(f.now.deadline == early);
    }
}

TEST_CASE("lanes overtake each other at frame boundaries, PONG before PING before data", "[write][outbox]") {
    fixture f;
    REQUIRE(f.push(lane_id::data, 10).owed == wake::hook);
    REQUIRE(f.push(lane_id::ping, 6).error == errc::none);
    REQUIRE(f.push(lane_id::pong, 4).error == errc::none);
    REQUIRE(f.begin());
    REQUIRE(f.step() == next_step::write);
    REQUIRE(f.plan.parts().size() == 3);
    CHECK(f.plan.parts()[0].size() == 4);
    CHECK(f.plan.parts()[1].size() == 6);
    CHECK(f.plan.parts()[2].size() == 10);
    const taken done = f.take(4 + 3); // inside the PING
    CHECK(done[lane_id::pong].frames == 1);
    CHECK(done[lane_id::ping].frames == 0);
    REQUIRE(f.push(lane_id::pong, 5).error == errc::none);
    REQUIRE(f.step(done) == next_step::write);
    REQUIRE(f.plan.parts().size() == 3);
    CHECK(f.plan.parts()[0].size() == 3); // the PING's rest first
    CHECK(f.plan.parts()[1].size() == 5);
    CHECK(f.box.abort(errc::aborted, wsolo::no_deadline) == wake::nothing);
    REQUIRE(f.step() == next_step::write);
    CHECK(f.plan.bytes() == 3); // what was begun, and no more
}

TEST_CASE("a sender that gives up lets the next one in whose frame fits", "[write][outbox]") {
    wsolo::writer_limits limits;
    limits.max_bytes = 84 + overhead;
    fixture f(limits);
    REQUIRE(f.push(lane_id::data, 30).owed == wake::hook);
    sleeper first, second, third;
    REQUIRE(f.push(lane_id::data, 84, &first).error == errc::queue_full);
    REQUIRE(f.push(lane_id::data, 60, &second).error == errc::queue_full);
    REQUIRE(f.push(lane_id::data, 84, &third).error == errc::queue_full);
    CHECK(f.push(lane_id::data, 2).error == errc::queue_full); // it would fit, but it comes after them
    REQUIRE(f.begin());
    REQUIRE(f.step() == next_step::write);
    REQUIRE(f.step(f.take(29)) == next_step::write); // no room for the first
    const auto withdraw = [&](sleeper& one) {
        errands todo;
        wsolo::detail::queue* unused = nullptr;
        const bool is_withdrawn = f.box.withdraw(one, todo, unused);
        todo.run();
        return is_withdrawn;
    };
    REQUIRE(f.step(f.write_all()) == next_step::tell);
    CHECK(first.woken == 1);
    CHECK(second.woken == 0); // the first has its room
    CHECK_FALSE(withdraw(first));
    CHECK(f.push(lane_id::data, 2).error == errc::queue_full);          // reserved
    CHECK(f.push(lane_id::data, 84, &first).error == errc::none);       // what it was granted
    CHECK(f.push(lane_id::data, 84, &first).error == errc::queue_full); // once
    REQUIRE(withdraw(second));
    REQUIRE(withdraw(third));
    CHECK(first.woken == 1);
    REQUIRE(withdraw(first));
}

TEST_CASE("what a granted sender does not use goes to the next", "[write][outbox]") {
    wsolo::writer_limits limits;
    limits.max_frames = 2;
    fixture f(limits);
    REQUIRE(f.push().owed == wake::hook);
    REQUIRE(f.push().error == errc::none);
    sleeper first, second;
    REQUIRE(f.push(lane_id::data, 84, &first).error == errc::queue_full);
    REQUIRE(f.push(lane_id::data, 84, &second).error == errc::queue_full);
    REQUIRE(f.begin());
    REQUIRE(f.step() == next_step::write);
    REQUIRE(f.step(f.take(10)) == next_step::tell);
    CHECK(first.woken + second.woken == 1);
    REQUIRE(f.step() == next_step::write);
    REQUIRE(f.step(f.write_all()) == next_step::tell);
    CHECK(second.woken == 1); // a frame's room each
    CHECK(f.push(lane_id::data, 10).error == errc::queue_full);
    CHECK(f.push(lane_id::data, 84, &first).error == errc::none);
    CHECK(f.push(lane_id::data, 84, &second).error == errc::none);
}

TEST_CASE("a park does not sleep over a climb to the high mark", "[write][outbox]") {
    wsolo::writer_limits limits;
    limits.max_bytes = 200;
    fixture f(limits);
    REQUIRE(f.push().owed == wake::hook);
    REQUIRE(f.begin());
    REQUIRE(f.step() == next_step::write);
    REQUIRE(f.push(lane_id::data, 50).error == errc::none); // during the write
    REQUIRE(f.step({}, true) == next_step::tell);
    CHECK(f.now.high);
    REQUIRE(f.step({}, true) == next_step::parked);
    CHECK_FALSE(f.now.high);
}

TEST_CASE("frames are counted wherever a write is cut", "[write][outbox]") {
    for (std::size_t cut = 0; cut <= 300; ++cut) {
        fixture f;
        for (std::size_t i = 0; i < 30; ++i) REQUIRE(f.push().error == errc::none);
        REQUIRE(f.begin());
        REQUIRE(f.step() == next_step::write);
        REQUIRE(f.plan.bytes() == 300);
        const taken done = f.take(cut);
        REQUIRE(done[lane_id::data].frames == cut / 10);
        REQUIRE(done[lane_id::data].bytes == cut);
        REQUIRE(done.begun_rest == (cut % 10 == 0 ? 0 : 10 - cut % 10));
        static_cast<void>(f.step(done));
        REQUIRE(f.box.report().frames_written == cut / 10);
        REQUIRE(f.box.queued_frames() == 30 - cut / 10);
        REQUIRE(f.box.queued_bytes() == 300 - cut + (30 - cut / 10) * wsolo::frame_overhead +
                                            (cut == 300 ? 0 : wsolo::entry_overhead));
    }
}

TEST_CASE("a write goes on where the one before it was cut, and the one before that", "[write][outbox]") {
    fixture f;
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(f.push().error == errc::none);
    REQUIRE(f.begin());
    taken done;
    const std::byte* start = nullptr;
    for (std::size_t gone = 0; gone < 30; gone += 5) {
        REQUIRE(f.step(done) == next_step::write);
        REQUIRE(f.plan.bytes() == 30 - gone);
        if (gone == 0) start = f.plan.parts()[0].data();
        REQUIRE(f.plan.parts()[0].data() == start + gone);
        done = f.take(5);
    }
    CHECK(f.step(done) == next_step::released);
}

TEST_CASE("under corks a push owes nothing, and the last cork what was held back", "[write][outbox]") {
    fixture f;
    int corks = 0;
    while (f.box.cork()) ++corks;
    CHECK(corks == 255); // and it stays so, instead of beginning anew
    CHECK_FALSE(f.box.cork());
    CHECK(f.push().owed == wake::nothing);
    for (; corks > 1; --corks) REQUIRE(f.box.uncork() == wake::nothing);
    CHECK(f.box.uncork() == wake::hook);
    CHECK(f.box.state() == turn_state::scheduled);
}

TEST_CASE("while gated nothing is owed but a look at a new deadline", "[write][outbox]") {
    fixture f({}, turn_state::gated);
    CHECK(f.push().owed == wake::nothing);
    const wsolo::time_point drain{std::chrono::seconds(5)};
    CHECK(f.close(drain).owed == wake::look);
    CHECK_FALSE(f.begin());
    CHECK(f.instead.status == wsolo::pump_status::busy);
    CHECK(f.instead.deadline == drain);
    CHECK_FALSE(f.box.expire_gate(drain - std::chrono::nanoseconds(1), wsolo::no_deadline));
    CHECK(f.box.state() == turn_state::gated);
    REQUIRE(f.box.expire_gate(drain, wsolo::no_deadline));
    CHECK(f.box.state() == turn_state::running);
    wsolo::detail::queue* idle = nullptr;
    CHECK(f.box.open_gate(idle) == wake::nothing);
    CHECK(idle == nullptr);
    CHECK(f.step() == next_step::aborted);
    CHECK(f.box.report().reason == errc::drain_timed_out);
}
