// Would catch: two messages handled at once or out of order, an end that is not told, or told beside a handler, an
// endpoint destroyed under another thread's hands, a frame that was accepted and is in no report. Under TSan above all.

#include <support/endpoint_threads.hpp>

#include <wsolo/write/wait.hpp>

#include <wsolo/adapt/posix.hpp>
#include <wsolo/testing/scripted_transport.hpp>
#include <wsolo/write/wait.hpp>

#include <atomic>

namespace {

using namespace support;
using namespace std::chrono_literals;
using wsolo::errc;

constexpr int messages = 120;
enum class end_by { peer, close, abort, handler_error, handler_abort };

/// The peer's frames: numbered messages, a PING after every eighth, a Close where it is the one to end.
std::string input_of(end_by how) {
    std::string bytes;
    wsolo::random_keys keys;
    const auto add = [&](wsolo::opcode op, std::string_view payload) {
        REQUIRE(wsolo::append_frame<wsolo::role::client>(bytes, op, wsolo::bytes_of(payload), keys) ==
                errc::none);
    };
    for (int i = 0; i < messages; ++i) {
        add(wsolo::opcode::text, std::to_string(i));
        if (i % 8 == 0) add(wsolo::opcode::ping, std::to_string(i));
    }
    if (how == end_by::peer) add(wsolo::opcode::close, "\x03\xe8");
    return bytes;
}

wsolo::endpoint_options narrow() {
    wsolo::endpoint_options options;
    options.handling.max_messages = 8; // pauses and resumes all the time
    options.handle_quantum = 5;
    options.max_unsent = 4000;
    options.ending.close_timeout = 2s;
    return options;
}

/// Threads that send, and one that ends it, beside the loop.
template <class Endpoint>
struct crowd {
    crowd(std::optional<Endpoint>& whole, end_by how) {
        for (int id = 0; id < 2; ++id)
            threads_.emplace_back([this, handle = whole->handle(), id] {
                for (int i = 0; i < 100; ++i) {
                    const auto live = handle.try_use();
                    if (!live) return;
                    const errc sent = live->send_text("s" + std::to_string(id) + "." + std::to_string(i));
                    if (sent == errc::closed) return;
                    accepted += sent == errc::none;
                }
            });
        if (how != end_by::close && how != end_by::abort) return;
        threads_.emplace_back([handle = whole->handle(), how] {
            std::this_thread::sleep_for(300us);
            const auto live = handle.try_use();
            if (live && how == end_by::abort) live->abort();
            if (live && how == end_by::close) static_cast<void>(live->close(wsolo::close_code::going_away));
        });
    }
    void join() {
        for (std::thread& each : threads_) each.join();
    }
    std::atomic<std::uint64_t> accepted{0};

private:
    std::vector<std::thread> threads_;
};

/// What must hold, whatever happened first.
void judge(end_by how, const seen_by_handler& seen, std::uint64_t sent, const std::string& wire) {
    REQUIRE(seen.endings.size() == 1);
    const wsolo::ending& end = seen.endings[0];
    bool in_order = true;
    for (std::size_t i = 0; i < seen.messages.size(); ++i) in_order &= seen.messages[i] == std::to_string(i);
    CHECK(in_order);
    CHECK(end.handled.messages_handled == seen.messages.size());
    CHECK(end.written.frames_accepted() == sent + seen.echoes + end.control_frames);
    CHECK(end.written.bytes_written >= wire.size()); // the peer need not have read all
    const strict::stream all = strict::parse(wire, false);
    CHECK(all.error == "");
    switch (how) {
    case end_by::peer:
        CHECK(end.reason == errc::none);
        CHECK(seen.messages.size() == messages);
        CHECK(seen.echoes == messages);
        CHECK(end.peer_closed);
        CHECK(all.frames.size() == end.written.frames_accepted());
        CHECK(all.frames.back().opcode == 8);
        break;
    case end_by::handler_error:
        CHECK(end.reason == errc::message_too_big);
        REQUIRE_FALSE(all.frames.empty());
        CHECK(all.frames.back().payload.substr(0, 2) == "\x03\xf1"); // 1009
        CHECK(seen.messages.size() == 31);
        break;
    case end_by::handler_abort:
        CHECK(end.reason == errc::aborted);
        CHECK(end.code == wsolo::close_code::abnormal);
        CHECK(seen.messages.size() == 31);
        break;
    case end_by::abort:
    case end_by::close: break;
    }
}

seen_by_handler handler_of(end_by how) {
    seen_by_handler seen;
    if (how == end_by::handler_error) seen.fail_at = 30;
    if (how == end_by::handler_abort) seen.abort_at = 30;
    return seen;
}

} // namespace

