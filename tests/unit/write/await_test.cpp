// Would catch: a coroutine resumed twice, never, inside a refused send, or before its bytes left; a frame that the
// awaiter touches after it was resumed elsewhere; a send that throws and leaves a coroutine waiting for ever.

#include <support/fire_and_forget.hpp>
#include <support/writer_fixture.hpp>

#include <wsolo/write/await.hpp>

#include <stdexcept>

namespace {

auto text(auto& writer, std::string_view payload) {
    return [&writer, payload](wsolo::on_outcome on_done) { return writer.send_text(payload, on_done); };
}

fire_and_forget send_and_note(auto& writer, std::string_view payload, std::vector<errc>& seen) {
    seen.push_back(co_await wsolo::written(text(writer, payload)));
}

template <class Writer>
fire_and_forget wait_for_flush(Writer& out, std::vector<errc>& told) {
    told.push_back(co_await wsolo::flushed(out));
}

} // namespace

TEMPLATE_TEST_CASE("flushed() resumes when what was sent before it left", "[write][await]", server, client) {
    writer_fixture<TestType> f;
    std::vector<errc> told;
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text("hello") == errc::none);
    wait_for_flush(*f.out, told);
    static_cast<void>(f.out->pump());
    CHECK(told.empty());
    f.pump_all();
    CHECK(told == std::vector<errc>{errc::none});
}

TEMPLATE_TEST_CASE("flushed() says why not", "[write][await]", server, client) {
    writer_fixture<TestType> f;
    std::vector<errc> told;
    SECTION("dropped") {
        REQUIRE(f.out->send_text("hello") == errc::none);
        wait_for_flush(*f.out, told);
        f.out->abort();
        f.pump_all();
        CHECK(told == std::vector<errc>{errc::aborted});
    }
    SECTION("closed before") {
        REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
        wait_for_flush(*f.out, told);
        CHECK(told == std::vector<errc>{errc::closed});
    }
}

TEST_CASE("a coroutine goes on with the outcome, with a refusal at once", "[write][await]") {
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

TEST_CASE("a coroutine may send and wait again from where it was resumed", "[write][await]") {
    writer_fixture<server> f;
    std::vector<errc> seen;
    const auto talk = [](auto& out, std::vector<errc>& told) -> fire_and_forget {
        for (int i = 0; i < 100; ++i) told.push_back(co_await wsolo::written(text(out, std::to_string(i))));
        told.push_back(co_await wsolo::flushed(out));
    };
    talk(*f.out, seen);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(seen == std::vector<errc>(101, errc::none));
    CHECK(f.payloads(1).size() == 100);
}

TEST_CASE("a parts' coroutine writes a well-formed message under every drive", "[write][await]") {
    const auto tell = [](auto& message, errc& how) -> fire_and_forget {
        for (int i = 0; i < 20 && how == errc::none; ++i) {
            how = co_await wsolo::written(
                [&](wsolo::on_outcome on_done) { return message.write(wsolo::bytes_of("part"), on_done); });
        }
        if (how == errc::none)
            how = co_await wsolo::written(
                [&](wsolo::on_outcome on_done) { return message.finish({}, on_done); });
    };
    errc how = errc::none;
    writer_fixture<server> f;
    {
        auto message = f.out->begin_message(wsolo::opcode::text);
        tell(message, how);
        REQUIRE(f.pump_all() == pump_status::idle);
        CHECK_FALSE(message);
    }
    CHECK(how == errc::none);
    CHECK(f.parsed().error == "");
    CHECK(f.parsed().frames.size() == 21);

    wsolo::testing::scripted_wire wire;
    wsolo::single_writer direct{wsolo::testing::scripted_transport(wire), wsolo::inline_drive{[] {}}};
    auto message = direct.begin_message(wsolo::opcode::text);
    tell(message, how);
    CHECK(how == errc::none);
    CHECK_FALSE(message);
    CHECK(strict::parse(wire.bytes(), false).error == "");
    CHECK(strict::parse(wire.bytes(), false).frames.size() == 21);
}

TEST_CASE("what the send throws is thrown in the coroutine, which waits for nothing", "[write][await]") {
    int caught = 0;
    const auto run = [&]() -> fire_and_forget {
        try {
            static_cast<void>(
                co_await wsolo::written([](wsolo::on_outcome) -> errc { throw std::runtime_error("x"); }));
        } catch (const std::runtime_error&) {
            ++caught;
        }
    };
    run();
    CHECK(caught == 1);
}
