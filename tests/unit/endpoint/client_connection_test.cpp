// Would catch: a request that leaves late, twice or in part, an answer that is judged by another code than the handshake's,
// frames right after the answer that are lost or handled twice, a refusal that can't be looked at, a handshake without a
// bound, something of the user's that leaves before the answer was found good.

#include <support/connection_fixture.hpp>

using namespace handshake_samples;

namespace {

const wsolo::client_request asking{
    .host = "server.example.com", .target = "/chat", .subprotocols = "chat, superchat"};

struct dialling : driven_connection<client_of<wsolo::testing::scripted_transport>> {
    explicit dialling(const wsolo::client_options& options = quiet_options::client(),
                      const wsolo::client_request& request = asking) {
        whole.emplace(wsolo::testing::scripted_transport(wire), counted_schedule{&log},
                      client_handler{{&log}}, request, sample_nonce{}, options);
    }
    [[nodiscard]] seen_on_wire seen() const { return seen_on_wire(wire.bytes(), true); }

    wsolo::testing::scripted_wire wire;
};

const std::string answer = rfc_response().text();
std::string text_frame(std::string_view payload) { return frame_from(wsolo::role::server, 0x81, payload); }
std::string close_frame() { return frame_from(wsolo::role::server, 0x88, "\x03\xe8"); }

} // namespace

TEST_CASE("a request leaves with the first run, and its answer opens the connection, at every split",
          "[connection][client]") {
    const std::string input = answer + text_frame("one") + text_frame("two") + close_frame();
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        INFO("cut at " << cut);
        dialling c;
        REQUIRE(c.wire.bytes().empty());
        c.run();
        REQUIRE(c.seen().head.find("GET /chat HTTP/1.1\r\n") == 0);
        REQUIRE(c.seen().head.find("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") != std::string::npos);
        REQUIRE(c.wants.read);
        c.receive(input.substr(0, cut));
        c.receive(input.substr(cut));
        REQUIRE(c.log.messages == std::vector<std::string>{"one", "two"});
        REQUIRE(c.seen().frames == sent_frames{{1, "one"}, {1, "two"}, {8, "\x03\xe8"}});
        REQUIRE(c.whole->status() == 101);
        c.end_of_input();
        REQUIRE(c.wants.finished);
        REQUIRE(c.whole->how_it_ended().reason == errc::none);
        REQUIRE(c.log.endings.size() == 1);
        REQUIRE(c.log.opened == 1);
        REQUIRE(c.log.asked == 1);
    }
}

TEST_CASE("a request over a transport that takes little", "[connection][client]") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        dialling c;
        c.wire.chaotic(seed, 7);
        c.log.greeting = "hello";
        for (int i = 0; i < 1000 && c.seen().head.find("\r\n\r\n") == std::string::npos; ++i) {
            c.run();
            CHECK(c.wants.read);
        }
        CHECK(c.log.opened == 0);
        for (const char byte : answer + text_frame("one")) c.receive(std::string(1, byte));
        for (int i = 0; i < 1000 && c.seen().frames.size() < 2; ++i) c.run();
        CHECK(c.seen().frames == sent_frames{{1, "hello"}, {1, "one"}});
    }
}

TEST_CASE("an answer that overtakes the request waits for it", "[connection][client]") {
    dialling c;
    c.wire.then({io_status::ok, 10, 0}).then({io_status::would_block, 0, 0});
    c.run();
    CHECK(c.wants.write);
    c.wire.then({io_status::would_block, 0, 0});
    c.receive(answer + text_frame("early"));
    CHECK(c.whole->opened() == nullptr);
    CHECK(c.log.messages.empty());
    CHECK_FALSE(c.wants.read);
    c.run();
    CHECK(c.whole->opened() != nullptr);
    CHECK(c.log.messages == std::vector<std::string>{"early"});
}

TEST_CASE("a bad answer ends the connection", "[connection][client]") {
    struct row {
        std::string input;
        errc reason;
        int status;
    };
    const row rows[] = {
        {"nonsense\r\n\r\n", errc::handshake_invalid_start_line, 0},
        {rfc_response().replace("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo!").text(),
         errc::handshake_invalid_accept, 101},
        {rfc_response().replace("Sec-WebSocket-Protocol", "other").text(),
         errc::handshake_unrequested_subprotocol, 101},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", errc::handshake_unexpected_status, 404},
    };
    for (const row& each : rows) {
        dialling c;
        c.run();
        c.receive(each.input + text_frame("ignored"));
        CHECK(c.wants.finished);
        CHECK(c.wire.disconnected());
        CHECK(c.whole->how_it_ended().reason == each.reason);
        CHECK(c.whole->status() == each.status);
        CHECK(c.whole->opened() == nullptr);
        CHECK(c.log.messages.empty());
        CHECK(c.log.endings.empty());
        CHECK(c.receive("more").finished);
    }
}

