// Would catch: bytes that arrive early, late, twice or in another order; a rate, a bound or a cut that is not kept; a
// stream's end before its last byte; a reset that spares what was on its way, or destroys what had arrived; a proxy that
// waits for the second end; a side that is called when it wants nothing, while it sleeps, or after it is finished.

#include <support/catch.hpp>

#include <wsolo/testing/pair.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using wsolo::errc;
using wsolo::testing::link_options;
using wsolo::testing::paired;
using wsolo::testing::virtual_clock;

namespace {

struct counting {
    int got = 0;
    void on_message(auto&, wsolo::message&&) { ++got; }
};

struct echo {
    errc on_message(auto& whole, wsolo::message&& received) { return whole.send_text(received.text()); }
};

std::string bytes_like(std::size_t count) {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>('a' + i * 7 % 26);
    return bytes;
}

/// A side that reads what comes, and notes when.
struct noting {
    wsolo::endpoint_wants wants{};
    std::string got;
    std::vector<wsolo::duration> at;
    std::vector<std::size_t> sizes;
    std::vector<errc> ends;
    int runs = 0;
    wsolo::time_point start = virtual_clock::now();
    std::function<void()> on_run = [] {};

    wsolo::endpoint_wants receive(wsolo::mutable_bytes bytes) {
        got += wsolo::text_of(bytes);
        at.push_back(virtual_clock::now() - start);
        sizes.push_back(bytes.size());
        return wants;
    }
    wsolo::endpoint_wants end_of_input(errc why) {
        at.push_back(virtual_clock::now() - start);
        ends.push_back(why);
        return wants;
    }
    wsolo::endpoint_wants run() {
        ++runs;
        on_run();
        return wants;
    }
};

using deltas = std::vector<wsolo::duration>;
using sizes = std::vector<std::size_t>;
using ends = std::vector<errc>;

} // namespace

TEST_CASE("two endpoints talk, and close in order", "[testing][pair]") {
    wsolo::testing::pair net({.latency = 20ms, .cut = 1});
    paired<echo> server(net.server.transport(), net.server.wake(), echo{});
    paired<counting, wsolo::client_side<>> client(net.client.transport(), net.client.wake(), counting{});
    net.server.drive(server);
    net.client.drive(client);
    CHECK(client.send_text("hello") == errc::none);
    net.run_for(30ms);
    CHECK(client.handler().got == 0); // on its way back
    net.run_for(10ms);
    CHECK(client.handler().got == 1);
    CHECK(client.close(wsolo::close_code::going_away) == errc::none);
    CHECK(net.run_to_the_end());
    CHECK(client.how_it_ended().reason == errc::none);
    CHECK(server.how_it_ended().code == wsolo::close_code::going_away);
    CHECK_FALSE(net.has_spun());
}

TEST_CASE("heartbeats pass while both sides are silent, in no time", "[testing][pair]") {
    wsolo::testing::pair net;
    paired<counting> server(net.server.transport(), net.server.wake(), counting{});
    paired<counting, wsolo::client_side<>> client(net.client.transport(), net.client.wake(), counting{});
    net.server.drive(server);
    net.client.drive(client);
    net.run_for(24h);
    CHECK_FALSE(net.server.is_finished());
    CHECK_FALSE(net.client.is_finished());
    net.stall();
    net.run_for(10min);
    CHECK(server.how_it_ended().reason == errc::pong_timeout);
    CHECK(client.how_it_ended().reason == errc::pong_timeout);
}

TEST_CASE("bytes arrive after the latency, in deliveries of the cut", "[testing][pair]") {
    wsolo::testing::pair net({.latency = 5ms, .cut = 3});
    noting side;
    net.server.drive(side);
    CHECK(net.client.send("abcdefgh") == 8);
    net.run_for(4ms);
    CHECK(side.got == "");
    net.run_for(1ms);
    CHECK(side.got == "abcdefgh");
    CHECK(side.sizes == sizes{3, 3, 2});
    CHECK(side.at == deltas{5ms, 5ms, 5ms});
    CHECK(side.runs == 1); // once, at the beginning
}

