#pragma once
// What the tests of adapt/asio*.hpp share: a server in a context of its own, peers on plain blocking sockets, handlers that
// count themselves. Catch's assertions are one thread's at a time: those here run while the test's own thread waits for the others. The same text for standalone and Boost's Asio; TLS where OpenSSL is.

#include <support/catch.hpp>
#include <support/strict_parser.hpp>

#include <wsolo/adapt/asio_conversation.hpp>

#if defined(WSOLO_USE_BOOST_ASIO)
#include <boost/asio.hpp>
#if defined(WSOLO_TEST_TLS)
#include <boost/asio/ssl.hpp>
#endif
#else
#include <asio.hpp>
#if defined(WSOLO_TEST_TLS)
#include <asio/ssl.hpp>
#endif
#endif

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace asio_rig {
#if defined(WSOLO_USE_BOOST_ASIO)
inline namespace over_boost {
#else
inline namespace over_asio {
#endif

namespace net = wsolo::adapt::asio::net;
using net::ip::tcp;
using wsolo::errc;
using wsolo::adapt::asio::error_code;
using namespace std::chrono_literals;

// ---- what handlers and coroutines leave behind. Any thread.

struct record {
    template <class T>
    void add(std::vector<T>& to, T what) {
        const std::lock_guard hold(mutex);
        to.push_back(std::move(what));
    }
    std::size_t ended() {
        const std::lock_guard hold(mutex);
        return ends.size();
    }

    std::mutex mutex;
    std::vector<errc> opened, ends;
    std::vector<int> codes;
    std::vector<std::size_t> got;
    std::atomic<int> alive{0};
};

class counted {
public:
    explicit counted(record& in) : in_(&in) { ++in.alive; }
    counted(counted&& other) noexcept : in_(std::exchange(other.in_, nullptr)) {}
    counted& operator=(counted&&) = delete;
    ~counted() {
        if (in_ != nullptr) --in_->alive;
    }
    record* operator->() const noexcept { return in_; }

private:
    record* in_;
};

// ---- TLS

#if defined(WSOLO_TEST_TLS)
using tls_stream = net::ssl::stream<tcp::socket>;

/// Signs itself; made once.
inline net::ssl::context& tls_server() {
    static net::ssl::context made = [] {
        net::ssl::context fresh(net::ssl::context::tls_server);
        EVP_PKEY* key = nullptr;
        EVP_PKEY_CTX* const maker = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr);
        EVP_PKEY_keygen_init(maker);
        EVP_PKEY_keygen(maker, &key);
        EVP_PKEY_CTX_free(maker);
        X509* certificate = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600);
        X509_set_pubkey(certificate, key);
        X509_sign(certificate, key, nullptr);
        SSL_CTX_use_certificate(fresh.native_handle(), certificate);
        SSL_CTX_use_PrivateKey(fresh.native_handle(), key);
        X509_free(certificate);
        EVP_PKEY_free(key);
        return fresh;
    }();
    return made;
}
inline net::ssl::context& tls_client() {
    static net::ssl::context made(net::ssl::context::tls_client);
    return made;
}
inline tls_stream tls_wrap(tcp::socket&& socket) { return {std::move(socket), tls_server()}; }
#endif

// ---- the peer's bytes

inline std::string request() {
    return "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
}
inline std::string masked(wsolo::opcode op, std::string_view payload) {
    std::string bytes;
    wsolo::one_key keys(
        wsolo::masking_key{std::byte{0x5a}, std::byte{0x01}, std::byte{0xfe}, std::byte{0x80}});
    CHECK(wsolo::append_frame<wsolo::role::client>(bytes, op, wsolo::bytes_of(payload), keys) == errc::none);
    return bytes;
}
inline std::string text(std::string_view payload) { return masked(wsolo::opcode::text, payload); }
inline std::string close() { return masked(wsolo::opcode::close, "\x03\xe8"); }

/// A peer that waits for what it reads.
template <class Stream>
class blocking_peer {
public:
    template <class... Rest>
    explicit blocking_peer(const tcp::endpoint& to, Rest&... rest) : stream_(tcp::socket(own_), rest...) {
        auto& socket = lowest();
        socket.open(to.protocol());
        socket.set_option(net::socket_base::receive_buffer_size(32 * 1024));
        socket.connect(to);
    }
    Stream& stream() { return stream_; }
    auto& lowest() { return stream_.lowest_layer(); }

    void send(std::string_view bytes) { net::write(stream_, net::buffer(bytes)); }
    std::string head() {
        std::string got;
        while (!got.ends_with("\r\n\r\n")) got += take(1);
        return got;
    }
    std::string upgrade() {
        send(request());
        return head();
    }
    /// The payload of the next frame.
    std::string frame() {
        std::string start = take(2);
        const auto size = [&](std::size_t bytes) {
            std::size_t value = 0;
            for (const char each : take(bytes)) value = value << 8U | static_cast<unsigned char>(each);
            return value;
        };
        const auto said = static_cast<unsigned char>(start[1]);
        return take(said == 126 ? size(2) : said == 127 ? size(8) : said);
    }
    /// All that comes until the stream ends or breaks. Ends it too.
    std::string rest() {
        std::string got;
        error_code error;
        net::read(stream_, net::dynamic_buffer(got), error);
        lowest().close();
        return got;
    }
    void finish() { lowest().shutdown(tcp::socket::shutdown_send); }
    void reset() {
        lowest().set_option(net::socket_base::linger(true, 0));
        lowest().close();
    }

private:
    std::string take(std::size_t bytes) {
        std::string got(bytes, '\0');
        net::read(stream_, net::buffer(got));
        return got;
    }
    net::io_context own_;
    Stream stream_;
};

// ---- the server

struct server {
    std::shared_ptr<record> shared_log = std::make_shared<record>();
    record& log = *shared_log;
    net::io_context loop;
    wsolo::connection_group everyone;
    tcp::acceptor acceptor{net::make_strand(loop), tcp::endpoint(net::ip::address_v4::loopback(), 0)};
    std::vector<std::thread> threads;
    bool is_tls = false;

    server() = default;
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    ~server() {
        loop.stop();
        join();
    }

    tcp::endpoint endpoint() const { return acceptor.local_endpoint(); }
    std::vector<tcp::endpoint> where() const { return {endpoint()}; }
    /// A client's own socket, not connected yet.
    tcp::socket client() { return tcp::socket(net::make_strand(loop)); }

    template <class Factory, class Wrap = wsolo::adapt::asio::detail::as_it_is>
    void accept(Factory make, const wsolo::adapt::asio::listen_options& how = {}, Wrap wrap = {}) {
        is_tls = !std::is_same_v<Wrap, wsolo::adapt::asio::detail::as_it_is>;
        wsolo::adapt::asio::accept(acceptor, everyone, std::move(make), how, std::move(wrap));
    }
    void run(int count) {
        for (int i = 0; i < count; ++i) threads.emplace_back([this] { loop.run(); });
    }
    /// What is ready, in the test's own thread; how many handlers that was.
    std::size_t turn() {
        loop.restart();
        return loop.poll();
    }
    template <class Condition>
    void turn_until(Condition is_met) {
        while (!is_met()) {
            if (turn() == 0) std::this_thread::yield();
        }
    }
    /// run() returns in each of them.
    void join() {
        for (std::thread& each : threads) each.join();
        threads.clear();
    }
    /// As a server's signal handler does.
    void stop() {
        net::post(acceptor.get_executor(), [this] {
            acceptor.close();
            static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 5s));
        });
    }
    void close_acceptor() {
        net::post(acceptor.get_executor(), [this] { acceptor.close(); });
    }
    /// Does something while a peer, of the kind that the server is for, has upgraded and reads no byte after that.
    template <class Meanwhile>
    void with_silent_peer(Meanwhile meanwhile) {
#if defined(WSOLO_TEST_TLS)
        if (is_tls) {
            blocking_peer<tls_stream> peer(endpoint(), tls_client());
            peer.stream().handshake(tls_stream::client);
            CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
            return meanwhile();
        }
#endif
        blocking_peer<tcp::socket> peer(endpoint());
        CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
        meanwhile();
    }
