// Would catch: memory that the budget does not see (entries, marks, the rest of a block), work done for what is then
// refused, a refusal for want of memory that took something all the same, a policy that one kind of send does not follow
// or that is read beside a write, a control frame that costs the connection, an idle writer that keeps a block.

#include <support/heap.hpp>
#include <support/writer_fixture.hpp>

#include <wsolo/write/init_gate.hpp>

#include <atomic>
#include <thread>

namespace {

constexpr std::size_t small_frame = 4 + 2 + wsolo::frame_overhead; // "1234"
constexpr std::size_t own = small_frame + wsolo::entry_overhead;

std::string four(int i) { return std::to_string(1000 + i); }

/// What a writer may hold from the heap (write/options.hpp).
[[maybe_unused]] long bound_of(const wsolo::writer_options& options) {
    return static_cast<long>(options.limits.max_bytes + options.limits.max_bytes / 4 + 64 * 1024);
}

} // namespace

TEST_CASE("a frame is charged for the entry that it starts, until it leaves however it leaves",
          "[write][options]") {
    writer_fixture<server> f;
    outcome_log log;
    REQUIRE(f.out->send_text("1234") == errc::none);
    CHECK(f.out->queued_bytes() == own); // the first plain frame
    REQUIRE(f.out->send_text("1234") == errc::none);
    CHECK(f.out->queued_bytes() == own + small_frame); // in the same entry
    REQUIRE(f.out->send_text("1234", log.next()) == errc::none);
    CHECK(f.out->queued_bytes() == 2 * own + small_frame);
    REQUIRE(f.out->send_text("1234") == errc::none); // after an item: an entry of its own
    CHECK(f.out->queued_bytes() == 3 * own + small_frame);
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("1234")) == errc::none);
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("5678")) == errc::none);
    CHECK(f.out->queued_bytes() == 4 * own + small_frame); // the other was conflated
    REQUIRE(f.out->send_binary(wsolo::bytes_of(std::string(5000, 'x'))) == errc::none);
    CHECK(f.out->queued_bytes() ==
          4 * own + small_frame + 5004 + wsolo::frame_overhead + wsolo::entry_overhead);
    f.wire.then({io_status::would_block, 5 * 6 + 5003, 0});
    REQUIRE(f.out->pump().status == pump_status::blocked);
    // All but a byte of it was taken, but its memory goes as a whole.
    CHECK(f.out->queued_bytes() == 5004 + wsolo::frame_overhead + wsolo::entry_overhead);
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(f.out->queued_bytes() == 0);
    REQUIRE(f.out->send_text("1234", log.next()) == errc::none);
    f.out->abort();
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(f.out->queued_bytes() == 0);
}

