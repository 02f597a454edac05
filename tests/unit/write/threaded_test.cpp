// Would catch: a thread that sleeps through a send, a close or an abort; a destructor that leaves it running.

#include <support/catch.hpp>
#include <support/sockets.hpp>
#include <support/strict_parser.hpp>

#include <wsolo/adapt/posix.hpp>
#include <wsolo/write/threaded.hpp>

#include <functional>
#include <stdexcept>

#include <unistd.h>

using namespace std::chrono_literals;
using wsolo::errc;

namespace {

struct socket_pair {
    socket_pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
    ~socket_pair() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    std::string read_all() const {
        std::string all;
        char block[65536];
        for (ssize_t n; (n = ::read(ends[1], block, sizeof block)) > 0;)
            all.append(block, static_cast<std::size_t>(n));
        return all;
    }
    int ends[2];
};

using threaded = wsolo::threaded_writer<support::ending_socket>;

} // namespace

TEST_CASE("four producers, one writing thread, every frame whole and in its producer's order",
          "[write][threaded]") {
    socket_pair sockets;
    std::string wire;
    std::thread reader([&] { wire = sockets.read_all(); });
    std::uint64_t rejected = 0;
    {
        threaded out{support::ending_socket(sockets.ends[0])};
        std::vector<std::thread> producers;
        std::atomic<std::uint64_t> refused{0};
        for (int p = 0; p < 4; ++p) {
            producers.emplace_back([&, p] {
                for (int i = 0; i < 500; ++i) {
                    const std::string message = std::to_string(p) + " " + std::to_string(i);
                    if (out->send_text(message) != errc::none) ++refused;
                }
            });
        }
        for (std::thread& producer : producers) producer.join();
        rejected = refused;
        CHECK(out->close(wsolo::close_code::normal, "done", 20s) == errc::none);
        CHECK(out.wait());
        CHECK(out->report().is_clean());
        CHECK(out->report().frames_written == 2001);
    }
    reader.join();
    CHECK(rejected == 0);
    const strict::stream parsed = strict::parse(wire, false);
    CHECK(parsed.error == "");
    REQUIRE(parsed.frames.size() == 2001);
    int next[4] = {};
    for (std::size_t i = 0; i < 2000; ++i) {
        const std::string& message = parsed.frames[i].payload;
        const int producer = message[0] - '0';
        REQUIRE(message.substr(2) == std::to_string(next[producer]++));
    }
    CHECK(parsed.frames.back().opcode == 8);
}

TEST_CASE("a drain's bound reaches a thread that waits for a peer that does not read", "[write][threaded]") {
    socket_pair sockets;
    threaded out{support::ending_socket(sockets.ends[0])};
    const std::string block(1 << 20, 'x');
    while (out->send_binary(wsolo::bytes_of(block)) == errc::none) {}
    CHECK_FALSE(out.wait(std::chrono::steady_clock::now() + 30ms));
    REQUIRE(out->close(wsolo::close_code::normal, "", 50ms) == errc::none);
    CHECK(out.wait(std::chrono::steady_clock::now() + 20s));
    CHECK(out->report().reason == errc::drain_timed_out);
    CHECK(out->report().frames_dropped > 0);
}

TEST_CASE("a pump() of the user's own, even the last one, does not leave the thread asleep",
          "[write][threaded]") {
    struct slow { // the user's pump ends it while the thread finds the token taken
        wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
            std::this_thread::sleep_for(20ms);
            std::size_t all = 0;
            for (const auto part : parts) all += part.size();
            return {wsolo::io_status::ok, all, 0};
        }
        void finish(wsolo::end_of_write) {}
    };
    for (int round = 0; round < 5; ++round) {
        wsolo::threaded_writer<slow> out{slow{}};
        REQUIRE(out->close(wsolo::close_code::normal) == errc::none);
        while (out->pump().status != wsolo::pump_status::finished) {}
        CHECK(out.wait(std::chrono::steady_clock::now() + 20s));
    }
}

