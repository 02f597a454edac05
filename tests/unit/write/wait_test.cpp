// Would catch: a ticket that leaks or dangles when it goes first or the item is refused, a wait that misses its outcome,
// its stop request or its deadline, a stop that is told as a deadline, a wait inside of the thread that would end it.

#include <support/fire_and_forget.hpp>
#include <support/writer_fixture.hpp>

#include <stdexcept>
#include <stop_token>
#include <thread>

using wsolo::bytes_of;
using wsolo::opcode;

namespace {

auto text(auto& writer, std::string_view payload) {
    return [&writer, payload](wsolo::on_outcome on_done) { return writer.send_text(payload, on_done); };
}

/// On the system's clock: waits with threads.
using plain_writer = wsolo::single_writer<wsolo::testing::scripted_transport, void (*)(), server>;

/// Two waits without end, inside of a callback.
struct both {
    errc flushed = errc::none, sent = errc::none;
    template <class Writer>
    void ask(Writer& out) {
        flushed = out.flush(wsolo::no_deadline);
        sent = out.send_wait(opcode::text, {}, wsolo::no_deadline);
    }
    [[nodiscard]] bool refused() const {
        return flushed == errc::would_deadlock && sent == errc::would_deadlock;
    }
};

} // namespace

TEST_CASE("a ticket knows what became of its item, and of none but it", "[write][wait]") {
    writer_fixture<server> f;
    auto first = wsolo::observed(text(*f.out, "first"));
    auto second = wsolo::observed(text(*f.out, "second"));
    REQUIRE(first.error() == errc::none);
    CHECK(first.wait(wsolo::time_point::min()) == errc::timed_out);
    f.wire.then({io_status::would_block, 8, 0}).then({io_status::would_block, 0, 0});
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

TEST_CASE("a ticket may go before the outcome, a refused one waits for nothing", "[write][wait]") {
    writer_fixture<server> f;
    {
        const auto gone = wsolo::observed(text(*f.out, "gone"));
        REQUIRE(gone.error() == errc::none);
    }
    CHECK(f.pump_all() == pump_status::idle);
    f.out->abort();
    auto refused = wsolo::observed(text(*f.out, "refused"));
    CHECK(refused.wait() == errc::closed);
    auto flushed = wsolo::observed([&](wsolo::on_outcome on_done) { return f.out->flush(on_done); });
    CHECK(flushed.wait() == errc::closed);
}

TEST_CASE("a thread waits for a flush that another thread's pump ends", "[write][wait]") {
    wsolo::testing::scripted_wire wire;
    wsolo::single_writer out{wsolo::testing::scripted_transport(wire), [] {}};
    REQUIRE(out.send_text("x") == errc::none);
    auto ticket = wsolo::observed([&](wsolo::on_outcome on_done) { return out.flush(on_done); });
    std::thread pumper([&] { static_cast<void>(out.pump()); });
    CHECK(ticket.wait() == errc::none);
    pumper.join();
}

TEST_CASE("what the send throws passes through observed(), and leaves nothing",
          "[write][wait]") { // a leak: ASan's
    CHECK_THROWS_AS(wsolo::observed([](wsolo::on_outcome) -> errc { throw std::runtime_error("x"); }),
                    std::runtime_error);
}

TEST_CASE("a waiting sender is woken by room, and gives up at its deadline", "[write][wait]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 6000;
    wsolo::testing::scripted_wire wire;
    plain_writer out{wsolo::testing::scripted_transport(wire), +[] {}, options};
    const auto soon = [] { return std::chrono::steady_clock::now() + 5ms; };
    CHECK(out.send_wait(opcode::text, bytes_of(std::string(6001, 'x')), wsolo::no_deadline) ==
          errc::too_large);
    for (const std::size_t size :
         {std::size_t{1000}, std::size_t{4000}}) { // in a block, and in memory of its own
        while (out.send_text(std::string(size, 'a')) == errc::none) {}
        CHECK(out.send_wait(opcode::text, bytes_of(std::string(size, 'b')), soon()) == errc::timed_out);
        errc waited = errc::timed_out;
        std::thread sender([&] {
            waited = out.send_wait(opcode::text, bytes_of(std::string(size, 'c')), wsolo::no_deadline);
        });
        std::this_thread::sleep_for(2ms); // most likely waiting by now; sound either way
        while (out.pump().status != pump_status::idle) {}
        sender.join();
        CHECK(waited == errc::none);
        while (out.pump().status != pump_status::idle) {}
        CHECK(wire.bytes().find('b') == std::string::npos);
        CHECK(strict::parse(wire.bytes(), false).frames.back().payload == std::string(size, 'c'));
    }
    while (out.send_text(std::string(1000, 'a')) == errc::none) {}
    errc waited = errc::none;
    std::thread sender(
        [&] { waited = out.send_wait(opcode::text, bytes_of(std::string(1000, 'd')), wsolo::no_deadline); });
    std::this_thread::sleep_for(2ms);
    out.abort();
    static_cast<void>(out.pump());
    sender.join();
    CHECK(waited == errc::closed);
}

TEST_CASE("senders that wait for more than there will be room for at once are all woken", "[write][wait]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 10'000;
    wsolo::testing::scripted_wire wire;
    plain_writer out{wsolo::testing::scripted_transport(wire), +[] {}, options};
    REQUIRE(out.send_text(std::string(5000, 'a')) == errc::none);
    std::atomic<int> accepted{0}, over{0};
    std::vector<std::thread> senders;
    for (int i = 0; i < 3; ++i) {
        senders.emplace_back([&] {
            accepted += out.send_wait(opcode::text, bytes_of(std::string(6000, 'b')), wsolo::no_deadline) ==
                        errc::none;
            ++over;
        });
    }
    while (over < 3) static_cast<void>(out.pump()); // each pump may grant one of them
    for (std::thread& sender : senders) sender.join();
    CHECK(accepted == 3);
}

TEST_CASE("a stop request ends a wait, and is told as what it is", "[write][wait]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    wsolo::testing::scripted_wire wire;
    plain_writer out{wsolo::testing::scripted_transport(wire), +[] {}, options};
    REQUIRE(out.send_text("full") == errc::none);
    const auto far = std::chrono::steady_clock::now() + 1h;
    for (const bool stopped_before : {true, false}) {
        std::stop_source send_stop, flush_stop;
        errc sent = errc::none, flushed = errc::none;
        if (stopped_before) {
            send_stop.request_stop();
            flush_stop.request_stop();
        }
        std::thread sender([&] { sent = out.send_wait(opcode::text, {}, far, send_stop.get_token()); });
        std::thread flusher([&] { flushed = out.flush(far, flush_stop.get_token()); });
        if (!stopped_before) {
            std::this_thread::sleep_for(2ms); // most likely asleep by now; sound either way
            send_stop.request_stop();
            flush_stop.request_stop();
        }
        sender.join();
        flusher.join();
        CHECK(sent == errc::cancelled);
        CHECK(flushed == errc::cancelled);
    }
    CHECK(out.send_wait(opcode::text, {}, std::chrono::steady_clock::now(), std::stop_token{}) ==
          errc::timed_out);
    CHECK(out.flush(std::chrono::steady_clock::now(), std::stop_token{}) == errc::timed_out);
    while (out.pump().status != pump_status::idle) {}
    CHECK(strict::parse(wire.bytes(), false).frames.size() == 1); // who gave up sent nothing
    CHECK(out.queued_bytes() == 0);
}

TEST_CASE("a flush that met its deadline leaves nothing that dangles", "[write][wait]") {
    writer_fixture<server> f;
    REQUIRE(f.out->send_text("slow") == errc::none);
    CHECK(f.out->flush(manual_clock::now()) == errc::timed_out);
    REQUIRE(f.pump_all() == pump_status::idle); // its mark is told to what the wait left behind
    CHECK(f.out->flush(manual_clock::now()) == errc::timed_out);
    f.out->abort();
    REQUIRE(f.out->pump().status == pump_status::finished);
}

TEST_CASE("a wait in every callback of the writer answers would_deadlock", "[write][wait]") {
    SECTION("an outcome") {
        writer_fixture<server> f;
        struct state {
            writer_fixture<server>* f;
            errc sent = errc::timed_out;
            both waited{};
        } s{&f};
        REQUIRE(f.out->send_text("first", {[](void* context, errc) noexcept {
                                               auto* self = static_cast<state*>(context);
                                               self->sent = self->f->out->send_text("from the callback");
                                               self->waited.ask(*self->f->out);
                                           },
                                           &s}) == errc::none);
        REQUIRE(f.out->pump().status == pump_status::idle);
        CHECK(s.sent == errc::none);
        CHECK(s.waited.refused());
        CHECK(f.payloads(1) == std::vector<std::string>{"first", "from the callback"});
        CHECK(f.scheduled == 1);
    }
    SECTION("the outcome of what gave way") {
        wsolo::writer_options options;
        options.limits.max_frames = 1;
        options.limits.when_full = wsolo::overflow::drop_oldest;
        writer_fixture<server> f(options);
        struct state {
            writer_fixture<server>* f;
            both waited{};
        } s{&f};
        REQUIRE(f.out->send_text("old", {[](void* context, errc) noexcept {
                                             auto* self = static_cast<state*>(context);
                                             self->waited.ask(*self->f->out);
                                         },
                                         &s}) == errc::none);
        REQUIRE(f.out->send_text("new") == errc::none);
        CHECK(s.waited.refused());
    }
    SECTION("the transport") {
        writer_fixture<server> f;
        both waited;
        f.wire.before_write([&] { waited.ask(*f.out); });
        REQUIRE(f.out->send_text("x") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::idle);
        CHECK(waited.refused());
    }
    SECTION("the hook, and each observer call") {
        struct state {
            std::function<void()> act;
            int calls = 0;
            void run() {
                ++calls;
                if (act) act();
            }
        } hook, observed;
        struct calling_hook {
            state* to;
            void operator()() const { to->run(); }
        };
        struct observer {
            state* to;
            void on_finished(const wsolo::drain_report&) const { to->run(); }
            void on_high_water() const { to->run(); }
            void on_low_water() const { to->run(); }
        };
        wsolo::testing::scripted_wire wire;
        wsolo::writer_options options;
        options.limits.max_bytes = 200;
        wsolo::single_writer<wsolo::testing::scripted_transport, calling_hook, server, observer,
                             manual_traits>
            out{wsolo::testing::scripted_transport(wire), calling_hook{&hook}, options, server{},
                observer{&observed}};
        both in_hook, in_observer;
        int refusals = 0;
        hook.act = [&] { in_hook.ask(out); };
        observed.act = [&] {
            in_observer.ask(out);
            refusals += in_observer.refused();
        };
        REQUIRE(out.send_text(std::string(80, 'x')) == errc::none);
        CHECK(hook.calls == 1);
        CHECK(in_hook.refused());
        REQUIRE(out.pump().status == pump_status::idle);
        CHECK(observed.calls == 2);
        REQUIRE(out.close(wsolo::close_code::normal) == errc::none);
        REQUIRE(out.pump().status == pump_status::finished);
        CHECK(observed.calls == 3);
        CHECK(refusals == 3);
    }
    SECTION("its loop's thread") {
        writer_fixture<server> f;
        both waited;
        {
            const auto scope = f.out->loop_scope();
            waited.ask(*f.out);
        }
        CHECK(waited.refused());
        CHECK(f.out->flush(manual_clock::now()) == errc::timed_out); // it is no longer
    }
}