TEST_CASE("for every policy, whatever kinds alternate, the heap stays below the bound", "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    const std::string large(3000, 'l'), middle(1500, 'm');
    const auto shared = *wsolo::make_shared_frame(wsolo::opcode::binary, wsolo::bytes_of(middle));
    const wsolo::on_outcome ignore{[](void*, errc) noexcept {}, nullptr};
    std::uint64_t key = 0;
    using fixture = writer_fixture<server>;
    const std::vector<std::function<errc(fixture&)>> kinds{
        [](fixture& f) { return f.out->send_text("x"); },
        [&](fixture& f) { return f.out->send_text("y", ignore); },
        [&](fixture& f) { return f.out->send_binary(wsolo::bytes_of(middle)); },
        [&](fixture& f) { return f.out->send_binary(wsolo::bytes_of(large)); },
        [&](fixture& f) { return f.out->send(shared); },
        [&](fixture& f) { return f.out->send_keyed(++key, wsolo::opcode::text, wsolo::bytes_of("k")); },
        [&](fixture& f) { return f.out->flush(ignore); },
        [](fixture& f) { return f.out->send(f.pong("p")); },
        [](fixture& f) { return f.out->send_ping(wsolo::bytes_of("q")); },
        [&](fixture& f) {
            return f.out->send(
                *wsolo::make_frame<wsolo::role::server>(wsolo::opcode::binary, wsolo::bytes_of(middle)));
        },
        [](fixture& f) { return f.out->send_text({}); },
    };
    for (const auto policy :
         {wsolo::overflow::reject, wsolo::overflow::drop_oldest, wsolo::overflow::disconnect}) {
        for (const std::size_t budget : {std::size_t{20'000}, std::size_t{400'000}}) {
            for (std::size_t one = 0; one != kinds.size(); ++one) {
                for (std::size_t other = 0; other != kinds.size(); ++other) {
                    for (const bool in_message : {false, true}) {
                        if (in_message && budget > 100'000) continue;
                        wsolo::writer_options options;
                        options.limits.max_bytes = budget;
                        options.limits.when_full = policy;
                        fixture f(options);
                        if (budget > 100'000) { // its next first block is the largest one that there is
                            for (int i = 0; i < 40; ++i) REQUIRE(kinds[2](f) == errc::none);
                            REQUIRE(f.pump_all() == pump_status::idle);
                        }
                        f.wire.rule(
                            [] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
                        const long before = support::heap_now().bytes;
                        std::optional<wsolo::fragmented_message<fixture::writer_type>> message;
                        if (in_message) message.emplace(f.out->begin_message(wsolo::opcode::binary));
                        long most = 0;
                        int refused = 0;
                        for (int i = 0; i < 30'000 && refused < 4; ++i) {
                            const errc sent = kinds[i % 2 == 0 ? one : other](f);
                            refused = sent == errc::none ? 0 : refused + 1;
                            most = std::max(most, support::heap_now().bytes - before);
                            if (i > 1'000 && policy != wsolo::overflow::reject) break;
                        }
                        INFO("policy " << static_cast<int>(policy) << ", budget " << budget << ", kinds "
                                       << one << " and " << other << ", in a message: " << in_message);
                        REQUIRE(most <= bound_of(options));
                    }
                }
            }
        }
    }
}

TEST_CASE("a large frame of which only a byte is left still counts as a whole", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 400'000;
    writer_fixture<server> f(options);
    const std::string large(390'000, 'l');
    f.wire.then({io_status::ok, 256 * 1024, 0})
        .then({io_status::would_block, large.size() - 256 * 1024 + 9, 0});
    REQUIRE(f.out->send_binary(wsolo::bytes_of(large)) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(f.out->send_binary(wsolo::bytes_of(large)) == errc::queue_full);
    CHECK(f.out->queued_bytes() == large.size() + 10 + wsolo::frame_overhead + wsolo::entry_overhead);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.out->queued_bytes() == 0);
}

TEST_CASE("a frame made in place brings no hidden memory along", "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    wsolo::writer_options options;
    options.limits.max_bytes = 400'000;
    writer_fixture<server> f(options);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    const long before = support::heap_now().bytes;
    for (const std::size_t spare : {std::size_t{20}, std::size_t{100'000}}) {
        for (int i = 0; i < 50; ++i) {
            wsolo::byte_buffer storage;
            REQUIRE(storage.reserve(spare + 5000));
            std::memset(storage.extend(spare + 5000), 'x', spare + 5000);
            auto frame = wsolo::make_frame_in_place<wsolo::role::server>(std::move(storage), spare,
                                                                         wsolo::opcode::binary);
            REQUIRE(frame);
            const errc sent = f.out->send(std::move(*frame));
            CHECK(frame->bytes().empty() ==
                  (sent == errc::none)); // NOLINT(bugprone-use-after-move): what was refused stays
        }
    }
    CHECK(support::heap_now().bytes - before <= bound_of(options));
}

TEST_CASE("a peer that comes and goes does not make the heap grow either", "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    wsolo::writer_options options;
    options.limits.max_bytes = 50'000;
    writer_fixture<server> f(options);
    f.wire.chaotic(7, 900);
    const auto taken_by_wire = [&] { // its record
        return static_cast<long>(f.wire.bytes().capacity() +
                                 2 * f.wire.calls().capacity() * sizeof(f.wire.calls()[0]));
    };
    const wsolo::on_outcome ignore{[](void*, errc) noexcept {}, nullptr};
    const long before = support::heap_now().bytes;
    long most = 0;
    for (int i = 0; i < 20'000; ++i) {
        static_cast<void>(f.out->send_text(std::string(static_cast<std::size_t>(i % 300), 'x')));
        static_cast<void>(f.out->send_text("y", i % 3 == 0 ? ignore : wsolo::on_outcome{}));
        if (i % 7 == 0) static_cast<void>(f.out->send_binary(wsolo::bytes_of(std::string(2500, 'z'))));
        if (i % 5 == 0) static_cast<void>(f.out->pump());
        most = std::max(most, support::heap_now().bytes - before - taken_by_wire());
    }
    CHECK(most <= bound_of(options));
}

TEST_CASE("without memory nothing happened: nothing gave way, nothing was charged", "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    const auto frame =
        *wsolo::make_shared_frame(wsolo::opcode::binary, wsolo::bytes_of(std::string(900, 's')));
    const std::string large(5000, 'l');
    using fixture = writer_fixture<server>;
    outcome_log log;
    const std::vector<std::function<errc(fixture&, wsolo::on_outcome)>> kinds{
        [](fixture& f, auto on_done) { return f.out->send_text("small", on_done); },
        [&](fixture& f, auto on_done) { return f.out->send_binary(wsolo::bytes_of(large), on_done); },
        [&](fixture& f, auto on_done) { return f.out->send(frame, on_done); },
        [](fixture& f, auto on_done) {
            return f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("newer"), on_done);
        },
        [](fixture& f, auto on_done) { return f.out->flush(on_done); },
        [](fixture& f, auto on_done) { return f.out->send_ping(wsolo::bytes_of("p"), on_done); },
        [](fixture& f, auto on_done) { return f.out->close(wsolo::close_code::normal, "", 1s, on_done); },
    };
    for (const bool full : {false, true}) {
        for (std::size_t kind = 0; kind != kinds.size(); ++kind) {
            for (long after = 0; after != 3; ++after) {
                wsolo::writer_options options;
                options.limits.max_frames = 2;
                options.limits.when_full = wsolo::overflow::drop_oldest;
                log.told.clear();
                fixture f(options);
                if (full) {
                    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("old"), log.next()) ==
                            errc::none);
                    REQUIRE(f.out->send_text("other", log.next()) == errc::none);
                }
                const std::size_t held = f.out->queued_bytes();
                const std::uint64_t dropped = f.out->report().frames_dropped;
                const wsolo::on_outcome on_done = log.next();
                errc sent = errc::none;
                {
                    const support::no_heap none(after);
                    sent = kinds[kind](f, on_done);
                }
                INFO("kind " << kind << ", full " << full << ", after " << after);
                REQUIRE((sent == errc::none || sent == errc::out_of_memory));
                if (after == 0 && !full) CHECK(sent == errc::out_of_memory);
                if (sent == errc::none) continue;
                CHECK(f.out->queued_bytes() == held);
                CHECK(f.out->report().frames_dropped == dropped);
                CHECK(log.told.empty());
                CHECK(f.scheduled == (full ? 1 : 0));
                CHECK(kinds[kind](f, on_done) == errc::none); // with memory it works
            }
        }
    }
}

TEST_CASE("a flush costs budget: marks are bounded, a full queue can be flushed all the same",
          "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    writer_fixture<server> f(options);
    outcome_log log;
    std::uint64_t sent = 0;
    while (f.out->send_text("1234") == errc::none) ++sent;
    const std::size_t full = f.out->queued_bytes();
    REQUIRE(f.out->flush(log.next()) == errc::none);
    CHECK(f.out->queued_bytes() == full + wsolo::entry_overhead);
    CHECK(f.out->flush(log.next()) == errc::queue_full);
    CHECK(f.out->flush(manual_clock::now() - 1s) == errc::timed_out); // it needs none
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.out->queued_bytes() == 0);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}});
    int marks = 0;
    while (marks < 100 && f.out->flush(log.next()) == errc::none) ++marks;
    CHECK(marks == 1000 / static_cast<int>(wsolo::entry_overhead) + 1);
    CHECK(f.out->report().frames_accepted() == sent); // a mark is no frame
    f.out->abort();
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(f.out->queued_bytes() == 0);
}

