// Would catch: a ticket that leaks or dangles when it goes first or the item is refused, a wait that misses its
// outcome, a coroutine resumed twice, never, or inside a refused send.

#include <support/writer_fixture.hpp>

#include <wsolo/write/outcome_ticket.hpp>

#include <thread>

namespace {

auto text(auto& writer, std::string_view payload) {
    return [&writer, payload](wsolo::on_outcome told) { return writer.send_text(payload, told); };
}

/// Starts at once, ends by itself.
struct errand {
    struct promise_type {
        errand get_return_object() const noexcept { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const { throw; }
    };
};

errand send_and_note(auto& writer, std::string_view payload, std::vector<errc>& seen) {
    seen.push_back(co_await wsolo::written(text(writer, payload)));
}

} // namespace

TEST_CASE("a ticket knows what became of its item, and of none but it", "[write][outcome_ticket]") {
    writer_fixture<server> f;
    auto first = wsolo::observed(text(*f.out, "first"));
    auto second = wsolo::observed(text(*f.out, "second"));
    REQUIRE(first.error() == errc::none);
    CHECK(first.wait(wsolo::time_point::min()) == errc::timed_out);
    f.wire.then({io_status::would_block, 8, 0});
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(first.wait() == errc::none);
    CHECK(first.wait() == errc::none); // again
    CHECK(second.wait(wsolo::time_point::min()) == errc::timed_out);
    f.out->abort(errc::connection_lost, 0ms);
    REQUIRE(f.out->pump().status == pump_status::finished);
    auto moved = std::move(second);
    CHECK(moved.wait() == errc::connection_lost);
    const auto refused = wsolo::observed(text(*f.out, "late"));
    CHECK(refused.error() == errc::closed);
}

TEST_CASE("a ticket may go before the outcome, a refused one waits for nothing", "[write][outcome_ticket]") {
    writer_fixture<server> f;
    {
        const auto gone = wsolo::observed(text(*f.out, "gone"));
        REQUIRE(gone.error() == errc::none);
    }
    CHECK(f.pump_all() == pump_status::idle);
    f.out->abort();
    auto refused = wsolo::observed(text(*f.out, "refused"));
    CHECK(refused.wait() == errc::closed);
    auto flushed = wsolo::observed([&](wsolo::on_outcome told) { return f.out->flush(told); });
    CHECK(flushed.wait() == errc::closed);
}

TEST_CASE("a thread waits for a flush that another thread's pump ends", "[write][outcome_ticket]") {
    wsolo::testing::scripted_wire wire;
    wsolo::single_writer out{wsolo::testing::scripted_transport(wire), [] {}};
    REQUIRE(out.send_text("x") == errc::none);
    auto ticket = wsolo::observed([&](wsolo::on_outcome told) { return out.flush(told); });
    std::thread pumper([&] { static_cast<void>(out.pump()); });
    CHECK(ticket.wait() == errc::none);
    pumper.join();
}

TEST_CASE("a coroutine goes on with the outcome, with a refusal at once", "[write][outcome_ticket]") {
    writer_fixture<server> f;
    std::vector<errc> seen;
    send_and_note(*f.out, "one", seen);
    send_and_note(*f.out, "two", seen);
    CHECK(seen.empty());
    f.wire.then({io_status::would_block, 5, 0});
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(seen == std::vector<errc>{errc::none});
    f.out->abort(errc::aborted, 0ms);
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(seen == std::vector<errc>{errc::none, errc::aborted});
    send_and_note(*f.out, "late", seen);
    CHECK(seen.back() == errc::closed);

    wsolo::testing::scripted_wire wire; // the outcome comes inside of the send
    wsolo::single_writer direct{wsolo::testing::scripted_transport(wire), wsolo::inline_drive{[] {}}};
    send_and_note(direct, "at once", seen);
    CHECK(seen.size() == 4);
    CHECK(seen.back() == errc::none);
}
