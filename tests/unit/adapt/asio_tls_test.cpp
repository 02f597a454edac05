// Would catch: a read buffer in each idle TLS connection, bytes of a record lost or doubled where the small buffer meets the
// thread's, a record that is read in many steps, a read that disturbs a write in flight, an end for want of memory that is not needed.

#include <support/asio_rig.hpp>
#include <support/heap.hpp>

#if defined(WSOLO_TEST_TLS)

#include <cstdint>
#include <future>

using namespace asio_rig;

namespace {

using tls_peer = blocking_peer<tls_stream>;

constexpr std::size_t few = wsolo::adapt::asio::small_read_buffer;
constexpr std::size_t record_size = 16'384;

/// Frames of a client's, in bytes: about the small buffer, a record, and what of a record is left after the small buffer.
const std::vector<std::size_t> frame_sizes{6,
                                           7,
                                           8,
                                           9,
                                           few - 3,
                                           few - 2,
                                           few - 1,
                                           few,
                                           few + 1,
                                           few + 2,
                                           few + 3,
                                           2 * few,
                                           record_size - 1,
                                           record_size,
                                           record_size + 1,
                                           record_size + few - 1,
                                           record_size + few,
                                           record_size + few + 1,
                                           2 * record_size - 1,
                                           2 * record_size,
                                           2 * record_size + 1,
                                           5 * record_size + few};

/// The payload of a masked frame of this size.
std::string payload_of(std::size_t frame) {
    const std::size_t head = frame < 132 ? 6 : frame < 65'536 ? 8 : 14;
    std::string made(frame - head, ' ');
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>('a' + i % 23);
    return made;
}

/// TLS whose encrypted bytes the test sends itself. For blocking_peer.
class sealed_stream {
public:
    sealed_stream(tcp::socket socket, net::ssl::context& context)
        : socket_(std::move(socket)),
          tls_(SSL_new(context.native_handle())),
          in_(BIO_new(BIO_s_mem())),
          out_(BIO_new(BIO_s_mem())) {
        SSL_set_bio(tls_, in_, out_);
        SSL_set_connect_state(tls_);
    }
    sealed_stream(const sealed_stream&) = delete;
    sealed_stream& operator=(const sealed_stream&) = delete;
    ~sealed_stream() { SSL_free(tls_); }
    tcp::socket& lowest_layer() { return socket_; }

    void handshake() {
        while (SSL_do_handshake(tls_) != 1) {
            push(sealed());
            pull();
        }
        push(sealed());
    }
    /// In records of at most record_size bytes.
    std::string seal(std::string_view plain) {
        REQUIRE(SSL_write(tls_, plain.data(), static_cast<int>(plain.size())) ==
                static_cast<int>(plain.size()));
        return sealed();
    }
    void push(std::string_view bytes) { net::write(socket_, net::buffer(bytes)); }

    template <class Buffers>
    std::size_t write_some(const Buffers& from, error_code&) {
        const net::const_buffer first = *net::buffer_sequence_begin(from);
        push(seal({static_cast<const char*>(first.data()), first.size()}));
        return first.size();
    }
    template <class Buffers>
    std::size_t read_some(const Buffers& into, error_code& error) {
        const net::mutable_buffer first = *net::buffer_sequence_begin(into);
        for (;;) {
            const int got = SSL_read(tls_, first.data(), static_cast<int>(first.size()));
            if (got > 0) return static_cast<std::size_t>(got);
            if (pull(&error) == 0) return 0;
        }
    }

private:
    std::string sealed() {
        std::string bytes(BIO_ctrl_pending(out_), '\0');
        if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }
    std::size_t pull(error_code* error = nullptr) {
        std::string bytes(20'000, '\0');
        error_code failure;
        const std::size_t got = socket_.read_some(net::buffer(bytes), failure);
        if (got > 0) BIO_write(in_, bytes.data(), static_cast<int>(got));
        if (error != nullptr) *error = failure;
        return got;
    }

    tcp::socket socket_;
    SSL* tls_;
    BIO *in_, *out_;
};
using sealed_peer = blocking_peer<sealed_stream>;

/// TLS that decrypts more than it is asked for.
class reading_ahead : public tls_stream {
public:
    reading_ahead(tcp::socket socket, net::ssl::context& context)
        : tls_stream(std::move(socket), context), ahead_(std::make_unique<std::array<char, 4096>>()) {}

