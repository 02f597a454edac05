// Would catch: a request that is judged by another code than the handshake's, an answer that is lost because the peer goes
// on sending, frames right after the request that are lost or handled twice, a hook's choice that is not what leaves, a
// handshake or an answer without a bound, an end of input that cuts an answer off, a write in flight that outlives its bytes.

#include <support/connection_fixture.hpp>

#include <wsolo/write/detail/writer_access.hpp>

using namespace handshake_samples;

namespace {

struct serving : driven_connection<server_of<wsolo::testing::scripted_transport>> {
    explicit serving(const wsolo::server_options& options = quiet_options::server()) {
        whole.emplace(wsolo::testing::scripted_transport(wire), counted_schedule{&log},
                      server_handler{{&log}}, options);
        run();
    }
    [[nodiscard]] seen_on_wire seen() const { return seen_on_wire(wire.bytes(), false); }
    void stall() {
        wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    }
    void flow() {
        wire.rule([] { return wsolo::testing::scripted_step{}; });
    }

    wsolo::testing::scripted_wire wire;
};

const std::string request = rfc_request().text();
const std::string page_request = "GET /page HTTP/1.1\r\nHost: h\r\n\r\n";

std::string text_frame(std::string_view payload) { return frame_from(wsolo::role::client, 0x81, payload); }
std::string close_frame() { return frame_from(wsolo::role::client, 0x88, "\x03\xe8"); }

} // namespace

TEST_CASE("a request is answered by 101, and what follows it by the endpoint, at every split",
          "[connection][server]") {
    const std::string input = request + text_frame("one") + text_frame("two") + close_frame();
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        serving s;
        s.receive(input.substr(0, cut));
        s.receive(input.substr(cut));
        INFO("cut at " << cut);
        REQUIRE(s.log.messages == std::vector<std::string>{"one", "two"});
        REQUIRE(s.seen().status() == "HTTP/1.1 101");
        REQUIRE(s.seen().frames == sent_frames{{1, "one"}, {1, "two"}, {8, "\x03\xe8"}});
        REQUIRE(s.whole->status() == 101);
        s.end_of_input();
        REQUIRE(s.wants.finished);
        REQUIRE(s.whole->how_it_ended().reason == errc::none);
        REQUIRE(s.whole->how_it_ended().code == wsolo::close_code::normal);
        REQUIRE(s.log.endings.size() == 1);
        REQUIRE(s.log.opened == 1);
        REQUIRE(s.log.asked == 1);
    }
}

TEST_CASE("the same byte by byte, over a transport that takes little", "[connection][server]") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        serving s;
        s.wire.chaotic(seed, 7);
        s.log.greeting = "welcome";
        const std::string input = request + text_frame("one") + text_frame("two") + close_frame();
        for (const char byte : input) {
            for (int i = 0; !s.wants.read && i < 1000; ++i) s.run(); // it is writable, again and again
            s.receive(std::string(1, byte));
        }
        for (int i = 0; i < 1000 && s.seen().frames.size() < 4; ++i) s.run();
        CHECK(s.seen().frames == sent_frames{{1, "welcome"}, {1, "one"}, {1, "two"}, {8, "\x03\xe8"}});
    }
}

TEST_CASE("nothing is open before the whole 101 has left, and what came meanwhile is kept",
          "[connection][server]") {
    serving s;
    s.wire.then({io_status::ok, 10, 0}).then({io_status::would_block, 0, 0});
    s.receive(request + text_frame("early"));
    CHECK(s.whole->opened() == nullptr);
    CHECK_FALSE(s.wants.read);
    CHECK(s.wants.write);
    CHECK(s.wants.deadline < wsolo::no_deadline);
    CHECK(s.log.messages.empty());
    s.receive(text_frame("later")); // a loop that looks away from what is wanted
    s.run();
    REQUIRE(s.whole->opened() != nullptr);
    CHECK(s.wants.read);
    CHECK(s.log.messages == std::vector<std::string>{"early", "later"});
    CHECK(s.seen().frames == sent_frames{{1, "early"}, {1, "later"}});
}