#if WSOLO_ASIO_AWAITS
    template <class Awaitable>
    void spawn(Awaitable what) {
        net::co_spawn(acceptor.get_executor(), std::move(what), net::detached);
    }
#endif
};

using raw_client = blocking_peer<tcp::socket>;

// ---- handlers

struct finishes {
    explicit finishes(record& in) : log(in) {}
    void on_finished(auto&, const wsolo::ending& how) {
        log->add(log->ends, how.reason);
        log->add(log->codes, static_cast<int>(how.code));
    }
    counted log;
};

struct echo : finishes {
    using finishes::finishes;
    errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

/// Sends more than the system takes.
struct flood : finishes {
    using finishes::finishes;
    void on_upgraded(auto& ws) {
        while (ws.send_text(std::string(1'000'000, 'x')) == errc::none) {}
    }
    void on_message(auto&, wsolo::message&&) {}
};

struct refuser {
    void on_request(const wsolo::upgrade_request&, wsolo::http_reply& reply) {
        reply.respond({.status = 404, .body = "not here"});
    }
    void on_message(auto&, wsolo::message&&) {}
};

inline const std::vector<std::size_t> all_sizes{0, 1, 125, 126, 65'536, 1'000'000};

/// A client: one message of each size, each after the answer to the one before it; then it closes.
struct caller : finishes {
    explicit caller(server& at) : finishes(at.log), home(&at) {}
    void on_upgraded(auto& ws) {
        CHECK(ws.transport().stream().lowest_layer().is_open());
        CHECK(ws.send_text(std::string(all_sizes[0], 'x')) == errc::none);
    }
    errc on_message(auto& ws, wsolo::message&& got) {
        CHECK(got.text() == std::string(all_sizes[next], 'x'));
        log->add(log->got, got.text().size());
        if (++next == all_sizes.size()) {
            home->close_acceptor();
            return ws.close();
        }
        return ws.send_text(std::string(all_sizes[next], 'x'));
    }
    server* home;
    std::size_t next = 0;
};

struct told {
    void operator()(errc why) const {
        at->log.add(at->log.opened, why);
        if (why != errc::none) at->stop();
    }
    server* at;
};

// ---- coroutines

#if WSOLO_ASIO_AWAITS
using wsolo::adapt::asio::conversation;

inline net::awaitable<tcp::socket> accepted(server& at) {
    co_return co_await at.acceptor.async_accept(net::any_io_executor(net::make_strand(at.loop)),
                                                net::use_awaitable);
}

inline net::awaitable<void> answer(conversation ws, server& at) {
    for (;;) {
        auto got = co_await ws.next();
        errc told = got.error();
        if (told == errc::none) told = co_await ws.send(*got);
        if (told == errc::none) continue;
        at.log.add(at.log.ends, told);
        co_return;
    }
}
inline net::awaitable<void> talk(net::awaitable<tcp::socket> from, server& at) {
    tcp::socket socket = co_await std::move(from);
    const counted here(at.log);
    co_await answer(conversation(std::move(socket), at.everyone), at);
}
#if defined(WSOLO_TEST_TLS)
inline net::awaitable<void> talk_tls(net::awaitable<tcp::socket> from, server& at) {
    tcp::socket socket = co_await std::move(from);
    const counted here(at.log);
    co_await answer(conversation(tls_wrap(std::move(socket)), at.everyone), at);
}
#endif

inline net::awaitable<void> ask(conversation ws, server& at) {
    const counted here(at.log);
    const errc opened = co_await ws.opened();
    at.log.add(at.log.opened, opened);
    if (opened != errc::none) {
        auto next = co_await ws.next();
        CHECK(next.error() == opened);
        const errc sent = co_await ws.send_text("x");
        CHECK(sent == opened);
        co_return;
    }
    for (const std::size_t size : all_sizes) {
        const std::string payload(size, 'x');
        const errc sent = co_await ws.send_text(payload);
        CHECK(sent == errc::none);
        auto got = co_await ws.next();
        if (!got) co_return;
        at.log.add(at.log.got, got->text().size());
    }
}

/// Sends more than its budget has room for at once.
inline net::awaitable<void> pour(net::awaitable<tcp::socket> from, server& at, int count) {
    tcp::socket socket = co_await std::move(from);
    wsolo::server_options small;
    small.writing.limits.max_bytes = 2'000'000;
    conversation ws(std::move(socket), at.everyone, small);
    const std::string payload(1'000'000, 'x');
    for (int i = 0; i < count; ++i) {
        const errc sent = co_await ws.send_text(payload);
        at.log.add(at.log.ends, sent);
    }
    const errc flushed = co_await ws.flushed();
    at.log.add(at.log.ends, flushed);
}

inline net::awaitable<void> leave(net::awaitable<tcp::socket> from, server& at) {
    tcp::socket socket = co_await std::move(from);
    conversation ws(std::move(socket), at.everyone);
    const errc opened = co_await ws.opened();
    at.log.add(at.log.opened, opened);
}
#endif

} // inline namespace
} // namespace asio_rig