    template <class Buffers, class Handler>
    void async_read_some(const Buffers& into, Handler handler) {
        if (!rest_.empty()) {
            const std::size_t bytes = give(into);
            net::post(get_executor(),
                      [bytes, handler = std::move(handler)]() mutable { handler(error_code(), bytes); });
            return;
        }
        tls_stream::async_read_some(net::buffer(*ahead_), [this, into, handler = std::move(handler)](
                                                              error_code error, std::size_t bytes) mutable {
            rest_ = {ahead_->data(), bytes};
            handler(error, give(into));
        });
    }

private:
    template <class Buffers>
    std::size_t give(const Buffers& into) {
        const std::size_t bytes = net::buffer_copy(into, net::buffer(rest_));
        rest_.remove_prefix(bytes);
        return bytes;
    }

    std::unique_ptr<std::array<char, 4096>> ahead_;
    std::string_view rest_;
};

template <class Peer>
void check_echo(Peer& peer, std::string_view payload) {
    peer.send(text(payload));
    REQUIRE(peer.frame() == payload); // not CHECK: the rest would be nonsense
}

/// Of one thread, without strands.
wsolo::adapt::asio::listen_options alone() {
    wsolo::adapt::asio::listen_options options;
    options.strands = false;
    return options;
}

/// A client, of either end of the library: a message of each frame's size, each after the answer to the one before it.
struct sized_caller : finishes {
    explicit sized_caller(server& at) : finishes(at.log), home(&at) {}
    void on_upgraded(auto& ws) { CHECK(ws.send_text(payload_of(frame_sizes[0])) == errc::none); }
    errc on_message(auto& ws, wsolo::message&& got) {
        CHECK(got.text() == payload_of(frame_sizes[next]));
        log->add(log->got, got.text().size());
        if (++next == frame_sizes.size()) {
            home->close_acceptor();
            return ws.close();
        }
        return ws.send_text(payload_of(frame_sizes[next]));
    }
    server* home;
    std::size_t next = 0;
};

/// Answers "big" with more than a socket takes, and else with what came.
struct big_on_demand : finishes {
    using finishes::finishes;
    errc on_message(auto& ws, wsolo::message&& got) {
        if (got.text() != "big") return ws.send(got);
        for (int i = 0; i < 6; ++i) CHECK(ws.send_text(std::string(1'000'000, 'x')) == errc::none);
        return errc::none;
    }
};

/// What has been posted by now is done.
[[maybe_unused]] void settle(server& at) {
    std::promise<void> done;
    net::post(at.loop, [&] { done.set_value(); });
    done.get_future().wait();
}

} // namespace

TEST_CASE("Asio: TLS, messages of all sizes about the buffers', alone, with another, and in pieces",
          "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); }, alone(), tls_wrap);
    SECTION("with the thread's buffer") {}
    SECTION("with the smallest one") {
        net::post(at.loop, [] { wsolo::adapt::asio::set_thread_read_buffer(0); });
    }
    SECTION("with one of less than a record") {
        net::post(at.loop, [] { wsolo::adapt::asio::set_thread_read_buffer(1000); });
    }
    SECTION("without memory for one") {
        net::post(at.loop, [] { wsolo::adapt::asio::set_thread_read_buffer(PTRDIFF_MAX); });
    }
    at.run(1);
    sealed_peer peer(at.endpoint(), tls_client());
    peer.lowest().set_option(tcp::no_delay(true)); // a piece does not wait for the one before it
    peer.stream().handshake();
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    for (const std::size_t size : frame_sizes) {
        const std::string payload = payload_of(size);
        check_echo(peer, payload);
        const std::string bytes = text(payload) + text("c");
        peer.send(bytes);
        CHECK(peer.frame() == payload);
        CHECK(peer.frame() == "c");
        std::string whole; // a record for each, which come at once
        for (const auto& each : {text("a"), text(payload), text(payload), text("b")})
            whole += peer.stream().seal(each);
        peer.stream().push(whole);
        CHECK(peer.frame() == "a");
        CHECK(peer.frame() == payload);
        CHECK(peer.frame() == payload);
        CHECK(peer.frame() == "b");
        for (const std::size_t first : {std::size_t{1}, few - 1, few, few + 1, record_size}) {
            if (first >= bytes.size()) continue;
            peer.send(bytes.substr(0, first));
            peer.send(bytes.substr(first));
            CHECK(peer.frame() == payload);
            CHECK(peer.frame() == "c");
        }
        const std::string sealed = peer.stream().seal(text(payload));
        peer.stream().push(sealed.substr(0, sealed.size() / 2)); // in the midst of a record
        std::this_thread::sleep_for(1ms);
        peer.stream().push(sealed.substr(sealed.size() / 2));
        CHECK(peer.frame() == payload);
    }
    peer.send(text(std::string(few - 6, 'x'))); // fills the small buffer, and the end follows
    peer.finish();
    CHECK(peer.frame() == std::string(few - 6, 'x'));
    CHECK(peer.frame().starts_with("\x03\xea")); // there was no Close
    at.stop();
    at.join();
    CHECK(at.log.ends.size() == 1);
}

TEST_CASE("Asio: TLS, both roles read messages of all sizes about the buffers'", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); }, {}, tls_wrap);
    wsolo::adapt::asio::connect(tls_stream(at.client(), tls_client()), at.where(), sized_caller(at),
                                {.host = "a"}, {}, told{&at});
    at.run(1);
    at.join();
    CHECK(at.log.got.size() == frame_sizes.size());
    CHECK(at.log.ends == std::vector<errc>{errc::none, errc::none});
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: TLS, a record is taken in one step however small the connection's own buffer is",
          "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); }, alone(), tls_wrap);
    std::atomic<std::size_t> steps{0};
    at.threads.emplace_back([&] {
        while (at.loop.run_one() != 0) ++steps;
    });
    tls_peer peer(at.endpoint(), tls_client());
    peer.stream().handshake(tls_stream::client);
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    check_echo(peer, "warm");
    constexpr std::size_t rounds = 20;
    const std::size_t before = steps;
    for (std::size_t round = 0; round < rounds; ++round) check_echo(peer, payload_of(record_size));
    CHECK(steps - before <= rounds * 20); // the read, and the write of one or two records
    peer.reset();
    at.stop();
    at.join();
}

