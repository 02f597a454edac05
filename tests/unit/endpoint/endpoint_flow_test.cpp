// Would catch: two sides that push to each other and both stop reading, input that is lost because a host can't stop at once,
// replies that pile up although the peer does not read, reading that is not taken up again, input beyond a rate, and a slow
// download that is taken for a dead peer.

#include <support/endpoint_fixture.hpp>

#include <wsolo/testing/pair.hpp>

namespace {

using wsolo::testing::link_options;
using wsolo::testing::paired;
using wsolo::testing::virtual_clock;

struct counting {
    std::uint64_t* count;
    void on_message(auto&, wsolo::message&&) const { ++*count; }
};
struct echoing {
    std::uint64_t* refused;
    errc on_message(auto& e, wsolo::message&& received) const {
        const errc answer = e.send(received);
        *refused += answer == errc::queue_full ? 1 : 0;
        return answer;
    }
};

/// Takes no message until it wants one, although the loop handles.
struct choosy {
    bool* wants;
    std::string* got;
    [[nodiscard]] bool wants_message() const { return *wants; }
    void on_message(auto&, const wsolo::message& received) const { *got += received.text(); }
};

} // namespace

TEST_CASE("two sides that push to each other read on", "[endpoint][flow]") {
    wsolo::testing::pair net(link_options{.latency = 1ms, .send_buffer = 20'000, .receive_buffer = 20'000});
    std::uint64_t at_server = 0, at_client = 0;
    paired<counting> one(net.server.transport(), net.server.wake(), counting{&at_server});
    paired<counting, client> other(net.client.transport(), net.client.wake(), counting{&at_client});
    net.server.drive(one);
    net.client.drive(other);
    const std::string text(40, 'q');
    constexpr std::uint64_t total = 400'000;
    std::uint64_t sent = 0, sent_back = 0;
    const auto push = [&] {
        while (sent < total && one.send_text(text) == errc::none) ++sent;
        while (sent_back < total && other.send_text(text) == errc::none) ++sent_back;
        return at_server == total && at_client == total;
    };
    CHECK(net.run_until(push, 1h));
    CHECK(at_server == total);
    CHECK(at_client == total);
    REQUIRE(one.close() == errc::none);
    CHECK(net.run_to_the_end());
    CHECK(one.how_it_ended().reason == errc::none);
    CHECK(other.how_it_ended().reason == errc::none);
}

TEMPLATE_TEST_CASE("a handler in the loop that wants no message is called with none", "[endpoint][flow]",
                   server, client) {
    wsolo::testing::pair net(link_options{.latency = 1ms});
    bool wants = false;
    std::string got;
    std::uint64_t none = 0;
    auto& ours = std::same_as<TestType, server> ? net.server : net.client;
    auto& theirs = std::same_as<TestType, server> ? net.client : net.server;
    using other = std::conditional_t<std::same_as<TestType, server>, client, server>;
    paired<choosy, TestType> one(ours.transport(), ours.wake(), choosy{&wants, &got});
    paired<counting, other> peer(theirs.transport(), theirs.wake(), counting{&none});
    ours.drive(one);
    theirs.drive(peer);
    for (const char* text : {"1", "2", "3"}) REQUIRE(peer.send_text(text) == errc::none);
    net.run_for(10ms);
    CHECK(got.empty());
    wants = true;
    one.want_messages();
    net.run_for(10ms);
    CHECK(got == "123");
}