TEST_CASE("a refusal can be looked at", "[connection][client]") {
    dialling c;
    std::string location;
    c.log.on_response = [&](const wsolo::upgrade_response& got, errc verdict) {
        CHECK(verdict == errc::handshake_unexpected_status);
        location = got.header("Location").value_or("");
        return errc::none; // says nothing
    };
    c.run();
    c.receive("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n");
    CHECK(location == "/elsewhere");
    CHECK(c.wants.finished);
    CHECK(c.whole->status() == 302);
    CHECK(c.log.asked == 1);
}

TEST_CASE("a handler may refuse a good answer", "[connection][client]") {
    dialling c;
    c.log.on_response = [&](const wsolo::upgrade_response& got, errc verdict) {
        CHECK(verdict == errc::none);
        CHECK(got.subprotocol() == "chat");
        return errc::handshake_unrequested_subprotocol;
    };
    c.run();
    c.receive(answer);
    CHECK(c.wants.finished);
    CHECK(c.log.opened == 0);
    CHECK(c.whole->how_it_ended().reason == errc::handshake_unrequested_subprotocol);
}

TEST_CASE("a request that can't be asked ends before it begins", "[connection][client]") {
    dialling c(quiet_options::client(), {.host = "no host"});
    CHECK(c.run().finished);
    CHECK(c.wire.bytes().empty());
    CHECK(c.wire.disconnected());
    CHECK(c.whole->how_it_ended().reason == errc::invalid_header_field);
}

TEST_CASE("a client's handshake has its time", "[connection][client]") {
    auto options = quiet_options::client();
    options.handshake_timeout = 3s;
    dialling c(options);
    SECTION("for the answer") {}
    SECTION("for the request") {
        c.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    }
    CHECK(c.run().deadline == manual_clock::now() + 3s);
    manual_clock::advance(2999ms);
    CHECK_FALSE(c.run().finished);
    manual_clock::advance(1ms);
    CHECK(c.run().finished);
    CHECK(c.wire.disconnected());
    CHECK(c.whole->how_it_ended().reason == errc::handshake_timeout);
}

TEST_CASE("a client that slept looks once more before it gives up", "[connection][client]") {
    dialling c;
    c.run();
    manual_clock::advance(1h);
    CHECK_FALSE(c.run().finished); // the timer came first
    SECTION("and finds the answer") {
        c.receive(answer);
        CHECK(c.whole->opened() != nullptr);
    }
    SECTION("or does not") {
        manual_clock::advance(1h);
        CHECK(c.run().finished);
        CHECK(c.whole->how_it_ended().reason == errc::handshake_timeout);
    }
}

TEST_CASE("a server that ends before its answer", "[connection][client]") {
    for (const errc why : {errc::none, errc::connection_lost}) {
        dialling c;
        c.run();
        c.receive(answer.substr(0, 20));
        c.end_of_input(why);
        CHECK(c.wants.finished);
        CHECK(c.whole->how_it_ended().reason == (why == errc::none ? errc::handshake_incomplete : why));
    }
}

TEST_CASE("a request whose transport breaks", "[connection][client]") {
    dialling c;
    c.wire.then({io_status::failed, 0, 0});
    CHECK(c.run().finished);
    CHECK(c.whole->how_it_ended().reason == errc::write_failed);
}

TEST_CASE("close() and abort() before the answer end the connection", "[connection][client]") {
    dialling c;
    c.run();
    const bool closes = GENERATE(true, false);
    c.wants = closes ? c.whole->close() : c.whole->abort();
    CHECK(c.wants.finished);
    CHECK(c.wire.disconnected());
    CHECK(c.whole->how_it_ended().reason == errc::aborted);
    CHECK(c.receive(answer).finished);
    CHECK(c.log.opened == 0);
}

TEST_CASE("close() of an open one sends a Close, and waits for the server's end", "[connection][client]") {
    dialling c;
    c.run();
    c.receive(answer);
    c.wants = c.whole->close(wsolo::close_code::normal, "done");
    CHECK(c.seen().frames == sent_frames{{8, "\x03\xe8"
                                             "done"}});
    c.receive(close_frame());
    CHECK_FALSE(c.wants.finished);
    CHECK_FALSE(c.wire.output_ended());
    c.end_of_input();
    CHECK(c.wants.finished);
    CHECK(c.whole->how_it_ended().reason == errc::none);
}

TEST_CASE("a request over writes that end later", "[connection][client]") {
    wsolo::testing::completing_wire wire;
    driven_connection<client_of<wsolo::testing::completing_transport>> c;
    c.whole.emplace(wsolo::testing::completing_transport(wire), counted_schedule{&c.log},
                    client_handler{{&c.log}}, asking, sample_nonce{}, quiet_options::client());
    c.run();
    CHECK(c.wants.read);
    CHECK_FALSE(c.wants.write);
    wire.end(io_status::ok, 10);
    c.run();
    SECTION("and opens") {
        wire.end();
        c.run();
        c.receive(answer + text_frame("one"));
        wire.end();
        CHECK(seen_on_wire(wire.bytes(), true).frames == sent_frames{{1, "one"}});
    }
    SECTION("and goes under one") {
        c.whole.reset();
        wire.end();
        CHECK(wire.bytes().find("\r\n\r\n") != std::string::npos);
    }
}
