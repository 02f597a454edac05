// Would catch: a kind of send that forgets the bound on messages, a bound that is off by one or taken of wire bytes,
// parts that pass it together, a part that was refused and counted, control frames that are held to it.

#include <support/writer_fixture.hpp>

#include <wsolo/frame/shared_frame.hpp>

using wsolo::bytes_of;
using wsolo::opcode;

namespace {

template <class Side>
wsolo::owned_frame own_frame(std::string_view payload, test_keys& keys) {
    if constexpr (Side::self == wsolo::role::server)
        return std::move(*wsolo::make_frame<Side::self>(opcode::binary, bytes_of(payload)));
    else
        return std::move(*wsolo::make_frame<Side::self>(opcode::binary, bytes_of(payload), keys));
}

/// Sends one message of `payload` by each way that there is; says what each answered.
template <class Side>
std::vector<std::pair<const char*, errc>> send_every_way(writer_fixture<Side>& f,
                                                         const std::string& payload) {
    std::vector<std::pair<const char*, errc>> answers;
    auto& out = *f.out;
    const auto note = [&](const char* how, errc answer) { answers.emplace_back(how, answer); };
    note("text", out.send_text(payload));
    note("binary", out.send_binary(bytes_of(payload)));
    note("keyed", out.send_keyed(7, opcode::text, bytes_of(payload)));
    note("wait", out.send_wait(opcode::text, bytes_of(payload), wsolo::no_deadline));
    note("value", out.send(wsolo::outbound(wsolo::text{payload})));
    {
        wsolo::owned_frame owned = own_frame<Side>(payload, f.keys);
        note("raw", out.send(wsolo::raw{owned.bytes()}));
        const errc answer = out.send(std::move(owned));
        note("owned", answer);
        CHECK((owned.bytes().empty() == (answer == errc::none))); // a refused frame is still the caller's
    }
    if constexpr (Side::self == wsolo::role::server) {
        const auto shared = wsolo::make_shared_frame(opcode::binary, bytes_of(payload));
        REQUIRE(shared);
        note("shared", out.send(*shared));
        note("shared value", out.send(wsolo::outbound(wsolo::shared{*shared})));
    }
    {
        auto message = out.begin_message(opcode::binary);
        note("one part", message.finish(bytes_of(payload)));
    }
    {
        auto message = out.begin_message(opcode::binary);
        const std::string_view whole = payload;
        REQUIRE(message.write(bytes_of(whole.substr(0, 7))) == errc::none);
        REQUIRE(message.write({}) == errc::none);
        const errc answer = message.finish(bytes_of(whole.substr(7)));
        note("parts", answer);
        if (answer != errc::none) { // the message is still open, and what was refused is not counted
            CHECK(message.write(bytes_of(whole.substr(7))) == answer);
            CHECK(message.finish(bytes_of(whole.substr(8))) == errc::none);
        }
    }
    return answers;
}

} // namespace

TEMPLATE_TEST_CASE("no way of sending passes the bound on a message", "[write][options]", server, client) {
    for (const std::uint32_t bound : {100U, 125U, 126U, 3000U, 65'535U, 65'536U}) {
        wsolo::writer_options options;
        options.limits.max_message = bound;
        writer_fixture<TestType> f(options);
        for (const std::uint32_t size : {bound - 1, bound, bound + 1}) {
            std::size_t judged = 0;
            for (const auto& [how, answer] : send_every_way(f, std::string(size, 'm'))) {
                INFO(how << " of " << size << ", at most " << bound);
                CHECK(answer == (size > bound ? errc::too_large : errc::none));
                ++judged;
            }
            CHECK(judged == (TestType::self == wsolo::role::server ? 11 : 9));
            CHECK(f.pump_all() == pump_status::idle);
        }
        CHECK(f.parsed().error == "");
        CHECK(f.out->queued_bytes() == 0);
    }
}

TEST_CASE("a part that finds no room counts once, when it is taken", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_message = 100;
    options.limits.max_frames = 1;
    writer_fixture<server> f(options);
    auto message = f.out->begin_message(opcode::text);
    REQUIRE(message.write(bytes_of(std::string(40, 'a'))) == errc::none);
    for (int i = 0; i < 5; ++i) CHECK(message.write(bytes_of(std::string(40, 'b'))) == errc::queue_full);
    REQUIRE(f.pump_all() == pump_status::idle);
    REQUIRE(message.write(bytes_of(std::string(40, 'b'))) == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(message.finish(bytes_of(std::string(21, 'c'))) == errc::too_large);
    CHECK(message.finish(bytes_of(std::string(20, 'c'))) == errc::none);
    CHECK_FALSE(message);
    CHECK(f.pump_all() == pump_status::idle);
}

TEST_CASE("control frames have no other bound than their own", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_message = 1;
    writer_fixture<server> f(options);
    const std::string longest(125, 'p');
    CHECK(f.out->send_ping(bytes_of(longest)) == errc::none);
    CHECK(f.out->send(f.pong(longest)) == errc::none);
    CHECK(f.out->send(wsolo::raw{f.ping(longest).bytes()}) == errc::none);
    CHECK(f.out->close(wsolo::close_code::normal, "longer than one byte") == errc::none);
    CHECK(f.pump_all() == pump_status::finished);
    CHECK(f.parsed().frames.size() == 4);
}

TEST_CASE("no bound on a message is none", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_message = 0;
    options.limits.max_bytes = 0;
    writer_fixture<server> f(options);
    CHECK(f.out->send_binary(bytes_of(std::string(2 * wsolo::default_max_message, 'x'))) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
}