TEST_CASE("cuts that are drawn lie between one and the cut, and repeat with their seed", "[testing][pair]") {
    const auto cuts = [](std::uint64_t seed) {
        wsolo::testing::pair net({.cut = 5, .seed = seed});
        noting side;
        net.server.drive(side);
        net.client.send(bytes_like(200));
        net.run_for(1s);
        CHECK(side.got == bytes_like(200));
        return side.sizes;
    };
    const sizes drawn = cuts(7);
    CHECK(drawn == cuts(7));
    CHECK(drawn != cuts(8));
    for (std::size_t wanted = 1; wanted <= 5; ++wanted)
        CHECK(std::find(drawn.begin(), drawn.end(), wanted) != drawn.end());
    for (const std::size_t each : drawn) CHECK((each >= 1 && each <= 5));
}

TEST_CASE("bytes arrive at the rate, steadily", "[testing][pair]") {
    wsolo::testing::pair net({.latency = 0ms, .rate = 1000, .send_buffer = 0});
    noting side;
    net.client.drive(side);
    net.server.send(bytes_like(3000));
    for (std::size_t i = 1; i <= 10; ++i) {
        net.run_for(100ms);
        CHECK(side.got.size() == 100 * i);
    }
    virtual_clock::advance(1s); // no side runs, and the bytes go on
    net.settle();
    CHECK(side.got.size() == 2000);
    net.run_for(1h);
    CHECK(side.got == bytes_like(3000));
    CHECK(side.at.back() == 3s);
}

TEST_CASE("kernels take no more than their buffers, and say when there is room", "[testing][pair]") {
    wsolo::testing::pair net({.latency = 1ms, .send_buffer = 100, .receive_buffer = 50});
    noting reader, writer;
    reader.wants.read = false;
    net.server.drive(reader);
    auto stream = net.client.transport();
    const std::string bytes = bytes_like(1000);
    std::size_t sent = 0;
    writer.on_run = [&] {
        const wsolo::const_bytes parts[] = {wsolo::bytes_of(bytes).subspan(sent, 1),
                                            wsolo::bytes_of(bytes).subspan(sent + 1)};
        const auto how = stream.write(parts, wsolo::no_deadline);
        sent += how.transferred;
        CHECK((how.status == wsolo::io_status::ok) == (how.transferred != 0));
        writer.wants.write = sent < bytes.size();
    };
    net.client.drive(writer);
    net.run_for(1s);
    CHECK(sent == 150);
    CHECK(stream.unsent() == 100);
    CHECK(writer.runs == 2); // at the beginning, and when 50 had arrived

    reader.wants.read = true;
    net.server.drive(reader);
    net.run_for(1s);
    CHECK(sent == bytes.size());
    CHECK(reader.got == bytes);
    CHECK(stream.unsent() == 0);
}

TEST_CASE("the end of the output is read after the last byte, and the other direction goes on",
          "[testing][pair]") {
    wsolo::testing::pair net({.latency = 2ms, .rate = 1000});
    noting side;
    net.server.drive(side);
    net.client.send("0123456789");
    net.client.end_output();
    CHECK(net.client.send("more") == 0);
    net.run_for(1s);
    CHECK(side.got == "0123456789");
    CHECK(side.ends == ends{errc::none});
    CHECK(side.at.back() == 12ms);
    auto stream = net.server.transport();
    CHECK(net.server.send("answer") == 6);
    stream.end_output();
    net.run_for(1s);
    CHECK(net.client.receive(3) == "ans");
    CHECK_FALSE(net.client.is_at_end());
    CHECK(net.client.receive() == "wer");
    CHECK(net.client.is_at_end());
    CHECK_FALSE(net.client.is_reset());
}

TEST_CASE("the end is not read before the window lets the bytes through", "[testing][pair]") {
    wsolo::testing::pair net({.receive_buffer = 4});
    net.client.send("0123456789");
    net.client.end_output();
    std::string got;
    for (int i = 0; i < 3; ++i) {
        net.run_for(10ms);
        CHECK_FALSE(net.server.is_at_end());
        got += net.server.receive();
    }
    net.run_for(10ms);
    CHECK(got == "0123456789");
    CHECK(net.server.is_at_end());
}