TEST_CASE("a loop that reads on while the 101 is on its way fills no memory", "[connection][server]") {
    auto options = quiet_options::server();
    options.handling.max_bytes = 1000;
    const std::string first = GENERATE(std::string(), text_frame("1"));
    serving s(options);
    s.stall();
    s.receive(request + first);
    CHECK_FALSE(s.wants.read);
    const std::string more = text_frame(std::string(91, 'm')); // 99 bytes
    for (int i = 0; i < 10; ++i) CHECK_FALSE(s.receive(more).finished);
    SECTION("within the bound nothing is lost") {
        s.flow();
        s.run();
        CHECK(s.log.messages.size() == (first.empty() ? 10 : 11));
    }
    SECTION("beyond it the connection goes") {
        CHECK(s.receive(more).finished);
        CHECK(s.wire.disconnected());
        CHECK(s.whole->opened() == nullptr);
        CHECK(s.whole->how_it_ended().reason == errc::inbox_overflow);
    }
}

TEST_CASE("what one read brought after the request is kept, whatever its size", "[connection][server]") {
    auto options = quiet_options::server();
    options.handling.max_bytes = 100;
    serving s(options);
    s.stall();
    s.receive(request + text_frame(std::string(5000, 'x')));
    CHECK_FALSE(s.wants.finished);
    s.flow();
    s.run();
    CHECK(s.log.messages == std::vector<std::string>{std::string(5000, 'x')});
}

TEST_CASE("an end of input while the 101 is on its way does not cut the messages off",
          "[connection][server]") {
    serving s;
    s.stall();
    s.receive(request + text_frame("early") + close_frame());
    s.end_of_input();
    CHECK_FALSE(s.wants.finished);
    s.flow();
    s.run();
    CHECK(s.wants.finished);
    CHECK(s.seen().frames == sent_frames{{1, "early"}, {8, "\x03\xe8"}});
    CHECK(s.whole->how_it_ended().reason == errc::none);
}

TEST_CASE("what a handler sends when the connection is open follows the 101", "[connection][server]") {
    serving s;
    s.log.greeting = "welcome";
    s.receive(request + text_frame("one"));
    CHECK(s.seen().frames == sent_frames{{1, "welcome"}, {1, "one"}});
}

namespace {

/// Sends, and waits for what only this loop can do.
struct waiting_handler {
    errc* waited;
    void on_message(auto&, const wsolo::message&) const {}
    void on_upgraded(auto& e) const {
        CHECK(e.send_text("welcome") == errc::none);
        *waited = e.handled().wait_up_to(1, manual_clock::now());
        CHECK(wsolo::detail::writer_access::drive(e.writer()).is_here()); // what a flush asks
    }
};

} // namespace

TEST_CASE("on_upgraded is a turn of the loop: it is not woken, and waits for nothing",
          "[connection][server]") {
    wsolo::testing::scripted_wire wire;
    endpoint_log log;
    errc waited = errc::none;
    wsolo::server_connection<wsolo::testing::scripted_transport, counted_schedule, waiting_handler,
                             wsolo::in_the_loop, manual_traits>
        whole(wsolo::testing::scripted_transport(wire), counted_schedule{&log}, waiting_handler{&waited});
    std::string bytes = request;
    static_cast<void>(whole.receive(std::as_writable_bytes(std::span(bytes))));
    REQUIRE(whole.opened() != nullptr);
    CHECK(log.scheduled == 0);
    CHECK(seen_on_wire(wire.bytes(), false).frames == sent_frames{{1, "welcome"}});
}

TEST_CASE("a handler chooses what is spoken", "[connection][server]") {
    serving s;
    s.log.on_request = [](const wsolo::upgrade_request& asked, wsolo::http_reply& reply) {
        CHECK(asked.resource_name().path() == "/chat");
        reply.accept({.subprotocol = wsolo::choose_subprotocol(asked, {"superchat"})});
    };
    s.receive(request);
    CHECK(s.whole->opened() != nullptr);
    CHECK(s.seen().head.find("\r\nSec-WebSocket-Protocol: superchat\r\n") != std::string::npos);
}