TEST_CASE("a thread that pumps beside the writer's own loses no wake-up", "[write][threaded]") {
    struct moody { // blocks two times in three
        std::atomic<unsigned>* calls;
        wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
            if (++*calls % 3 != 0) return {wsolo::io_status::would_block, 0, 0};
            return {wsolo::io_status::ok, parts[0].size(), 0};
        }
        bool wait_writable(wsolo::time_point) { return true; }
        void finish(wsolo::end_of_write) {}
    };
    std::atomic<unsigned> calls{0};
    wsolo::threaded_writer<moody> out{moody{&calls}};
    std::atomic<bool> over{false};
    std::thread own([&] {
        while (!over) static_cast<void>(out->pump());
    });
    for (int i = 0; i < 300; ++i) {
        REQUIRE(out->send_text("x") == errc::none);
        REQUIRE(out->flush(std::chrono::steady_clock::now() + 20s) == errc::none);
    }
    over = true;
    own.join();
    REQUIRE(out->send_text("x") == errc::none); // and the writer's own is still there
    CHECK(out->flush(std::chrono::steady_clock::now() + 20s) == errc::none);
}

TEST_CASE("destruction does not wait for the time that a close or a write has", "[write][threaded]") {
    wsolo::writer_options options; // a wait for one of these would never end
    options.timeouts.write = 0ms;
    options.timeouts.drain = 0ms;
    for (const bool closes : {false, true}) {
        socket_pair sockets;
        {
            threaded out{support::ending_socket(sockets.ends[0]), options};
            const std::string block(1 << 20, 'x');
            while (out->send_binary(wsolo::bytes_of(block)) == errc::none) {}   // the peer does not read
            while (out->report().bytes_written == 0) std::this_thread::yield(); // a frame stands half written
            if (closes) REQUIRE(out->close(wsolo::close_code::normal) == errc::none);
        }
        const strict::stream seen = strict::parse(sockets.read_all(), false); // up to the stream's end
        CHECK(seen.error == "");
        CHECK(seen.rest != 0); // cut inside the frame, which nothing followed
    }
}

TEST_CASE("destruction aborts and joins", "[write][threaded]") {
    socket_pair sockets;
    {
        threaded out{support::ending_socket(sockets.ends[0])};
        CHECK(out->send_text("maybe") == errc::none);
    }
    CHECK(strict::parse(sockets.read_all(), false).error == "");
}

TEST_CASE("a transport that throws while it waits has failed", "[write][threaded]") {
    struct throwing {
        wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point) {
            return {wsolo::io_status::would_block, 0, 0};
        }
        bool wait_writable(wsolo::time_point) { throw std::runtime_error("wait_writable"); }
        void finish(wsolo::end_of_write) {}
    };
    wsolo::threaded_writer<throwing> out{throwing{}};
    REQUIRE(out->send_text("lost") == errc::none);
    CHECK(out.wait(std::chrono::steady_clock::now() + 20s));
    CHECK(out->report().reason == errc::write_failed);
    CHECK(out->report().frames_dropped == 1);
}

TEST_CASE("tickets of every kind of item, from the thread that writes", "[write][threaded]") {
    socket_pair sockets;
    threaded out{support::ending_socket(sockets.ends[0])};
    const auto soon = std::chrono::steady_clock::now() + 20s;
    const auto frame = *wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of("shared"));
    const std::vector<std::function<errc(wsolo::on_outcome)>> kinds{
        [&](auto on_done) { return out->send(frame, on_done); },
        [&](auto on_done) { return out->send(wsolo::raw{frame.bytes()}, on_done); },
        [&](auto on_done) { return out->send(wsolo::outbound(wsolo::shared{frame}), on_done); },
        [&](auto on_done) { return out->send(*wsolo::make_ping<wsolo::role::server>({}), on_done); },
        [&](auto on_done) {
            return out->begin_message(wsolo::opcode::text).finish(wsolo::bytes_of("part"), on_done);
        },
        [&](auto on_done) { return out->close(wsolo::close_code::normal, "", 20s, on_done); },
    };
    for (const auto& send : kinds) {
        auto ticket = wsolo::observed(send);
        REQUIRE(ticket.error() == errc::none);
        CHECK(ticket.wait(soon) == errc::none);
    }
    CHECK(out.wait(soon));
    CHECK(out->report().frames_written == kinds.size());
    CHECK(wsolo::observed(kinds[0]).wait(soon) == errc::closed);
}