TEST_CASE("drop_oldest holds for keyed items too", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_frames = 3;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<server> f(options);
    const auto keyed = [&](std::uint64_t key, std::string_view value) {
        return f.out->send_keyed(key, wsolo::opcode::text, wsolo::bytes_of(value));
    };
    for (int i = 0; i < 3; ++i) REQUIRE(f.out->send_text(four(i)) == errc::none);
    REQUIRE(keyed(1, "a") == errc::none); // the oldest goes
    REQUIRE(keyed(2, "b") == errc::none);
    REQUIRE(keyed(1, "A") == errc::none); // its predecessor goes, and no other item
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{four(2), "b", "A"});
    CHECK(f.out->report().frames_dropped == 3);
    options.limits.max_bytes = 250; // the predecessor is the oldest, and goes with the one after it
    f.make(options);
    REQUIRE(keyed(1, "a") == errc::none);
    REQUIRE(f.out->send_text(std::string(30, 'x')) == errc::none);
    REQUIRE(keyed(1, std::string(80, 'A')) == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1).back() == std::string(80, 'A'));
}

TEST_CASE("a keyed item that has no room costs no memory", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 300;
    writer_fixture<server> f(options);
    const std::string large(100'000, 'x');
    const auto keyed = [&](std::string_view value) {
        return f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of(value));
    };
    REQUIRE(f.out->send_text(std::string(200, 'x')) == errc::none);
    const auto before = support::heap_now();
    CHECK(keyed(large) == errc::too_large);
    CHECK(keyed("small") == errc::queue_full);
    CHECK(support::heap_now() == before);
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    CHECK(keyed("small") == errc::closed);
}