TEST_CASE("every answer but a 101 ends the connection, and lingers", "[connection][server]") {
    struct row {
        const char* what;
        std::string input;
        std::function<void(const wsolo::upgrade_request&, wsolo::http_reply&)> choose;
        std::string status;
        errc reason;
    };
    const auto leave_it = [](const auto&, auto&) {};
    const row rows[] = {
        {"a page", page_request, [](auto&, auto& reply) { reply.respond({.body = "a page"}); },
         "HTTP/1.1 200", errc::none},
        {"a plain request", page_request, leave_it, "HTTP/1.1 426", errc::handshake_missing_upgrade},
        {"another path", request,
         [](auto&, auto& reply) { reply.respond({.status = 404, .body = "not here"}); }, "HTTP/1.1 404",
         errc::none},
        {"a foreign origin", request,
         [](auto&, auto& reply) { reply.refuse(errc::handshake_origin_refused); }, "HTTP/1.1 403",
         errc::handshake_origin_refused},
        {"not offered", request, [](auto&, auto& reply) { reply.accept({.subprotocol = "other"}); },
         "HTTP/1.1 500", errc::handshake_unrequested_subprotocol},
        {"an illegal field", page_request,
         [](auto&, auto& reply) { reply.respond({.content_type = "a\r\nb", .body = "x"}); }, "HTTP/1.1 500",
         errc::invalid_header_field},
        {"no HTTP", "nonsense\r\n\r\n", leave_it, "HTTP/1.1 400", errc::handshake_invalid_start_line},
        {"a bad key", rfc_request().replace("Sec-WebSocket-Key", "short").text(), leave_it, "HTTP/1.1 400",
         errc::handshake_invalid_key},
        {"an old version", rfc_request().replace("Sec-WebSocket-Version", "8").text(), leave_it,
         "HTTP/1.1 426", errc::handshake_unsupported_version},
    };
    for (const row& each : rows) {
        INFO(each.what);
        serving s;
        s.log.on_request = each.choose;
        s.receive(each.input + "more, which belongs to nothing");
        CHECK(s.seen().status() == each.status);
        CHECK(s.seen().head.find("close\r\n") != std::string::npos);
        CHECK(s.whole->opened() == nullptr);
        CHECK(s.whole->status() == std::stoi(each.status.substr(9)));
        CHECK(s.wire.output_ended());
        CHECK_FALSE(s.wire.disconnected());
        CHECK_FALSE(s.wants.finished);
        CHECK(s.wants.read); // what comes is thrown away
        CHECK(s.wants.deadline > manual_clock::now());
        CHECK(s.wants.deadline <= manual_clock::now() + 5s);
        for (int i = 0; i < 100; ++i) s.receive(std::string(1000, 'x'));
        CHECK_FALSE(s.wants.finished);
        s.end_of_input();
        CHECK(s.wire.disconnected());
        CHECK(s.wants.finished);
        CHECK(s.whole->how_it_ended().reason == each.reason);
        CHECK(s.whole->how_it_ended().code == wsolo::close_code::abnormal);
        CHECK(s.log.endings.empty());
        CHECK(s.log.opened == 0);
    }
}