TEMPLATE_TEST_CASE("what a host receives although it should not is kept within the inbox's bound",
                   "[endpoint][flow]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.max_unsent = 1000;
    options.handling.max_bytes = 100'000;
    std::uint64_t refused = 0;
    endpoint_fixture<TestType> f(options);
    f.log.on_message = [&](const wsolo::message& received) {
        const errc answer = f.whole->send(received);
        refused += answer == errc::queue_full ? 1 : 0;
        return answer;
    };
    bool is_full = true;
    f.wire.rule([&is_full] {
        return wsolo::testing::scripted_step{is_full ? io_status::would_block : io_status::ok,
                                             is_full ? std::size_t{0} : static_cast<std::size_t>(-1), 0};
    });
    std::size_t count = 0;
    for (std::size_t bytes = 0; bytes < 90'000; bytes += 310, ++count)
        f.receive(f.text(std::string(300, 'x')));
    CHECK_FALSE(f.wants.read);
    CHECK(f.log.messages.size() <= 5);
    SECTION("nothing is lost") {
        is_full = false;
        f.run();
        f.run_until_quiet();
        CHECK(f.wants.read);
        CHECK(f.log.messages.size() == count);
        CHECK(f.sent().size() == count);
        CHECK(refused == 0);
    }
    SECTION("beyond the bound it fails") {
        for (int i = 0; i < 100; ++i) f.receive(f.text(std::string(300, 'x')));
        is_full = false;
        f.run();
        f.run_until_quiet();
        CHECK(f.end_of_input().finished);
        CHECK(f.log.endings.at(0).reason == errc::inbox_overflow);
        CHECK(f.sent().back().second.substr(0, 2) == "\x03\xf0"); // 1008
    }
}

TEMPLATE_TEST_CASE("what came in one read waits for room for its answers too", "[endpoint][flow]", server,
                   client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.max_unsent = 1000;
    endpoint_fixture<TestType> f(options);
    f.log.on_message = [&](const wsolo::message& received) { return f.whole->send(received); };
    f.wire.then({io_status::would_block, 0, 0});
    std::string input;
    for (int i = 0; i < 40; ++i) input += f.text(std::string(300, 'x'));
    CHECK_FALSE(f.receive(input).read);
    CHECK(f.log.messages.size() == 4);
    f.run();
    f.run_until_quiet();
    CHECK(f.wants.read);
    CHECK(f.sent().size() == 40);
}

TEMPLATE_TEST_CASE("a pool handles no message while the answers before it have not left", "[endpoint][flow]",
                   server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.max_unsent = 1000;
    endpoint_fixture<TestType, counted_work> f(options);
    f.log.on_message = [&](const wsolo::message& received) { return f.whole->send(received); };
    std::string input;
    for (int i = 0; i < 20; ++i) input += f.text(std::string(300, 'x'));
    f.receive(input);
    f.whole->work();
    CHECK(f.log.messages.size() == 4);
    for (int turns = 0; turns < 20 && f.log.messages.size() < 20; ++turns) {
        f.run();
        f.whole->work();
    }
    CHECK(f.log.messages.size() == 20);
}

TEMPLATE_TEST_CASE("answers that have left do not count", "[endpoint][flow]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.max_unsent = 100;
    endpoint_fixture<TestType> f(options);
    f.log.on_message = [&](const wsolo::message& received) { return f.whole->send(received); };
    f.receive(f.text(std::string(50, 'x')));
    CHECK(f.sent().size() == 1);
    f.wire.then({io_status::would_block, 0, 0});
    CHECK(f.receive(f.text(std::string(60, 'x'))).read);
}

TEMPLATE_TEST_CASE("one receive() may bring more than the inbox holds", "[endpoint][flow]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handling.max_bytes = 1000;
    options.handle_quantum = 1; // so that the rest is kept
    endpoint_fixture<TestType> f(options);
    std::string input;
    for (int i = 0; i < 20; ++i) input += f.text(std::string(300, 'x'));
    CHECK_FALSE(f.receive(input).read);
    CHECK(f.log.messages.size() == 1);
    f.run_until_quiet();
    for (int turns = 0; turns < 20 && !f.wants.read; ++turns) f.run();
    CHECK(f.wants.read);
    CHECK(f.log.messages.size() == 20);
}

TEMPLATE_TEST_CASE("what is beyond a turn's quantum is read in turns of its own", "[endpoint][flow]", server,
                   client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handle_quantum = 3;
    endpoint_fixture<TestType> f(options);
    std::string input;
    for (int i = 0; i < 8; ++i) input += f.text(std::to_string(i));
    input += f.frame(wsolo::opcode::ping, "last");
    CHECK_FALSE(f.receive(input).read); // first what is here
    for (std::size_t handled = 3; handled < 8; handled += 3) {
        CHECK(f.log.messages.size() == handled);
        CHECK(std::exchange(f.log.scheduled, 0) == 1);
        CHECK(f.sent().empty());
        f.run();
    }
    CHECK(f.log.messages.size() == 8);
    CHECK(f.log.scheduled == 0);
    CHECK(f.wants.read);
    CHECK(f.sent() == sent_frames{{10, "last"}});
    // A quantum that ends with the read leaves nothing.
    CHECK(f.receive(f.text("8") + f.text("9") + f.text("10")).read);
    CHECK(f.log.messages.size() == 11);
    CHECK(f.log.scheduled == 0);
}

TEMPLATE_TEST_CASE("a stream that ends beyond a turn's quantum is read to its end", "[endpoint][flow]",
                   server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handle_quantum = 1;
    endpoint_fixture<TestType> f(options);
    f.log.on_message = [&](const wsolo::message& received) { return f.whole->send(received); };
    const bool says_close = GENERATE(false, true);
    f.receive(f.text("1") + f.text("2") + f.text("3") + (says_close ? f.close_frame() : std::string()));
    f.end_of_input();
    f.run_until_quiet();
    CHECK(f.log.messages == std::vector<std::string>{"1", "2", "3"});
    REQUIRE(f.sent().size() == 4);
    CHECK(f.sent()[2].second == "3");
    CHECK(f.sent()[3].second.substr(0, 2) == (says_close ? "\x03\xe8" : "\x03\xea")); // 1000, 1002
    CHECK(f.wants.finished);
    CHECK(f.log.endings.at(0).reason == (says_close ? errc::none : errc::connection_lost));
}

TEST_CASE("replies wait for a peer that does not read, and none is refused", "[endpoint][flow]") {
    wsolo::testing::pair net(link_options{.send_buffer = 4096, .receive_buffer = 4096});
    wsolo::endpoint_options options;
    options.max_unsent = 10'000;
    options.writing.limits.max_bytes = 40'000;
    std::uint64_t refused = 0, got = 0;
    paired<echoing> one(net.server.transport(), net.server.wake(), echoing{&refused}, options);
    paired<counting, client> other(net.client.transport(), net.client.wake(), counting{&got});
    net.server.drive(one);
    net.client.drive(other);
    std::uint64_t sent = 0;
    const std::string text(3000, 'q');
    const auto push = [&] {
        while (sent < 500 && other.send_text(text) == errc::none) ++sent;
        return got == 500;
    };
    net.client.sleep_for(5s); // the process does not read for a while
    CHECK(net.run_until(push, 1h));
    CHECK(refused == 0);
    CHECK(one.how_it_ended().reason == errc::none);
}

TEST_CASE("a download that goes on slowly is alive, however long", "[endpoint][flow]") {
    // 60 KB/s, and megabytes in the kernel's buffer: the PING comes to the peer a minute after it left.
    wsolo::testing::pair net(wsolo::testing::pair_options{
        .to_client = {.latency = 10ms, .rate = 60'000, .send_buffer = 4 * 1024 * 1024}});
    std::uint64_t at_server = 0, got = 0;
    paired<counting> one(net.server.transport(), net.server.wake(), counting{&at_server});
    paired<counting, client> other(net.client.transport(), net.client.wake(), counting{&got});
    net.server.drive(one);
    net.client.drive(other);
    const std::string chunk(30'000, 'd');
    const wsolo::time_point last = virtual_clock::now() + 10min;
    net.run_until(
        [&] {
            while (one.writer().queued_bytes() < 256 * 1024 && one.send_text(chunk) == errc::none) {}
            return net.server.is_finished() || virtual_clock::now() >= last;
        },
        10min);
    CHECK_FALSE(net.server.is_finished());
    CHECK_FALSE(net.client.is_finished());
    CHECK(got > 1000);
}

TEMPLATE_TEST_CASE("what comes faster than its rate ends the connection", "[endpoint][flow]", server,
                   client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.rate = {.messages = {3, 2}, .bytes = {1000, 0}, .control_frames = {2, 1}};
    endpoint_fixture<TestType> f(options);
    std::string over;
    std::uint64_t pings = 0;
    SECTION("messages") {
        for (int i = 0; i < 6; ++i) over += f.text("m");
    }
    SECTION("bytes") { over = f.text(std::string(1001, 'x')); }
    SECTION("control frames") {
        const auto kind = GENERATE(wsolo::opcode::ping, wsolo::opcode::pong);
        for (int i = 0; i < 4; ++i) over += f.frame(kind, "");
        pings = kind == wsolo::opcode::ping ? 3 : 0;
    }
    SECTION("in time they may come") {
        for (int i = 0; i < 20; ++i) {
            manual_clock::advance(1s);
            f.receive(f.text("m") + f.text("m") + f.frame(wsolo::opcode::pong, ""));
        }
        CHECK(f.log.messages.size() == 40);
        return;
    }
    f.receive(over + f.text("not looked at") + f.frame(wsolo::opcode::ping, "nor this"));
    CHECK(f.log.messages.size() <= 5);
    CHECK(f.sent().back().second.substr(0, 2) == "\x03\xf0"); // 1008
    CHECK(f.whole->counters().pings_received == pings);
    CHECK(f.whole->counters().texts_received <= 5);
    CHECK(f.wire.output_ended());
    f.receive(f.text("nor this"));
    CHECK(f.end_of_input().finished);
    CHECK(f.log.endings.at(0).reason == errc::rate_exceeded);
}

TEMPLATE_TEST_CASE("what came within its rate is answered before what came too fast ends the connection",
                   "[endpoint][flow]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.rate.messages = {2, 0};
    options.handle_quantum = GENERATE(0U, 1U);
    const auto echo = [](auto& f) {
        f.log.on_message = [&f](const wsolo::message& received) {
            return f.whole->send_text(received.text());
        };
    };
    const auto judge = [](auto& f) {
        const auto sent = f.sent();
        REQUIRE(sent.size() == 3);
        CHECK(sent[0].second == "a");
        CHECK(sent[1].second == "b");
        CHECK(sent[2].second.substr(0, 2) == "\x03\xf0"); // 1008
        f.receive(f.text("d"));
        CHECK(f.end_of_input().finished);
        CHECK(f.log.endings.at(0).reason == errc::rate_exceeded);
        CHECK(f.log.messages.size() == 2);
    };
    SECTION("in the loop") {
        endpoint_fixture<TestType> f(options);
        echo(f);
        f.receive(f.text("a") + f.text("b") + f.text("c"));
        f.run_until_quiet();
        judge(f);
    }
    SECTION("in a pool") {
        endpoint_fixture<TestType, counted_work> f(options);
        echo(f);
        f.receive(f.text("a") + f.text("b") + f.text("c"));
        CHECK(f.sent().empty());
        for (int i = 0; i < 3; ++i) f.whole->work();
        f.run();
        judge(f);
    }
    SECTION("but not for ever") {
        endpoint_fixture<TestType, counted_work> f(options);
        f.receive(f.text("a") + f.text("c") + f.text("c"));
        const wsolo::time_point by = manual_clock::now() + options.ending.close_timeout;
        CHECK(f.wants.deadline <= by);
        f.live_for(by - manual_clock::now());
        REQUIRE(f.sent().size() == 1);
        CHECK(f.sent()[0].second.substr(0, 2) == "\x03\xf0");
    }
}

TEMPLATE_TEST_CASE("a message that never ends has an age", "[endpoint][flow]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.reading.max_message_age = 10s;
    endpoint_fixture<TestType> f(options);
    f.receive(f.frame({wsolo::opcode::text, false}, "begun"));
    for (int i = 0; i < 4; ++i) {
        CHECK_FALSE(f.live_for(2s).finished);
        f.receive(f.frame({wsolo::opcode::continuation, false}, "."));
    }
    f.live_for(5s);
    f.run_until_quiet();
    CHECK(f.sent().at(0).second.substr(0, 2) == "\x03\xf0"); // 1008
    CHECK(f.end_of_input().finished);
    CHECK(f.log.endings.at(0).reason == errc::message_timeout);
}

TEMPLATE_TEST_CASE("a message that this side does not read on does not age", "[endpoint][flow]", server,
                   client) {
    auto options = endpoint_fixture<TestType, counted_work>::quiet();
    options.reading.max_message_age = 10s;
    options.max_unsent = 1;
    options.writing.timeouts.write = 0s;
    endpoint_fixture<TestType, counted_work> f(options);
    f.log.on_message = [&](const wsolo::message& received) { return f.whole->send(received); };
    bool is_full = true;
    f.wire.rule([&is_full] {
        return wsolo::testing::scripted_step{is_full ? io_status::would_block : io_status::ok,
                                             is_full ? std::size_t{0} : static_cast<std::size_t>(-1), 0};
    });
    CHECK(f.receive(f.text("one") + f.frame({wsolo::opcode::text, false}, "two")).read);
    f.whole->work();
    CHECK_FALSE(f.run().read); // its answer waits
    for (int i = 0; i < 60; ++i) {
        manual_clock::advance(2s);
        f.run();
    }
    is_full = false;
    f.run();
    f.run_until_quiet();
    CHECK(f.wants.read);
    f.receive(f.frame({wsolo::opcode::continuation, true}, " ended"));
    f.whole->work();
    f.run_until_quiet();
    CHECK(f.sent() == sent_frames{{1, "one"}, {1, "two ended"}});
}

TEST_CASE("a Close is waited for as long as the peer takes what stands before it", "[endpoint][flow]") {
    // 100 KB/s, and 2 MB in the kernel's buffer before the Close: twenty seconds, and close_timeout is five.
    wsolo::testing::pair net(wsolo::testing::pair_options{
        .to_client = {.latency = 10ms, .rate = 100'000, .send_buffer = 4 * 1024 * 1024}});
    std::uint64_t at_server = 0, got = 0;
    paired<counting> one(net.server.transport(), net.server.wake(), counting{&at_server});
    paired<counting, client> other(net.client.transport(), net.client.wake(), counting{&got});
    net.server.drive(one);
    net.client.drive(other);
    const std::string chunk(100'000, 'd');
    for (int i = 0; i < 20; ++i) REQUIRE(one.send_text(chunk) == errc::none);
    REQUIRE(one.close() == errc::none);
    CHECK(net.run_to_the_end());
    CHECK(got == 20);
    CHECK(one.how_it_ended().reason == errc::none);
    CHECK(other.how_it_ended().reason == errc::none);
}