TEST_CASE("a keyed item meets the disconnect policy", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    options.limits.when_full = wsolo::overflow::disconnect;
    writer_fixture<server> f(options);
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("a")) == errc::none);
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("b")) == errc::none);
    CHECK(f.out->send_keyed(2, wsolo::opcode::text, wsolo::bytes_of("c")) == errc::queue_full);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::queue_full);
}

TEST_CASE("a full queue's policy is asked while another thread writes (TSan's)", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_frames = 2;
    writer_fixture<server> f(options);
    // TSan keeps one access of a thread to a place, the strongest: this thread's last must be the read of the policy.
    std::thread([&] { static_cast<void>(f.out->pump()); }).join();
    std::atomic<bool> is_full = false;
    auto pumped = pump_status::blocked;
    std::thread other([&] {
        while (!is_full.load(std::memory_order_relaxed)) {} // orders nothing
        pumped = f.out->pump().status;
    });
    REQUIRE(f.out->send_text("1") == errc::none);
    REQUIRE(f.out->send_text("2") == errc::none);
    const errc third = f.out->send_text("3");
    is_full.store(true, std::memory_order_relaxed);
    other.join();
    CHECK(third == errc::queue_full);
    CHECK(pumped == pump_status::idle);
}

TEST_CASE("a PING or a mark without room does not cost the connection", "[write][options]") {
    wsolo::writer_options options;
    options.limits.control_reserve = 1;
    options.limits.max_bytes = own + wsolo::entry_overhead - 1;
    options.limits.when_full = wsolo::overflow::disconnect;
    writer_fixture<server> f(options);
    REQUIRE(f.out->send(f.ping("1")) == errc::none);
    CHECK(f.out->send(f.ping("2")) == errc::queue_full);
    outcome_log log;
    CHECK(f.out->send_ping({}, log.next()) == errc::queue_full);
    log.told.clear();
    REQUIRE(f.out->send_text("1234") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    CHECK(f.out->flush(log.next()) == errc::queue_full);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.out->send_text("alive") == errc::none);
}