TEST_CASE("a socket that is closed with bytes unread resets, and what was on its way is lost",
          "[testing][pair]") {
    wsolo::testing::pair net({.latency = 10ms, .rate = 1000});
    net.client.send("unread");
    net.server.send(bytes_like(100));
    net.run_for(50ms);
    net.server.close();
    CHECK(net.server.send("more") == 0);
    net.run_for(9ms);
    CHECK_FALSE(net.client.is_reset());
    CHECK(net.client.send("does not know yet") == 17);
    net.run_for(1ms);
    CHECK(net.client.is_reset());
    CHECK(net.client.send("knows") == 0);
    CHECK(net.client.receive(10) == bytes_like(40).substr(0, 10)); // what had arrived stays
    CHECK_FALSE(net.client.is_at_end());
    CHECK(net.client.receive() == bytes_like(40).substr(10));
    CHECK(net.client.is_at_end());
    CHECK(net.to_client().lost() == 60);
    CHECK(net.to_server().lost() == 6 + 17);
    net.run_for(1h);
    CHECK(net.client.receive() == "");
}

TEST_CASE("a socket that is closed sends what it took, and resets what comes after", "[testing][pair]") {
    wsolo::testing::pair net({.latency = 10ms});
    net.server.send("goodbye");
    net.server.close();
    net.run_for(10ms);
    CHECK(net.client.receive() == "goodbye");
    CHECK(net.client.is_at_end());
    CHECK_FALSE(net.client.is_reset());
    CHECK(net.client.send("a last word") == 11);
    net.run_for(19ms);
    CHECK_FALSE(net.client.is_reset());
    net.run_for(1ms);
    CHECK(net.client.is_reset());
    CHECK(net.to_server().lost() == 11);

    SECTION("and with it what has not left the kernel yet") {
        wsolo::testing::pair slow({.latency = 10ms, .rate = 1000});
        slow.server.send(bytes_like(1000));
        slow.server.close();
        slow.client.send("heartbeat");
        slow.run_for(10s);
        CHECK(slow.client.is_reset());
        CHECK(slow.client.receive().size() < 30);
        CHECK(slow.to_client().lost() > 970);
    }
}

TEST_CASE("disconnect() ends both directions; what has arrived is readable, what comes is refused",
          "[testing][pair]") {
    wsolo::testing::pair net({.latency = 10ms, .cut = 4});
    noting side;
    side.wants.read = false;
    net.server.drive(side);
    net.client.send("arrived");
    net.run_for(10ms);
    net.server.transport().disconnect();
    side.wants.read = true;
    net.server.drive(side);
    net.settle();
    CHECK(side.got == "arrived");
    CHECK(side.ends == ends{errc::none});
    net.run_for(10ms);
    CHECK(net.client.is_at_end());
    CHECK(net.client.send("late") == 4);
    net.run_for(20ms);
    CHECK(net.client.is_reset());
}

TEST_CASE("the writer's end is told to the stream", "[testing][pair]") {
    wsolo::testing::pair net;
    SECTION("destroyed: both directions end") {
        { paired<counting> server(net.server.transport(), net.server.wake(), counting{}); }
        net.run_for(1s);
        CHECK(net.client.is_at_end());
        net.client.send("late");
        net.run_for(1s);
        CHECK(net.client.is_reset());
    }
}

TEST_CASE("a reset between them reaches both", "[testing][pair]") {
    wsolo::testing::pair net({.latency = 10ms});
    noting server, client;
    net.server.drive(server);
    net.client.drive(client);
    net.server.send("lost");
    net.reset();
    net.run_for(4ms);
    CHECK(server.ends.empty());
    CHECK(net.client.send("sent before it hears of it") == 26);
    net.run_for(1ms);
    CHECK(server.ends == ends{errc::connection_lost});
    CHECK(client.ends == ends{errc::connection_lost});
    CHECK(net.server.send("more") == 0);
    CHECK(net.client.send("more") == 0);
    net.run_for(1s);
    CHECK(client.got == "");
    CHECK(server.got == "");
    CHECK(net.to_server().lost() == 26);
    const wsolo::const_bytes part = wsolo::bytes_of("x");
    CHECK(net.server.transport().write({&part, 1}, wsolo::no_deadline).status == wsolo::io_status::failed);
}