TEST_CASE("Asio: TLS, what came while nothing was wanted is not lost", "[adapt][asio]") {
    server at;
    auto options = alone();
    options.handle_quantum = 1; // the next read has begun when the second message is handled
    at.accept([&] { return big_on_demand(at.log); }, options, tls_wrap);
    at.run(1);
    for (const std::size_t size : frame_sizes) {
        const std::string payload = payload_of(size);
        tls_peer peer(at.endpoint(), tls_client());
        peer.stream().handshake(tls_stream::client);
        CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
        peer.send(text("a") + text("big"));
        CHECK(peer.frame() == "a");
        std::this_thread::sleep_for(5ms); // the socket is full
        peer.send(text(payload));
        std::this_thread::sleep_for(5ms); // it has come, and waits
        for (int i = 0; i < 6; ++i) CHECK(peer.frame().size() == 1'000'000);
        CHECK(peer.frame() == payload);
        check_echo(peer, "b");
        peer.reset();
    }
    at.stop();
    at.join();
    CHECK(at.log.alive == 0);
}

#if defined(SSL_KEY_UPDATE_REQUESTED)
TEST_CASE("Asio: TLS, new keys in the midst of reads and writes", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); }, alone(), tls_wrap);
    at.run(1);
    tls_peer peer(at.endpoint(), tls_client());
    peer.stream().handshake(tls_stream::client);
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    SSL* const tls = peer.stream().native_handle();
    int updates = 0;
    SSL_set_msg_callback(tls, [](int is_sent, int, int kind, const void* bytes, std::size_t, SSL*, void* to) {
        constexpr unsigned char key_update = 24; // RFC 8446, 4
        if (is_sent == 0 && kind == 22 && *static_cast<const unsigned char*>(bytes) == key_update)
            ++*static_cast<int*>(to);
    });
    SSL_set_msg_callback_arg(tls, &updates);
    constexpr std::size_t rounds = 40; // their echoes fit into the system's buffers
    for (std::size_t i = 0; i < rounds; ++i) {
        CHECK(SSL_key_update(tls, SSL_KEY_UPDATE_REQUESTED) == 1);
        peer.send(text(payload_of(frame_sizes[i % frame_sizes.size()])) + text("c"));
    }
    for (std::size_t i = 0; i < rounds; ++i) {
        CHECK(peer.frame() == payload_of(frame_sizes[i % frame_sizes.size()]));
        CHECK(peer.frame() == "c");
    }
    CHECK(updates > 0);
    peer.reset();
    at.stop();
    at.join();
}
#endif

