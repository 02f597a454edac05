// Would catch: a wake-up that is lost, bytes that leave twice, in another order or not at all where a socket is full, a write
// that is given up and still holds up the end, a handle or memory that is used after it went, a loop that doesn't end, a context
// that goes before its connections and leaves a handler behind.

#include <support/blocking_client.hpp>
#include <support/catch.hpp>
#include <support/fire_and_forget.hpp>

#include <wsolo/adapt/libuv.hpp>
#include <wsolo/endpoint/conversation.hpp>

#include <atomic>
#include <functional>
#include <sys/un.h>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_literals;
using support::client;
using wsolo::close_code;
using wsolo::errc;

namespace {

/// What handlers leave behind. Read when the loop's thread is gone, or atomic.
struct record {
    std::atomic<int> alive{0}, ended{0}, full{0};
    std::vector<errc> ends;
};

struct counted {
    explicit counted(record& in) : log(&in) { ++in.alive; }
    counted(counted&& other) noexcept : log(std::exchange(other.log, nullptr)) {}
    counted& operator=(counted&&) = delete;
    ~counted() {
        if (log != nullptr) --log->alive;
    }
    void on_finished(auto&, const wsolo::ending& how) {
        log->ends.push_back(how.reason);
        ++log->ended;
    }
    record* log;
};

struct echoing : counted {
    using counted::counted;
    errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

/// Another thread asks for a turn when there is nothing left to have one.
struct asking_last : echoing {
    using echoing::echoing;
    void on_finished(auto& ws, const wsolo::ending& how) {
        std::thread([whose = ws.handle()] {
            if (const auto live = whose.try_use()) live->ask_for_turn();
        }).join();
        echoing::on_finished(ws, how);
    }
};

/// Sends `messages` of 100,000 bytes, each of another letter, when it is open.
struct pouring : counted {
    explicit pouring(record& in, int count) : counted(in), messages(count) {}
    void on_upgraded(auto& ws) {
        for (int i = 0; i < messages; ++i)
            if (ws.send_text(std::string(100'000, static_cast<char>('a' + i % 26))) != errc::none)
                ++log->full;
    }
    errc on_message(auto&, wsolo::message&&) { return errc::none; }
    int messages;
};

wsolo::server_options quick() {
    wsolo::server_options how;
    how.writing.timeouts.write = 200ms;
    how.ending.close_timeout = how.ending.linger_timeout = 2s;
    return how;
}

/// A loop with one listener, in a thread of its own until it has nothing left. What is called in it goes through in_loop().
class server {
public:
    explicit server(wsolo::server_options how = quick()) : options(how) {
        REQUIRE(uv_loop_init(&loop) == 0);
        context.emplace(&loop);
        REQUIRE(uv_async_init(&loop, &bell_,
                              [](uv_async_t* bell) { static_cast<server*>(bell->data)->on_bell(); }) == 0);
        bell_.data = this;
    }
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    ~server() {
        if (thread.joinable()) {
            stop();
            thread.join();
        } else {
            close_own();
            uv_run(&loop, UV_RUN_DEFAULT);
        }
        context.reset();
        uv_run(&loop, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&loop) == 0); // every handle is closed
        CHECK(log.alive == 0);
        CHECK(log.full == 0);
    }

    /// Serves TCP with what `make` makes.
    template <class Make>
    void listen(Make make) {
        sockaddr_in where;
        int size = sizeof where;
        REQUIRE(uv_tcp_init(&loop, &door_.tcp) == 0);
        REQUIRE(uv_ip4_addr("127.0.0.1", 0, &where) == 0);
        REQUIRE(uv_tcp_bind(&door_.tcp, reinterpret_cast<const sockaddr*>(&where), 0) == 0);
        begin(std::move(make));
        REQUIRE(uv_tcp_getsockname(&door_.tcp, reinterpret_cast<sockaddr*>(&where), &size) == 0);
        port_ = ntohs(where.sin_port);
    }
    /// The same for what connects to `path`.
    template <class Make>
    void listen_at(const char* path, Make make) {
        ::unlink(path);
        REQUIRE(uv_pipe_init(&loop, &door_.pipe, 0) == 0);
        REQUIRE(uv_pipe_bind(&door_.pipe, path) == 0);
        begin(std::move(make));
    }
    void start() {
        thread = std::thread([this] { uv_run(&loop, UV_RUN_DEFAULT); });
    }
    /// No one comes any more, and all go.
    void stop() {
        static_cast<void>(everyone.close_all(close_code::going_away, "", 2s));
        in_loop([this] { close_own(); });
    }
    /// At most one at a time; before stop().
    void in_loop(std::function<void()> what) {
        {
            const std::scoped_lock hold(lock_);
            calls_.push_back(std::move(what));
        }
        uv_async_send(&bell_);
    }
    [[nodiscard]] client connect() const { return client::to(port_); }

    uv_loop_t loop;
    wsolo::server_options options;
    record log;
    wsolo::connection_group everyone;
    std::optional<wsolo::adapt::libuv::context> context;
    std::atomic<int> refused{0};
    std::thread thread;

private:
    template <class Make>
    void begin(Make make) {
        is_listening_ = true;
        door_.any.data = this;
        serve_ = [this, make](uv_stream_t* from) {
            if (wsolo::adapt::libuv::serve(from, make(), *context, everyone, options) != errc::none)
                ++refused;
        };
        REQUIRE(uv_listen(&door_.stream, 64, [](uv_stream_t* from, int status) {
                    if (status == 0) static_cast<server*>(from->data)->serve_(from);
                }) == 0);
    }
    void on_bell() {
        std::vector<std::function<void()>> calls;
        {
            const std::scoped_lock hold(lock_);
            calls.swap(calls_);
        }
        for (const auto& each : calls) each();
    }
    void close_own() {
        if (std::exchange(is_listening_, false)) uv_close(&door_.any, nullptr);
        if (!std::exchange(is_closed_, true)) uv_close(reinterpret_cast<uv_handle_t*>(&bell_), nullptr);
    }

    uv_async_t bell_;
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } door_;
    std::function<void(uv_stream_t*)> serve_;
    std::mutex lock_;
    std::vector<std::function<void()>> calls_;
    std::uint16_t port_ = 0;
    bool is_listening_ = false;
    bool is_closed_ = false;
};

/// The payload of a frame of 100,000 bytes; its head is checked.
std::string hear_large(const client& from) {
    CHECK(from.hear(10) == "\x81\x7f\0\0\0\0\0\x01\x86\xa0"s);
    return from.hear(100'000);
}

} // namespace

TEST_CASE("libuv: what connects is served until the listener is closed and all have left", "[adapt][libuv]") {
    server at;
    at.listen([&] { return echoing(at.log); });
    at.start();
    client a = at.connect(), b = at.connect(), c = at.connect();
    for (const client* each : {&a, &b, &c}) each->shake_hands();
    for (int round = 0; round < 20; ++round)
        for (const client* each : {&c, &a, &b}) each->check_echo("round " + std::to_string(round));
    b.close_in_order();
    b.hang_up();
    a.check_echo("a is there");
    at.stop();
    for (client* each : {&a, &c}) {
        each->check_close(1001);
        each->say(client::text("\x03\xe9", '\x88'));
        CHECK(each->hear(1).empty()); // the server ends the stream first
        each->hang_up();
    }
    at.thread.join(); // uv_run returns
    CHECK(at.everyone.report().joined == 3);
    CHECK(at.log.ends == std::vector<errc>(3, errc::none));
}

TEST_CASE("libuv: a request and its frames may come in any pieces", "[adapt][libuv]") {
    server at;
    at.listen([&] { return echoing(at.log); });
    at.start();
    const std::string all = std::string(client::request) + client::text("one") + client::text("two") +
                            client::text("\x03\xe8", '\x88');
    for (std::size_t piece = 1; piece <= all.size(); piece = piece < 9 ? piece + 1 : piece * 2 - 1) {
        const client peer = at.connect();
        for (std::size_t i = 0; i < all.size(); i += piece) peer.say(std::string_view(all).substr(i, piece));
        CHECK(peer.hear_head().starts_with("HTTP/1.1 101 "));
        CHECK(peer.hear(100) == client::unmasked("one") + client::unmasked("two") + "\x88\x02\x03\xe8");
    }
}

TEST_CASE("libuv: a pipe is served like TCP", "[adapt][libuv]") {
    const std::string path = "/tmp/wsolo_libuv_test_" + std::to_string(::getpid());
    server at;
    at.listen_at(path.c_str(), [&] { return echoing(at.log); });
    at.start();
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    path.copy(where.sun_path, sizeof where.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
    const client peer(fd);
    peer.shake_hands();
    peer.close_in_order();
}

TEST_CASE("libuv: another thread wakes a loop that sleeps", "[adapt][libuv]") {
    server at;
    at.listen([&] { return echoing(at.log); });
    at.start();
    const client a = at.connect(), b = at.connect();
    a.shake_hands();
    b.shake_hands();
    for (int i = 0; i < 200; ++i) { // it sleeps in between, or is about to
        CHECK(at.everyone.send_text("push").accepted == 2);
        CHECK(a.hear(6) == client::unmasked("push"));
        CHECK(b.hear(6) == client::unmasked("push"));
    }
    at.stop();
    a.check_close(1001);
    b.check_close(1001);
}

TEST_CASE("libuv: several threads send while others come and go", "[adapt][libuv]") {
    server at;
    at.listen([&] { return echoing(at.log); });
    at.start();
    const client stays = at.connect();
    stays.shake_hands();
    std::atomic<std::size_t> accepted{0};
    std::vector<std::thread> senders;
    for (int thread = 0; thread < 2; ++thread)
        senders.emplace_back([&] {
            for (int i = 0; i < 300; ++i) {
                accepted += at.everyone.send_text("tick").accepted != 0 ? 1U : 0U;
                if (i % 10 == 0) std::this_thread::yield();
            }
        });
    for (int i = 0; i < 30; ++i) {
        client brief = at.connect();
        brief.say(client::request);
        CHECK(brief.hear_head().starts_with("HTTP/1.1 101 "));
        if (i % 2 == 0) brief.say(client::text("\x03\xe8", '\x88'));
        brief.hang_up();
    }
    for (auto& each : senders) each.join();
    CHECK(accepted == 600);
    std::string ticks;
    for (int i = 0; i < 600; ++i) ticks += client::unmasked("tick");
    CHECK(stays.hear(ticks.size()) == ticks);
}

TEST_CASE("libuv: what a full socket has no room for comes whole and in order", "[adapt][libuv]") {
    server at;
    at.options.writing.timeouts.write = 10s;
    constexpr int messages = 78; // nearly all that a writer queues
    at.listen([&] { return pouring(at.log, messages); });
    at.start();
    const client slow = at.connect();
    slow.say(client::request);
    CHECK(slow.hear_head().starts_with("HTTP/1.1 101 "));
    std::this_thread::sleep_for(50ms); // the socket is full; how long it is decides nothing
    for (int i = 0; i < messages; ++i)
        REQUIRE(hear_large(slow) == std::string(100'000, static_cast<char>('a' + i % 26)));
    slow.close_in_order();
}

TEST_CASE("libuv: short frames that a full socket has no room for come whole and in order",
          "[adapt][libuv]") {
    server at;
    at.options.writing.timeouts.write = 10s;
    at.listen([&] { return echoing(at.log); });
    at.start();
    const client slow = at.connect();
    slow.shake_hands();
    constexpr std::size_t messages = 6000; // nearly all that a writer queues; each is a part of its own
    const auto payload = [](std::size_t i) { return std::string(1000, static_cast<char>('a' + i % 26)); };
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < messages; ++i) accepted += at.everyone.send_text(payload(i)).accepted;
    CHECK(accepted == messages);
    for (std::size_t i = 0; i < messages; ++i) REQUIRE(slow.hear(1004) == "\x81\x7e\x03\xe8" + payload(i));
    slow.close_in_order();
}

TEST_CASE("libuv: a peer that takes nothing is cut off within the write's time", "[adapt][libuv]") {
    server at;
    at.options.ending.close_timeout = at.options.ending.linger_timeout = 50ms;
    at.listen([&] { return pouring(at.log, 78); });
    at.start();
    client silent = at.connect();
    silent.say(client::request);
    while (at.log.ended == 0) std::this_thread::sleep_for(1ms);
    at.stop();
    at.thread.join(); // before the peer goes
    CHECK(at.log.ends == std::vector<errc>{errc::write_timed_out});
    silent.hang_up();
}

TEST_CASE("libuv: an abort from another thread ends a write in flight", "[adapt][libuv]") {
    server at;
    at.options.writing.timeouts.write = 1h;
    at.listen([&] { return pouring(at.log, 78); });
    at.start();
    client silent = at.connect();
    silent.say(client::request);
    while (at.everyone.size() == 0) std::this_thread::sleep_for(1ms);
    at.everyone.abort_all();
    while (at.log.ended == 0) std::this_thread::sleep_for(1ms);
    at.stop();
    at.thread.join();
    CHECK(at.log.ends == std::vector<errc>{errc::aborted});
}

namespace {

/// Waits until the test goes on with it.
struct parked {
    std::atomic<void*>* where;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) const noexcept { where->store(caller.address()); }
    void await_resume() const noexcept {}
};
struct holding : counted, wsolo::in_a_coroutine {
    holding(record& in, std::atomic<void*>& here) : counted(in), where(&here) {}
    void on_upgraded(auto& ws) { hold(wsolo::conversation(ws), where); }
    static fire_and_forget hold(wsolo::conversation ws, std::atomic<void*>* where) {
        static_cast<void>(co_await ws.next());
        co_await parked{where};
    }
    std::atomic<void*>* where;
};

} // namespace

TEST_CASE("libuv: a peer that is cut off need not wait for what still handles its message",
          "[adapt][libuv]") {
    server at;
    at.options.ending.close_timeout = at.options.ending.linger_timeout = 1h;
    std::atomic<void*> where{nullptr};
    at.listen([&] { return holding(at.log, where); });
    at.start();
    client cut = at.connect();
    cut.say(std::string(client::request) + client::text("hello"));
    CHECK(cut.hear_head().starts_with("HTTP/1.1 101 "));
    while (where == nullptr) std::this_thread::sleep_for(1ms);
    at.everyone.abort_all();
    cut.check_end();
    at.in_loop([&] { std::coroutine_handle<>::from_address(where).resume(); });
    while (at.log.ended == 0) std::this_thread::sleep_for(1ms);
    at.stop();
    at.thread.join();
    CHECK(at.log.ends == std::vector<errc>{errc::aborted});
}

TEST_CASE("libuv: a peer that resets while it is written to ends its own connection", "[adapt][libuv]") {
    server at;
    at.options.writing.timeouts.write = 1h;
    at.listen([&] { return pouring(at.log, 78); });
    at.start();
    const client other = at.connect(); // which asks later
    client breaks = at.connect();
    breaks.say(client::request);
    CHECK(breaks.hear_head().starts_with("HTTP/1.1 101 "));
    breaks.hang_up(); // with unread bytes: a reset
    while (at.log.ended == 0) std::this_thread::sleep_for(1ms);
    other.say(client::request);
    CHECK(other.hear_head().starts_with("HTTP/1.1 101 "));
    for (int i = 0; i < 78; ++i) CHECK(hear_large(other)[0] == static_cast<char>('a' + i % 26));
    other.close_in_order();
}

TEST_CASE("libuv: a deadline passes although nothing happens", "[adapt][libuv]") {
    server at;
    at.options.handshake_timeout = 40ms;
    at.listen([&] { return echoing(at.log); });
    at.start();
    const client a = at.connect(), b = at.connect();
    b.say("GET / HTTP/1.1\r\n");
    CHECK(a.hear_head().starts_with("HTTP/1.1 408 "));
    CHECK(b.hear_head().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("libuv: the last one's end and the next one's beginning leave the loop in order",
          "[adapt][libuv]") {
    server at;
    at.listen([&] { return echoing(at.log); });
    at.start();
    for (int i = 0; i < 100; ++i) {
        client alone = at.connect();
        alone.shake_hands();
        if (i % 2 == 0) alone.close_in_order();
        alone.hang_up();
    }
}

TEST_CASE("libuv: a turn that is asked for at the very end finds no connection", "[adapt][libuv]") {
    server at;
    at.listen([&] { return asking_last(at.log); });
    at.start();
    client stays = at.connect();
    stays.shake_hands();
    for (int i = 0; i < 10; ++i) {
        client brief = at.connect();
        brief.shake_hands();
        brief.close_in_order();
        brief.hang_up();
        stays.check_echo("still there");
    }
}

TEST_CASE("libuv: a context that goes takes its connections with it", "[adapt][libuv]") {
    server at;
    at.options.writing.timeouts.write = 1h;
    std::atomic<int> made{0};
    at.listen([&] { return ++made == 1 ? pouring(at.log, 78) : pouring(at.log, 0); });
    at.start();
    client full = at.connect();
    full.say(client::request);
    CHECK(full.hear_head().starts_with("HTTP/1.1 101 "));
    client idle = at.connect(), asks = at.connect();
    idle.say(client::request);
    CHECK(idle.hear_head().starts_with("HTTP/1.1 101 "));
    while (made != 3) std::this_thread::sleep_for(1ms);
    std::atomic<int> left{-1};
    at.in_loop([&] {
        at.context.reset();
        left = at.log.alive.load();
    });
    CHECK(idle.hear(1).empty());
    CHECK(asks.hear(1).empty());
    while (left < 0) std::this_thread::sleep_for(1ms);
    CHECK(left == 0);
    at.stop();
    at.thread.join();
    CHECK(at.log.ended == 0);
}

TEST_CASE("libuv: a closed group takes no more connections", "[adapt][libuv]") {
    server at;
    at.listen([&] { return echoing(at.log); });
    at.start();
    static_cast<void>(at.everyone.close_all(close_code::going_away, "", 2s));
    client late = at.connect();
    CHECK(late.hear_head().starts_with("HTTP/1.1 503 "));
}

TEST_CASE("libuv: a connection that is not there is refused", "[adapt][libuv]") {
    server at;
    at.listen([&] { return echoing(at.log); });
    uv_tcp_t none;
    REQUIRE(uv_tcp_init(&at.loop, &none) == 0);
    CHECK(wsolo::adapt::libuv::serve(reinterpret_cast<uv_stream_t*>(&none), echoing(at.log), *at.context,
                                     at.everyone) == errc::connection_lost);
    uv_close(reinterpret_cast<uv_handle_t*>(&none), nullptr);
}

#if WSOLO_HAS_EXCEPTIONS
namespace {

/// Throws in its second move, which is the connection's.
struct immovable : counted {
    explicit immovable(record& in) : counted(in) {}
    immovable(immovable&& other) noexcept(false) : counted(std::move(other)), moves(other.moves + 1) {
        if (moves == 2) throw std::bad_alloc();
    }
    errc on_message(auto&, wsolo::message&&) { return errc::none; }
    int moves = 0;
};

} // namespace

TEST_CASE("libuv: a handler that can't be moved leaves nothing in the loop, and the others served",
          "[adapt][libuv]") {
    server at;
    at.listen([&] { return echoing(at.log); });
    const bool is_first = GENERATE(true, false); // there are others, or none
    uv_tcp_t none;
    REQUIRE(uv_tcp_init(&at.loop, &none) == 0);
    std::optional<client> a;
    if (!is_first) {
        at.start();
        a.emplace(at.connect());
        a->shake_hands();
    }
    std::atomic<int> answer{-1};
    at.in_loop([&] {
        const errc refused = wsolo::adapt::libuv::serve(reinterpret_cast<uv_stream_t*>(&none),
                                                        immovable(at.log), *at.context, at.everyone);
        uv_close(reinterpret_cast<uv_handle_t*>(&none), nullptr);
        answer = static_cast<int>(refused);
    });
    if (is_first) at.start();
    while (answer < 0) std::this_thread::sleep_for(1ms);
    CHECK(answer == static_cast<int>(errc::out_of_memory));
    if (is_first) {
        a.emplace(at.connect());
        a->shake_hands();
    }
    a->check_echo("goes on");
}
#endif

TEST_CASE("libuv: a stream whose request another server has read is taken over", "[adapt][libuv]") {
    server at;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    const client peer(ends[1]);
    uv_pipe_t theirs;
    REQUIRE(uv_pipe_init(&at.loop, &theirs, 0) == 0);
    REQUIRE(uv_pipe_open(&theirs, ends[0]) == 0);
    const wsolo::header_field fields[] = {{"Host", "a"},
                                          {"Upgrade", "websocket"},
                                          {"Connection", "Upgrade"},
                                          {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                          {"Sec-WebSocket-Version", "13"}};
    std::string rest = client::text("with it").substr(0, 5); // half a frame
    REQUIRE(wsolo::adapt::libuv::serve(
                reinterpret_cast<uv_stream_t*>(&theirs),
                {.method = "GET", .target = "/", .version = wsolo::http_version::v1_1, .fields = fields},
                std::as_writable_bytes(std::span(rest)), echoing(at.log), *at.context,
                at.everyone) == errc::none);
    uv_close(reinterpret_cast<uv_handle_t*>(&theirs), nullptr);
    at.start();
    peer.say(client::text("with it").substr(5));
    CHECK(peer.hear_head().starts_with("HTTP/1.1 101 "));
    CHECK(peer.hear(9) == client::unmasked("with it"));
    peer.close_in_order();
}

TEST_CASE("libuv: a context keeps SIGPIPE from ending the process, and keeps a handler that there is",
          "[adapt][libuv]") {
    struct sigaction before{};
    ::sigaction(SIGPIPE, nullptr, &before);
    uv_loop_t loop;
    REQUIRE(uv_loop_init(&loop) == 0);
    struct sigaction now{};
    std::signal(SIGPIPE, SIG_DFL);
    { const wsolo::adapt::libuv::context context(&loop); }
    ::sigaction(SIGPIPE, nullptr, &now);
    CHECK(now.sa_handler == SIG_IGN);
    const auto handles = [](int) {};
    std::signal(SIGPIPE, handles);
    { const wsolo::adapt::libuv::context context(&loop); }
    ::sigaction(SIGPIPE, nullptr, &now);
    CHECK(now.sa_handler == static_cast<void (*)(int)>(handles));
    ::sigaction(SIGPIPE, &before, nullptr);
    CHECK(uv_loop_close(&loop) == 0);
}