TEST_CASE("a stalled stream keeps its bytes", "[testing][pair]") {
    wsolo::testing::pair net({.latency = 10ms});
    net.client.send("before");
    net.run_for(5ms);
    net.stall();
    CHECK(net.client.send(" meanwhile") == 10);
    net.run_for(1h);
    CHECK(net.server.receive() == "");
    net.resume();
    net.settle();
    CHECK(net.server.receive() == "before");
    net.run_for(10ms);
    CHECK(net.server.receive() == " meanwhile");
}

TEST_CASE("a proxy ends both directions at the first end", "[testing][pair]") {
    wsolo::testing::pair net({.to_server = {.latency = 10ms}, .to_client = {.latency = 10ms}, .proxy = true});
    net.client.send("the last order");
    net.client.end_output();
    net.run_for(2ms);
    net.server.send("passes the proxy before the end does? no"); // at 7 ms; the end is there at 5 ms
    net.run_for(8ms);
    CHECK(net.server.receive() == "the last order");
    CHECK(net.server.is_at_end());
    CHECK(net.client.is_at_end());
    CHECK(net.client.receive() == "");
    CHECK_FALSE(net.server.is_reset());
    net.run_for(2ms); // 12 ms: the answer came to the proxy at 7 ms
    CHECK(net.server.is_reset());
    CHECK_FALSE(net.client.is_reset());
    CHECK(net.to_client().lost() == 40);

    SECTION("and what has passed it arrives") {
        wsolo::testing::pair again(
            {.to_server = {.latency = 10ms}, .to_client = {.latency = 10ms}, .proxy = true});
        again.server.send("has passed");
        again.run_for(1ms);
        again.client.end_output();
        again.run_for(9ms);
        CHECK(again.client.receive() == "has passed");
        again.run_for(1ms);
        CHECK(again.client.is_at_end());
    }
}

TEST_CASE("a side is not called while it sleeps, nor when it is finished", "[testing][pair]") {
    wsolo::testing::pair net({.latency = 1ms});
    noting side;
    net.server.drive(side);
    net.settle();
    CHECK(side.runs == 1);
    net.server.sleep_for(10s);
    net.client.send("x");
    CHECK(net.server.wake()());
    net.run_for(9s);
    CHECK(side.got == "");
    CHECK(side.runs == 1);
    net.run_for(1s);
    CHECK(side.got == "x");
    CHECK(side.runs == 2);

    side.wants = {.read = false, .finished = true};
    net.client.send("y");
    net.run_for(1s);
    CHECK(net.server.is_finished());
    CHECK(side.got == "xy");
    CHECK(net.server.wake()());
    net.client.send("z");
    net.run_for(1s);
    CHECK(side.runs == 2);
    CHECK(side.got == "xy");
    CHECK(net.client.is_reset()); // the socket was closed
}

TEST_CASE("a side is run at its deadline", "[testing][pair]") {
    wsolo::testing::pair net;
    noting side;
    std::vector<wsolo::duration> at;
    const wsolo::time_point start = virtual_clock::now();
    side.on_run = [&] {
        at.push_back(virtual_clock::now() - start);
        side.wants.deadline = virtual_clock::now() + 3s;
    };
    net.client.drive(side);
    net.run_for(10s);
    CHECK(at == deltas{0s, 3s, 6s, 9s});
    SECTION("one that lies in the past for ever is noticed") {
        side.on_run = [&] { side.wants.deadline = virtual_clock::now(); };
        CHECK_FALSE(net.has_spun());
        net.run_for(5s);
        CHECK(net.has_spun());
    }
}

TEST_CASE("a hang-up is told to a side that does not read, if the loop does so", "[testing][pair]") {
    wsolo::testing::pair net;
    const bool tells = GENERATE(false, true);
    net.server.tell_hangups(tells);
    noting side;
    side.wants.read = false;
    net.server.drive(side);
    net.client.send("unread");
    net.client.end_output();
    net.run_for(1s);
    CHECK(side.ends == ends{}); // half of it
    net.server.end_output();
    net.run_for(1s);
    CHECK(side.ends == (tells ? ends{errc::connection_lost} : ends{}));
    side.wants.read = true;
    net.server.drive(side);
    net.run_for(1s);
    CHECK(side.got == "unread");
    CHECK(side.ends == (tells ? ends{errc::connection_lost} : ends{errc::none}));
}