TEST_CASE("an idle writer owns no heap block, whatever it did before", "[write][options]") {
    writer_fixture<server> f;
    REQUIRE(f.out->send_text(std::string(1000, 'x')) == errc::none); // the wire's record takes memory too
    REQUIRE(f.pump_all() == pump_status::idle);
    f.wire.rule([] { return wsolo::testing::scripted_step{}; });
    const auto held = [] { return support::heap_now().held; };
    const long before = held();
    for (int i = 0; i < 300; ++i) REQUIRE(f.out->send_text(std::string(300, 'x')) == errc::none);
    REQUIRE(f.out->send_binary(wsolo::bytes_of(std::string(50'000, 'x'))) == errc::none);
    REQUIRE(f.out->send(f.pong("p")) == errc::none);
    if (WSOLO_TEST_COUNTS_HEAP) CHECK(held() > before);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(held() <= before); // the wire's own record may have moved
}

namespace {

/// Takes everything but the last byte, so that the writer is never idle; nothing while it `stands`. It records nothing.
struct leaves_a_byte {
    const bool* stands;
    [[nodiscard]] wsolo::io_result write(std::span<const wsolo::const_bytes> parts,
                                         wsolo::time_point) const noexcept {
        std::size_t offered = 0;
        for (const wsolo::const_bytes part : parts) offered += part.size();
        return {io_status::would_block, *stands ? 0 : offered - 1, 0};
    }
    void finish(wsolo::end_of_write) const noexcept {}
};
struct no_hook {
    void operator()() const noexcept {}
};

struct busy_writer {
    explicit busy_writer(std::size_t max_bytes) : out(leaves_a_byte{&stands}, no_hook{}, bounds(max_bytes)) {}
    static wsolo::writer_options bounds(std::size_t max_bytes) {
        wsolo::writer_options options;
        options.limits.max_bytes = max_bytes;
        return options;
    }
    /// Until a byte is left of what is queued, or of the last frame.
    void write_most() {
        do {
            REQUIRE(out.pump().status == pump_status::blocked);
        } while (out.queued_frames() > 1);
    }

    bool stands = false;
    wsolo::single_writer<leaves_a_byte, no_hook> out;
};

} // namespace

TEST_CASE("a busy writer takes no memory for frames like those that left", "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    const std::string small(300, 's'), large(3000, 'l');
    busy_writer busy(2'000'000);
    const auto burst = [&] {
        int refused = 0;
        for (int i = 0; i != 60; ++i)
            for (const std::string& payload : {std::cref(small), std::cref(large)})
                refused += busy.out.send_text(payload) != errc::none;
        busy.write_most();
        return refused;
    };
    REQUIRE(burst() == 0);
    REQUIRE(burst() == 0); // blocks grow at first
    REQUIRE(burst() == 0);
    const long before = support::heap_now().taken;
    const int refused = burst();
    const long taken = support::heap_now().taken - before;
    CHECK(refused == 0);
    CHECK(taken == 0);
}

TEST_CASE("what a busy writer keeps and what it queues stay within the budget together", "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    const std::string small(300, 's'), large(5000, 'l'), larger(9000, 'L');
    constexpr std::size_t budget = 4'000'000;
    busy_writer busy(budget);
    const long before = support::heap_now().bytes;
    long most = 0;
    for (const std::string& payload :
         {std::cref(small), std::cref(large), std::cref(larger), std::cref(small)}) {
        busy.stands = true;
        while (busy.out.send_text(payload) == errc::none) {
            most = std::max(most, support::heap_now().bytes - before);
            REQUIRE(busy.out.pump().status == pump_status::blocked);
        }
        busy.stands = false;
        busy.write_most();
        CHECK(support::heap_now().bytes - before < static_cast<long>(budget + budget / 20));
    }
    CHECK(most <= bound_of(busy_writer::bounds(budget)));
}

TEST_CASE("a value's key is not taken for the size of its memory", "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    const std::string large(3000, 'l');
    busy_writer busy(400'000);
    REQUIRE(busy.out.send_text("stays") == errc::none);
    REQUIRE(busy.out.send_keyed(3004, wsolo::opcode::text, wsolo::bytes_of("k")) == errc::none);
    REQUIRE(busy.out.send_text("after it") == errc::none);
    REQUIRE(busy.out.pump().status == pump_status::blocked);
    const long before = support::heap_now().taken;
    const errc sent = busy.out.send_text(large);
    const long taken = support::heap_now().taken - before;
    CHECK(sent == errc::none);
    CHECK(taken == 1);
}

TEST_CASE("drop_oldest bounds the heap of a peer that has stopped, however much gives way",
          "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    wsolo::writer_options options;
    options.limits.max_bytes = 20'000;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<server> f(options);
    f.wire.then({io_status::would_block, 1, 0});
    REQUIRE(f.out->send_text("begun") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    const long before = support::heap_now().bytes;
    for (int i = 0; i < 50'000; ++i) REQUIRE(f.out->send_text(four(i % 1000)) == errc::none);
    CHECK(support::heap_now().bytes - before <= bound_of(options));
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1).size() + f.out->report().frames_dropped == 50'001);
    CHECK(f.payloads(1).back() == four(999));
    CHECK(f.out->queued_bytes() == 0);
}

TEST_CASE("a fall to the low mark is told though the rest of the write blocks", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    writer_fixture<server> f(options);
    f.wire.then({io_status::would_block, 0, 0})
        .then({io_status::would_block, 600, 0})
        .then({io_status::would_block, 0, 0});
    while (f.out->send_text(std::string(82, 'x')) == errc::none) {}
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(f.told.high == 1);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(f.told.low == 1);
}

TEST_CASE("what waits after the next write can still be replaced", "[write][options]") {
    writer_fixture<server> f;
    f.wire.then({io_status::would_block, 0, 0}).then({io_status::would_block, 10, 0});
    const auto keyed = [&](std::uint64_t key) {
        return f.out->send_keyed(key, wsolo::opcode::text, wsolo::bytes_of("value"));
    };
    for (std::uint64_t key = 0; key < 100; ++key) REQUIRE(keyed(key) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(f.wire.calls().back().parts == 64);
    REQUIRE(keyed(99) == errc::none);
    CHECK(f.out->report().frames_dropped == 1);
    REQUIRE(f.out->pump().status == pump_status::blocked); // a frame and a half
    REQUIRE(keyed(98) == errc::none);
    CHECK(f.out->report().frames_dropped == 2);
    REQUIRE(keyed(1) == errc::none); // begun
    CHECK(f.out->report().frames_dropped == 2);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1).size() == 101);
}

TEST_CASE("an idle writer owns no queue: after a gate without sends, and after a send that found no memory",
          "[write][options]") {
    using gated = wsolo::single_writer<wsolo::testing::scripted_transport, void (*)(), server,
                                       wsolo::no_observer, manual_traits>;
    wsolo::testing::scripted_wire wire;
    gated out(wsolo::born_gated, wsolo::testing::scripted_transport(wire), +[] {});
    const long before = support::heap_now().held;
    {
        wsolo::init_gate gate(out);
        REQUIRE(gate.set_deadline(manual_clock::now() + 5s) == errc::none);
        gate.open();
    }
    CHECK(support::heap_now().held == before);
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    // A small first frame lies beside the queue: one block. A large one owns its memory: two.
    for (const auto& [size, blocks] : {std::pair{13, 1}, std::pair{1500, 1}, std::pair{3000, 2}}) {
        const std::string text(static_cast<std::size_t>(size), 'x');
        for (int found = 0; found <= blocks; ++found) {
            errc how = errc::none;
            const long held = support::heap_now().held;
            {
                const support::no_heap none(found);
                how = out.send_text(text);
            }
            const long then = support::heap_now().held;
            CHECK(how == (found == blocks ? errc::none : errc::out_of_memory));
            if (found != blocks) CHECK(then == held);
        }
        CHECK(out.pump().status == pump_status::idle);
    }
}

TEST_CASE("an idle writer takes no room for small frames where the first frame owns its memory",
          "[write][options]") {
    if (!WSOLO_TEST_COUNTS_HEAP) return;
    writer_fixture<server> f;
    const auto shared =
        wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(std::string(3000, 'x')));
    REQUIRE(shared);
    const std::string large(5000, 'x');
    const auto held_by = [&](auto send) {
        const long before = support::heap_now().bytes;
        const errc error = send();
        const long held = support::heap_now().bytes - before;
        REQUIRE(error == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        return held;
    };
    CHECK(held_by([&] { return f.out->send(*shared); }) < 600);
    CHECK(held_by([&] { return f.out->send_text(large); }) < 600 + 5000);
    // Nor does the next small frame take as much as a large one did.
    CHECK(held_by([&] { return f.out->send_text(std::string(40'000, 'x')); }) < 600 + 41'000);
    CHECK(held_by([&] { return f.out->send_text("small"); }) < 1100);
    // A small one after it has a block all the same.
    REQUIRE(f.out->send(*shared) == errc::none);
    REQUIRE(f.out->send_text("small") == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.wire.bytes().ends_with("small"));
}