TEST_CASE("HEAD gets a head", "[connection][server]") {
    serving s;
    s.log.on_request = [](auto&, auto& reply) { reply.respond({.body = "a page"}); };
    s.receive("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(s.seen().head.find("Content-Length: 6\r\n") != std::string::npos);
    CHECK(s.seen().rest.empty());
}

TEST_CASE("the last choice counts", "[connection][server]") {
    serving s;
    s.log.on_request = [](auto&, auto& reply) {
        reply.accept();
        CHECK(reply.status() == 101);
        reply.refuse(errc::handshake_origin_refused);
        CHECK(reply.why() == errc::handshake_origin_refused);
        reply.respond({.status = 404});
        CHECK(reply.why() == errc::none);
    };
    s.receive(request);
    CHECK(s.seen().status() == "HTTP/1.1 404");
}

#if WSOLO_HAS_EXCEPTIONS
TEST_CASE("a hook that throws is answered by 500", "[connection][server]") {
    serving s;
    s.log.on_request = [](auto&, auto& reply) {
        reply.accept();
        throw 1;
    };
    s.receive(request);
    CHECK(s.seen().status() == "HTTP/1.1 500");
    CHECK(s.whole->how_it_ended().reason == errc::handler_failed);
}
#endif

TEST_CASE("a linger ends by its time or its bytes", "[connection][server]") {
    auto options = quiet_options::server();
    options.ending.linger_timeout = 3s;
    options.ending.linger_bytes = 1000;
    SECTION("time") {
        serving s(options);
        s.receive(page_request);
        manual_clock::advance(2999ms);
        CHECK_FALSE(s.run().finished);
        manual_clock::advance(1ms);
        CHECK(s.run().finished);
        CHECK(s.wire.disconnected());
    }
    SECTION("bytes") {
        serving s(options);
        s.receive(page_request);
        CHECK_FALSE(s.receive(std::string(999, 'x')).finished);
        CHECK(s.receive("x").finished);
        CHECK(s.wire.disconnected());
    }
}

TEST_CASE("a handshake has its time", "[connection][server]") {
    auto options = quiet_options::server();
    options.handshake_timeout = 2s;
    serving s(options);
    const auto by = manual_clock::now() + 2s;
    CHECK(s.wants.deadline == by);
    manual_clock::advance(1s);
    s.receive(request.substr(0, 30));
    CHECK(s.wants.deadline == by);
    manual_clock::advance(1s);
    s.run();
    CHECK(s.seen().status() == "HTTP/1.1 408");
    CHECK(s.wire.output_ended());
    s.end_of_input();
    CHECK(s.wants.finished);
    CHECK(s.whole->how_it_ended().reason == errc::handshake_timeout);
}

TEST_CASE("a request that comes with the last of its time is served", "[connection][server]") {
    serving s;
    manual_clock::advance(1h); // the process slept, and the request was there all the time
    s.receive(request);
    CHECK(s.whole->opened() != nullptr);
}

TEST_CASE("a process that slept looks once more before it says 408", "[connection][server]") {
    serving s;
    manual_clock::advance(1h);
    CHECK(s.run().read); // the timer came first
    CHECK(s.wants.deadline == manual_clock::now() + 2500ms);
    CHECK(s.wire.bytes().empty());
    SECTION("and finds the request") {
        s.receive(request);
        CHECK(s.whole->opened() != nullptr);
    }
    SECTION("or does not") {
        manual_clock::advance(1h);
        s.run();
        CHECK(s.seen().status() == "HTTP/1.1 408");
    }
}

TEST_CASE("no timeout: no deadline", "[connection][server]") {
    auto options = quiet_options::server();
    options.handshake_timeout = 0s;
    serving s(options);
    CHECK(s.wants.deadline == wsolo::no_deadline);
    manual_clock::advance(100h);
    CHECK_FALSE(s.run().finished);
}

TEST_CASE("an answer that is not taken has its time", "[connection][server]") {
    auto options = quiet_options::server();
    options.writing.timeouts.write = 4s;
    for (const std::string& input : {request, page_request}) {
        serving s(options);
        s.stall();
        s.receive(input);
        CHECK(s.wants.write);
        const auto by = s.wants.deadline;
        CHECK(by >= manual_clock::now() + 4s);
        CHECK(by < manual_clock::now() + 5s); // its size at the minimum rate
        manual_clock::advance(by - manual_clock::now() - 1ms);
        CHECK_FALSE(s.run().finished);
        manual_clock::advance(1ms);
        CHECK(s.run().finished);
        CHECK(s.wire.disconnected());
        const errc reason = s.whole->how_it_ended().reason;
        CHECK(reason == (input == request ? errc::write_timed_out : errc::handshake_missing_upgrade));
    }
}

TEST_CASE("without a minimum rate an answer has its time all the same, anew with each progress",
          "[connection][server]") {
    auto options = quiet_options::server();
    options.writing.timeouts.write = 4s;
    options.writing.timeouts.min_rate = 0;
    for (const std::string& input : {request, page_request}) {
        serving s(options);
        s.stall();
        s.receive(input);
        CHECK(s.wants.deadline == manual_clock::now() + 4s);
        for (int i = 0; i < 20; ++i) {
            manual_clock::advance(3s);
            s.wire.then({io_status::ok, 1, 0}).then({io_status::would_block, 0, 0});
            CHECK_FALSE(s.run().finished);
            CHECK(s.wants.deadline == manual_clock::now() + 4s);
        }
        manual_clock::advance(4s - 1ms);
        CHECK_FALSE(s.run().finished);
        manual_clock::advance(1ms);
        CHECK(s.run().finished);
        CHECK(s.wire.disconnected());
    }
}

TEST_CASE("a transport that breaks under an answer ends it", "[connection][server]") {
    for (const std::string& input : {request, page_request}) {
        serving s;
        s.wire.then({io_status::ok, 5, 0}).then({io_status::failed, 0, 0});
        s.receive(input);
        CHECK(s.wants.finished);
        CHECK(s.wire.disconnected());
        CHECK(s.whole->opened() == nullptr);
        CHECK(s.log.opened == 0);
    }
}

TEST_CASE("an end of input before a request", "[connection][server]") {
    SECTION("nothing was asked, nothing is answered") {
        serving s;
        s.end_of_input();
        CHECK(s.wants.finished);
        CHECK(s.wire.bytes().empty());
        CHECK(s.wire.disconnected());
        CHECK(s.whole->how_it_ended().reason == errc::connection_lost);
    }
    SECTION("half a request is answered") {
        serving s;
        s.stall();
        s.receive(request.substr(0, 30));
        s.end_of_input();
        CHECK_FALSE(s.wants.finished);
        CHECK_FALSE(s.wants.read);
        s.flow();
        s.run();
        CHECK(s.wants.finished); // there is nothing to wait for
        CHECK(s.seen().status() == "HTTP/1.1 400");
        CHECK(s.wire.output_ended());
        CHECK(s.whole->how_it_ended().reason == errc::handshake_incomplete);
    }
    SECTION("a broken stream gets no answer") {
        serving s;
        s.receive(request.substr(0, 30));
        s.end_of_input(errc::connection_lost);
        CHECK(s.wants.finished);
        CHECK(s.wire.bytes().empty());
    }
}

TEST_CASE("an end of input does not cut an answer off", "[connection][server]") {
    serving s;
    s.stall();
    s.receive(page_request);
    s.end_of_input();
    CHECK_FALSE(s.wants.finished);
    s.flow();
    s.run();
    CHECK(s.seen().status() == "HTTP/1.1 426");
    CHECK(s.wants.finished);
}

TEST_CASE("close() says what the state allows", "[connection][server]") {
    SECTION("asking: 503") {
        serving s;
        s.receive(request.substr(0, 30));
        s.wants = s.whole->close(wsolo::close_code::going_away, "restart");
        CHECK(s.seen().status() == "HTTP/1.1 503");
        CHECK_FALSE(s.wants.finished);
        s.end_of_input();
        CHECK(s.wants.finished);
        CHECK(s.whole->how_it_ended().reason == errc::aborted);
    }
    SECTION("the 101 is on its way") {
        serving s;
        s.stall();
        s.receive(request);
        s.wants = s.whole->close();
        CHECK(s.wants.finished);
        CHECK(s.whole->how_it_ended().reason == errc::aborted);
    }
    SECTION("lingering: goes on") {
        serving s;
        s.receive(page_request);
        s.wants = s.whole->close();
        CHECK_FALSE(s.wants.finished);
        CHECK(s.wants.read);
    }
    SECTION("open: a Close") {
        serving s;
        s.receive(request);
        s.wants = s.whole->close(wsolo::close_code::going_away, "restart", 2s);
        CHECK(s.seen().frames == sent_frames{{8, "\x03\xe9restart"}});
        s.wants = s.whole->close();
        CHECK(s.seen().frames.size() == 1);
    }
}

TEST_CASE("abort() ends at once, in every state", "[connection][server]") {
    for (const std::string& input : {std::string(), request.substr(0, 30), page_request, request}) {
        serving s;
        s.receive(input);
        const std::string before = s.wire.bytes();
        s.wants = s.whole->abort();
        CHECK(s.wants.finished);
        CHECK(s.wire.disconnected());
        CHECK(s.wire.bytes() == before);
        CHECK(s.run().finished);
        CHECK(s.receive("x").finished);
        CHECK(s.end_of_input().finished);
        CHECK(s.whole->close().finished);
    }
}

TEST_CASE("a request that another server has parsed", "[connection][server]") {
    std::vector<wsolo::header_field> fields{{"Host", "server.example.com"},
                                            {"Upgrade", "websocket"},
                                            {"Connection", "Upgrade"},
                                            {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                            {"Sec-WebSocket-Version", "13"}};
    SECTION("opens, and its leftover is the endpoint's") {
        serving s;
        std::string leftover = text_frame("early");
        s.wants = s.whole->take_request({.target = "/chat", .fields = fields},
                                        std::as_writable_bytes(std::span(leftover)));
        CHECK(s.log.asked == 1);
        CHECK(s.log.messages == std::vector<std::string>{"early"});
        CHECK(s.seen().head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos);
        CHECK(s.seen().frames == sent_frames{{1, "early"}});
    }
    SECTION("is judged") {
        fields[3].value = "short";
        serving s;
        s.wants = s.whole->take_request({.target = "/chat", .fields = fields});
        CHECK(s.seen().status() == "HTTP/1.1 400");
        CHECK(s.log.asked == 0);
        CHECK(s.wants.read);
    }
    SECTION("may be a plain one") {
        serving s;
        s.wants = s.whole->take_request({.target = "/", .fields = std::span(fields).first(1)});
        CHECK(s.seen().status() == "HTTP/1.1 426");
    }
    SECTION("comes once") {
        serving s;
        s.receive(request);
        s.wants = s.whole->take_request({.target = "/chat", .fields = fields});
        CHECK(s.wants.read);
        CHECK_FALSE(s.wants.finished);
        CHECK(s.log.asked == 1);
        CHECK(s.seen().frames.empty());
    }
}

TEST_CASE("a connection whose request another server has answered begins open", "[connection][server]") {
    serving s;
    const std::string frames = text_frame("early") + text_frame("later");
    const auto sent_by = [](const serving& each) { // without a head
        sent_frames found;
        for (const strict::frame& frame : strict::parse(each.wire.bytes(), false).frames)
            found.emplace_back(frame.opcode, frame.payload);
        return found;
    };
    SECTION("its leftover is the endpoint's, split anywhere") {
        for (std::size_t at = 0; at <= frames.size(); ++at) {
            serving each;
            std::string leftover = frames.substr(0, at);
            each.wants = each.whole->take_upgraded(std::as_writable_bytes(std::span(leftover)));
            if (at < frames.size()) each.receive(frames.substr(at));
            CHECK(each.log.asked == 0);
            CHECK(each.log.messages == std::vector<std::string>{"early", "later"});
            CHECK(each.log.opened == 1);
            CHECK(sent_by(each) == sent_frames{{1, "early"}, {1, "later"}});
            CHECK(each.whole->status() == 101);
        }
    }
    SECTION("its group's Close is its own, though the group closed before") {
        wsolo::basic_connection_group<manual_traits> everyone;
        REQUIRE(s.whole->join(everyone) == errc::none);
        REQUIRE(everyone.close_all(wsolo::close_code::going_away, "bye", std::chrono::seconds(1)) ==
                errc::none);
        s.wants = s.whole->take_upgraded();
        CHECK(sent_by(s) == sent_frames{{8, "\x03\xe9"
                                            "bye"}});
    }
    SECTION("comes once") {
        s.receive(request);
        s.wants = s.whole->take_upgraded();
        CHECK(s.log.asked == 1);
        CHECK(s.wants.read);
    }
}

TEST_CASE("a handler needs no hook but on_message", "[connection][server]") {
    wsolo::testing::scripted_wire wire;
    endpoint_log log;
    wsolo::server_connection<wsolo::testing::scripted_transport, counted_schedule, logging_handler,
                             wsolo::in_the_loop, manual_traits>
        whole(wsolo::testing::scripted_transport(wire), counted_schedule{&log}, logging_handler{&log});
    std::string input = request + text_frame("one");
    CHECK(whole.receive(std::as_writable_bytes(std::span(input))).read);
    CHECK(log.messages == std::vector<std::string>{"one"});
}

// ---- a transport whose writes end later

namespace {

struct completing : driven_connection<server_of<wsolo::testing::completing_transport>> {
    completing() {
        whole.emplace(wsolo::testing::completing_transport(wire), counted_schedule{&log},
                      server_handler{{&log}}, quiet_options::server());
        run();
    }
    wsolo::testing::completing_wire wire;
};

} // namespace

TEST_CASE("an answer over writes that end later", "[connection][server]") {
    for (const std::size_t at_most : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
        completing s;
        s.receive(request + text_frame("early"));
        CHECK(s.whole->opened() == nullptr);
        CHECK_FALSE(s.wants.write); // the completion asks for the turn
        CHECK_FALSE(s.wants.read);
        for (int i = 0; s.whole->opened() == nullptr && i < 1000; ++i) {
            const int asked = s.log.scheduled;
            s.wire.end(io_status::ok, at_most);
            CHECK(s.log.scheduled == asked + 1);
            s.run();
        }
        REQUIRE(s.whole->opened() != nullptr);
        CHECK(s.log.messages == std::vector<std::string>{"early"});
        s.wire.end();
        CHECK(seen_on_wire(s.wire.bytes(), false).frames == sent_frames{{1, "early"}});
    }
}

TEST_CASE("a write that ends inside of its start", "[connection][server]") {
    completing s;
    s.wire.at_once(true);
    s.receive(request + text_frame("early"));
    CHECK(seen_on_wire(s.wire.bytes(), false).frames == sent_frames{{1, "early"}});
}

TEST_CASE("a page over writes that end later lingers", "[connection][server]") {
    completing s;
    s.receive(page_request);
    CHECK(s.wants.read);
    CHECK_FALSE(s.wire.output_ended());
    s.wire.end();
    s.run();
    CHECK(s.wire.output_ended());
    CHECK_FALSE(s.wire.disconnected());
    s.end_of_input();
    CHECK(s.wants.finished);
}

TEST_CASE("an answer whose write fails, is lost, or is late", "[connection][server]") {
    completing s;
    s.receive(request);
    SECTION("fails") {
        s.wire.end(io_status::failed, 3);
        s.run();
    }
    SECTION("is lost") {
        s.wire.lose();
        s.run();
    }
    SECTION("is late") {
        manual_clock::advance(1min);
        s.run();
    }
    CHECK(s.wants.finished);
    CHECK(s.wire.disconnected());
    if (s.wire.in_flight()) s.wire.end();
}

TEST_CASE("a connection that goes under its write leaves the bytes to it", "[connection][server]") {
    completing s;
    s.receive(request);
    s.whole.reset();
    const int asked = s.log.scheduled;
    s.wire.end(); // reads them
    CHECK(s.log.scheduled == asked);
    CHECK(seen_on_wire(s.wire.bytes(), false).status() == "HTTP/1.1 101");
}
