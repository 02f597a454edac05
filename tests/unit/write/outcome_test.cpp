// Would catch: an item with two outcomes or none, an outcome told before the bytes were accepted, a flush
// that waits for what came later, a callback under the lock.

#include <support/writer_fixture.hpp>

TEST_CASE("an outcome is told once, when the item's last byte was taken", "[write][outcome]") {
    for (std::size_t cut = 0; cut < 16; ++cut) {
        outcome_log log;
        writer_fixture<server> f;
        f.wire.then({io_status::would_block, cut, 0});
        REQUIRE(f.out->send_text("first!", log.next()) == errc::none); // 8 bytes each
        REQUIRE(f.out->send_text("second", log.next()) == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        INFO("cut at " << cut);
        CHECK(log.told.size() == cut / 8);
        REQUIRE(f.out->pump().status == pump_status::idle);
        CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}, {1, errc::none}});
    }
}

TEST_CASE("a dropped item learns why, a rejected one has learnt it already", "[write][outcome]") {
    wsolo::writer_options options;
    options.limits.max_frames = 2;
    outcome_log log;
    writer_fixture<server> f(options);
    f.wire.then({io_status::failed, 9, 32});
    REQUIRE(f.out->send_text("first!", log.next()) == errc::none);
    REQUIRE(f.out->send_text("second", log.next()) == errc::none);
    CHECK(f.out->send_text("third", log.next()) == errc::queue_full);
    CHECK(f.out->send_text("fourth", log.next()) == errc::queue_full);
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(f.out->send_text("fifth", log.next()) == errc::closed);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}, {1, errc::write_failed}});
}

TEST_CASE("a flush is told when all before it left, and for nothing later", "[write][outcome]") {
    outcome_log log;
    writer_fixture<server> f;
    CHECK(f.out->flush(log.next()) == errc::none); // of an idle writer
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(log.told.size() == 1);
    f.wire.then({io_status::would_block, 6, 0})
        .then({io_status::would_block, 1, 0})
        .then({io_status::would_block, 4, 0});
    REQUIRE(f.out->send_text("12345") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(f.out->send_text("67890") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(log.told.size() == 1);
    REQUIRE(f.out->pump().status == pump_status::blocked); // the first frame's last byte
    CHECK(log.told.size() == 2);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(log.told.size() == 2);
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(log.told.size() == 3);
    CHECK(f.out->report().frames_written == 2); // marks are no frames

    f.wire.then({io_status::failed, 0, 1});
    REQUIRE(f.out->send_text("lost") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::finished);
    REQUIRE(log.told.size() == 4);
    CHECK(log.told.back().second == errc::write_failed);
    CHECK(f.out->flush(log.next()) == errc::closed);
    CHECK(log.told.size() == 4);
}

TEST_CASE("what an outcome tells of is off the books already: its callback has the room",
          "[write][outcome]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    options.limits.when_full = wsolo::overflow::disconnect; // one frame too many would show
    writer_fixture<server> f(options);
    struct chain {
        writer_fixture<server>* f;
        int left = 5;
        std::uint64_t written = 0;
        static void next(void* context, errc outcome) noexcept {
            auto* self = static_cast<chain*>(context);
            self->written = self->f->out->report().frames_written;
            if (outcome == errc::none && --self->left > 0)
                static_cast<void>(self->f->out->send_text("next", {&next, context}));
        }
    } c{&f};
    for (const std::size_t cut : {std::size_t{100}, std::size_t{1}}) {
        c.left = 5;
        f.wire.rule([cut] { return wsolo::testing::scripted_step{io_status::ok, cut, 0}; });
        REQUIRE(f.out->send_text("first", {&chain::next, &c}) == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        CHECK(c.left == 0);
    }
    CHECK(c.written == 10);
}

TEST_CASE("a flush says why what it stands for was not written: the first drop before it",
          "[write][outcome]") {
    const auto told = [](const outcome_log& log, int number) {
        for (const auto& [which, how] : log.told) {
            if (which == number) return how;
        }
        return errc::timed_out;
    };
    for (const bool in_message : {false, true}) {
        wsolo::writer_options options;
        options.limits.max_frames = in_message ? 4 : 2;
        options.limits.when_full = wsolo::overflow::drop_oldest;
        writer_fixture<server> f(options);
        outcome_log log;
        auto message = in_message ? std::optional(f.out->begin_message(wsolo::opcode::text)) : std::nullopt;
        REQUIRE(f.out->flush(log.next()) == errc::none); // 0: nothing before it
        REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("a")) == errc::none);
        REQUIRE(f.out->flush(log.next()) == errc::none); // 1: "a" is conflated
        REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("b")) == errc::none); // and then
        REQUIRE(f.out->send_text("c") == errc::none);
        REQUIRE(f.out->flush(log.next()) == errc::none); // 2: "b" gives way
        REQUIRE(f.out->send_text("d") == errc::none);
        REQUIRE(f.out->flush(log.next()) == errc::none); // 3: all that was queued then is written
        if (message) REQUIRE(message->finish() == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        INFO("in a message: " << in_message);
        CHECK(log.told.size() == 4);
        CHECK(told(log, 0) == errc::none);
        CHECK(told(log, 1) == errc::conflated);
        CHECK(told(log, 2) == errc::dropped_oldest);
        CHECK(told(log, 3) == errc::none);
        REQUIRE(f.out->flush(log.next()) == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        CHECK(told(log, 4) == errc::none);
    }
}

TEST_CASE("a flush whose writer ends remembers the drop before it, not the end", "[write][outcome]") {
    outcome_log log;
    writer_fixture<server> f;
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("a")) == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("b")) == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    f.out->abort(errc::connection_lost);
    REQUIRE(f.pump_all() == pump_status::finished);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::conflated}, {1, errc::connection_lost}});
}