TEST_CASE("Asio: TLS, a context that goes in the midst of a record", "[adapt][asio]") {
    std::optional<server> at(std::in_place);
    const auto log = at->shared_log;
    at->accept([&] { return echo(*log); }, {}, tls_wrap);
    at->run(2);
    sealed_peer peer(at->endpoint(), tls_client());
    peer.stream().handshake();
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    check_echo(peer, payload_of(record_size));
    const std::string sealed = peer.stream().seal(text(payload_of(record_size)));
    peer.stream().push(sealed.substr(0, 9'000));
    std::this_thread::sleep_for(5ms);
    at->loop.stop();
    at->join();
    at.reset();
    CHECK(log->alive == 0);
}

TEST_CASE("Asio: without memory for the thread's buffer a socket is read by small pieces", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); }, alone());
    net::post(at.loop, [] { wsolo::adapt::asio::set_thread_read_buffer(PTRDIFF_MAX); });
    at.run(1);
    raw_client peer(at.endpoint());
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    for (const std::size_t size : frame_sizes) check_echo(peer, payload_of(size));
    peer.reset();
    at.stop();
    at.join();
}

TEST_CASE("Asio: a stream over TLS with decrypted bytes of its own is read by itself alone",
          "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); }, alone(),
              [](tcp::socket&& socket) { return reading_ahead(std::move(socket), tls_server()); });
    at.run(1);
    tls_peer peer(at.endpoint(), tls_client());
    peer.stream().handshake(tls_stream::client);
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    for (const std::size_t size : frame_sizes) check_echo(peer, payload_of(size));
    peer.reset();
    at.stop();
    at.join();
}

#if WSOLO_TEST_COUNTS_HEAP
TEST_CASE("Asio: TLS, an idle connection has no read buffer", "[adapt][asio]") {
    constexpr long many = 16;
    const auto idle = [](tls_peer& peer) { // its last record fills one buffer, or the other, or none
        for (const std::size_t size : {record_size, few, std::size_t{10}}) check_echo(peer, payload_of(size));
    };
    // What a connection holds in all, and its peer.
    server at;
    at.accept([&] { return echo(at.log); }, alone(), tls_wrap);
    at.run(1);
    std::vector<std::unique_ptr<tls_peer>> peers;
    const auto come = [&] {
        peers.push_back(std::make_unique<tls_peer>(at.endpoint(), tls_client()));
        peers.back()->stream().handshake(tls_stream::client);
        CHECK(peers.back()->upgrade().starts_with("HTTP/1.1 101"));
        idle(*peers.back());
        settle(at);
    };
    come(); // with the thread's buffer
    const long before = support::heap_now().bytes;
    for (long i = 0; i < many; ++i) come();
    const long served = support::heap_now().bytes - before;
    for (auto& each : peers) each->reset();
    at.stop();
    at.join();
    peers.clear();

    // What two streams of Asio's hold without it.
    net::io_context own;
    tcp::acceptor acceptor(own, tcp::endpoint(net::ip::address_v4::loopback(), 0));
    std::vector<std::unique_ptr<tls_stream>> ends;
    const long none = support::heap_now().bytes;
    for (long i = 0; i < many; ++i) {
        peers.push_back(std::make_unique<tls_peer>(acceptor.local_endpoint(), tls_client()));
        ends.push_back(std::make_unique<tls_stream>(acceptor.accept(), tls_server()));
        std::thread shakes([&] { ends.back()->handshake(tls_stream::server); });
        peers.back()->stream().handshake(tls_stream::client);
        shakes.join();
        char got = 0;
        net::write(*ends.back(), net::buffer("x", 1)); // brings the peer its session's tickets, too
        net::read(peers.back()->stream(), net::buffer(&got, 1));
        net::write(peers.back()->stream(), net::buffer("y", 1));
        net::read(*ends.back(), net::buffer(&got, 1));
    }
    const long bare = support::heap_now().bytes - none;
    CHECK((served - bare) / many < 4096); // the connection, its timer, and Asio's operations
}
#endif

#endif