TEST_CASE("a pool handles, others send and end it: over the scripted transport", "[endpoint][threads]") {
    const end_by how =
        GENERATE(end_by::peer, end_by::close, end_by::abort, end_by::handler_error, end_by::handler_abort);
    using endpoint_type = pooled_endpoint<wsolo::testing::scripted_transport>;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        seen_by_handler seen = handler_of(how);
        wsolo::testing::scripted_wire wire;
        wire.chaotic(seed, 200);
        std::uint64_t sent = 0;
        {
            const pipe_bell bell;
            thread_pool pool(2);
            std::optional<endpoint_type> whole(std::in_place, wsolo::testing::scripted_transport(wire),
                                               pipe_schedule{&bell}, pool_handler{&seen}, narrow(),
                                               wsolo::server_side{}, pool_work{&pool});
            crowd<endpoint_type> others(whole, how);
            std::string input = input_of(how);
            std::size_t at = 0;
            serve(whole, bell, -1, [&](std::span<std::byte> to) -> long {
                const std::size_t count = std::min({to.size(), input.size() - at, 1 + (at * seed) % 300});
                std::memcpy(to.data(), input.data() + at, count);
                at += count;
                return static_cast<long>(count);
            });
            others.join();
            sent = others.accepted;
        }
        judge(how, seen, sent, wire.bytes());
    }
}

TEST_CASE("a pool handles, others send and end it: over a socket pair", "[endpoint][threads]") {
    const end_by how =
        GENERATE(end_by::peer, end_by::close, end_by::abort, end_by::handler_error, end_by::handler_abort);
    using endpoint_type = pooled_endpoint<wsolo::adapt::posix_socket>;
    for (int repetition = 0; repetition < 10; ++repetition) {
        seen_by_handler seen = handler_of(how);
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        connection_ends line{descriptor(ends[0]), descriptor(ends[1])};
        std::string wire;
        std::uint64_t sent = 0;
        {
            const pipe_bell bell;
            thread_pool pool(2);
            std::optional<endpoint_type> whole(std::in_place, wsolo::adapt::posix_socket(line.ours.get()),
                                               pipe_schedule{&bell}, pool_handler{&seen}, narrow(),
                                               wsolo::server_side{}, pool_work{&pool});
            crowd<endpoint_type> others(whole, how);
            std::thread writer([peer = line.peers.get(), input = input_of(how)] {
                for (std::size_t at = 0; at < input.size();) {
                    const ssize_t count = ::send(peer, input.data() + at, input.size() - at, MSG_NOSIGNAL);
                    if (count <= 0) break;
                    at += static_cast<std::size_t>(count);
                }
                ::shutdown(peer, SHUT_WR);
            });
            std::thread reader([&wire, peer = line.peers.get()] {
                char buffer[4096];
                for (ssize_t count; (count = ::recv(peer, buffer, sizeof buffer, 0)) > 0;)
                    wire.append(buffer, static_cast<std::size_t>(count));
            });
            serve(whole, bell, line.ours.get(), [&](std::span<std::byte> to) -> long {
                const ssize_t count = ::recv(line.ours.get(), to.data(), to.size(), MSG_DONTWAIT);
                return count < 0 && errno != EAGAIN ? 0 : count;
            });
            line.ours = {};
            others.join();
            writer.join();
            reader.join();
            sent = others.accepted;
        }
        judge(how, seen, sent, wire);
    }
}

TEST_CASE("a handler that waits for room does not hold up the destructor", "[endpoint][threads]") {
    wsolo::testing::scripted_wire wire;
    wire.rule([] { return wsolo::testing::scripted_step{wsolo::io_status::would_block, 0, 0}; });
    const pipe_bell bell;
    std::atomic<bool> is_waiting{false};
    errc told = errc::none;
    const auto handler = [&](auto& e, const wsolo::message&) {
        while (e.send_text(std::string(1000, 'x')) == errc::none) {}
        is_waiting = true;
        told = e.writer().send_wait(wsolo::opcode::binary, wsolo::bytes_of(std::string(3000, 'x')),
                                    std::chrono::steady_clock::now() + 4s);
    };
    {
        thread_pool pool(1);
        wsolo::endpoint_options options;
        options.writing.limits.max_bytes = 10'000;
        std::optional<wsolo::endpoint<wsolo::testing::scripted_transport, pipe_schedule, decltype(handler),
                                      wsolo::server_side, pool_work>>
            whole(std::in_place, wsolo::testing::scripted_transport(wire), pipe_schedule{&bell}, handler,
                  options, wsolo::server_side{}, pool_work{&pool});
        std::string input = input_of(end_by::peer);
        static_cast<void>(whole->receive(std::as_writable_bytes(std::span(input).first(8))));
        while (!is_waiting) std::this_thread::yield();
        std::this_thread::sleep_for(20ms); // into the wait; too early does no harm
        whole.reset();
    }
    CHECK(told == errc::closed);
}
