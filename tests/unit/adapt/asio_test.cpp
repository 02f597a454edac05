// Would catch: a connection over Asio that loses bytes between the request and the frames, is closed by its own acceptor or
// group too early, keeps run() from returning, outlives or leaks with its context, touches a stream that is gone (TLS with a
// write in flight), reads after close_notify or sends none, or runs in two threads at once.

#include <support/asio_rig.hpp>

using namespace asio_rig;

TEST_CASE("Asio: what connects is served until the acceptor is closed and all have left", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); });
    at.run(1);
    raw_client one(at.endpoint()), two(at.endpoint());
    CHECK(one.upgrade().starts_with("HTTP/1.1 101"));
    CHECK(two.upgrade().starts_with("HTTP/1.1 101"));
    one.send(text("hello"));
    CHECK(one.frame() == "hello");
    two.send(text(std::string(100'000, 'x')));
    CHECK(two.frame() == std::string(100'000, 'x'));
    at.stop();
    CHECK(one.frame() == "\x03\xe9"
                         "restart");
    one.send(close());
    CHECK(one.rest().empty()); // the server ends the stream first
    CHECK(two.frame() == "\x03\xe9"
                         "restart");
    two.send(close());
    two.finish();
    at.join(); // run() returns
    CHECK(at.everyone.report().joined == 2);
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: when the last connection has ended the context has no work", "[adapt][asio]") {
    server at;
    wsolo::adapt::asio::listen_options patient;
    patient.handshake_timeout = patient.ending.close_timeout = patient.ending.linger_timeout = 1h;
    at.accept([&] { return echo(at.log); }, patient);
    raw_client peer(at.endpoint());
    SECTION("in order") { peer.send(request() + text("one") + close()); }
    SECTION("without a Close") { peer.send(request() + text("one")); }
    peer.finish();
    at.turn_until([&] { return at.log.ended() == 1; });
    at.acceptor.close();
    while (at.turn() != 0) {}
    CHECK(at.loop.stopped()); // run() would return
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: each send of another thread has the context do something", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); });
    raw_client peer(at.endpoint());
    peer.send(request());
    at.turn_until([&] { return at.everyone.size() == 1; });
    CHECK(peer.head().starts_with("HTTP/1.1 101"));
    for (int i = 0; i < 3; ++i) {
        while (at.turn() != 0) {}
        std::thread([&] { CHECK(at.everyone.send_text("tick").accepted == 1); }).join();
        REQUIRE(at.turn() != 0);
        CHECK(peer.frame() == "tick");
    }
    peer.reset();
}

TEST_CASE("Asio: a request and its frames may come in any pieces", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); });
    at.run(1);
    const std::string all = request() + text("one") + text("two") + close();
    for (const std::size_t piece : {all.size(), std::size_t{7}, std::size_t{1}}) {
        raw_client peer(at.endpoint());
        for (std::size_t i = 0; i < all.size(); i += piece) peer.send(all.substr(i, piece));
        const std::string answer = peer.rest();
        const std::size_t head = answer.find("\r\n\r\n") + 4;
        const auto frames = strict::parse(answer.substr(head), false).frames;
        REQUIRE(frames.size() == 3);
        CHECK(frames[0].payload == "one");
        CHECK(frames[1].payload == "two");
        CHECK(frames[2].payload == "\x03\xe8");
    }
    at.stop();
    at.join();
}

TEST_CASE("Asio: what is no upgrade, and what breaks a rule, gets its answer whole", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); });
    at.run(1);
    raw_client page(at.endpoint());
    page.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(200'000, 'x')); // it goes on sending
    CHECK(page.head().starts_with("HTTP/1.1 426"));
    raw_client broken(at.endpoint());
    static_cast<void>(broken.upgrade());
    broken.send("\x81\x05hello" + std::string(200'000, 'x')); // not masked
    CHECK(broken.frame().starts_with("\x03\xea"));
    broken.finish();
    CHECK(broken.rest().empty());
    at.stop();
    at.join();
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: a client of the same library, over every stream", "[adapt][asio]") {
    server at;
    SECTION("tcp") {
        at.accept([&] { return echo(at.log); });
        wsolo::adapt::asio::connect(at.client(), at.where(), caller(at), {.host = "a"}, {}, told{&at});
    }
    SECTION("local") {
        net::local::stream_protocol::socket here(at.loop), there(at.loop);
        net::local::connect_pair(here, there);
        wsolo::adapt::asio::serve(std::move(here), echo(at.log), at.everyone);
        wsolo::adapt::asio::connect(std::move(there), caller(at), {.host = "a"}, {}, told{&at});
    }
#if defined(WSOLO_TEST_TLS)
    SECTION("TLS") {
        at.accept([&] { return echo(at.log); }, {}, tls_wrap);
        wsolo::adapt::asio::connect(tls_stream(at.client(), tls_client()), at.where(), caller(at),
                                    {.host = "a"}, {}, told{&at});
    }
#endif
    at.run(1);
    at.join();
    CHECK(at.log.opened == std::vector<errc>{errc::none});
    CHECK(at.log.got == std::vector<std::size_t>{0, 1, 125, 126, 65'536, 1'000'000});
    CHECK(at.log.ends == std::vector<errc>{errc::none, errc::none});
    CHECK(at.log.codes == std::vector<int>{1000, 1000});
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: a client is told why it was never open", "[adapt][asio]") {
    server at;
    wsolo::client_options quick;
    quick.handshake_timeout = 100ms;
    SECTION("no one listens") {
        const std::vector<tcp::endpoint> where{at.endpoint()};
        at.acceptor.close();
        wsolo::adapt::asio::connect(at.client(), where, caller(at), {.host = "a"}, {}, told{&at});
        at.run(1);
        at.join();
        CHECK(at.log.opened == std::vector<errc>{errc::connection_lost});
    }
    SECTION("no answer comes") {
        wsolo::adapt::asio::connect(at.client(), at.where(), caller(at), {.host = "a"}, quick, told{&at});
        at.run(1);
        at.join();
        CHECK(at.log.opened == std::vector<errc>{errc::handshake_timeout});
    }
#if defined(WSOLO_TEST_TLS)
    SECTION("TLS is not agreed on") {
        wsolo::adapt::asio::connect(tls_stream(at.client(), tls_client()), at.where(), caller(at),
                                    {.host = "a"}, quick, told{&at});
        at.run(1);
        at.join();
        CHECK(at.log.opened == std::vector<errc>{errc::handshake_timeout});
    }
#endif
    SECTION("it can't be asked") {
        wsolo::adapt::asio::connect(at.client(), at.where(), caller(at), {.host = "a b"}, {}, told{&at});
        at.run(1);
        at.join();
        CHECK(at.log.opened == std::vector<errc>{errc::invalid_header_field});
    }
    SECTION("what tells it throws") {
        const std::vector<tcp::endpoint> where{at.endpoint()};
        at.acceptor.close();
        wsolo::adapt::asio::connect(at.client(), where, caller(at), {.host = "a"}, {}, [&](errc why) {
            at.log.opened.push_back(why);
            throw std::runtime_error("as users do");
        });
        CHECK_NOTHROW(at.run(1));
        at.join();
        CHECK(at.log.opened == std::vector<errc>{errc::connection_lost});
    }
    SECTION("it is refused") {
        at.accept([&] { return refuser{}; });
        wsolo::adapt::asio::connect(at.client(), at.where(), caller(at), {.host = "a"}, {}, told{&at});
        at.run(1);
        at.join();
        CHECK(at.log.opened == std::vector<errc>{errc::handshake_unexpected_status});
    }
    CHECK(at.log.ends.empty());
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: a peer that never begins is cut off", "[adapt][asio]") {
    server at;
    wsolo::adapt::asio::listen_options quick;
    quick.handshake_timeout = 50ms;
    SECTION("TCP") {
        at.accept([&] { return echo(at.log); }, quick);
        at.run(1);
        raw_client peer(at.endpoint());
        CHECK(peer.rest().starts_with("HTTP/1.1 408"));
    }
#if defined(WSOLO_TEST_TLS)
    SECTION("TLS") {
        at.accept([&] { return echo(at.log); }, quick, tls_wrap);
        at.run(1);
        raw_client peer(at.endpoint());
        CHECK(peer.rest().empty());
    }
#endif
    at.stop();
    at.join();
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: several threads run the context, and others send", "[adapt][asio]") {
    constexpr int peers = 8, sends = 200;
    server at;
    at.accept([&] { return echo(at.log); });
    at.run(3);
    std::vector<std::unique_ptr<raw_client>> clients;
    for (int i = 0; i < peers; ++i) {
        clients.push_back(std::make_unique<raw_client>(at.endpoint()));
        CHECK(clients.back()->upgrade().starts_with("HTTP/1.1 101"));
        clients.back()->send(text("in")); // the echo says that it has joined
        CHECK(clients.back()->frame() == "in");
    }
    std::size_t accepted = 0;
    std::thread pushes([&] {
        for (int i = 0; i < sends; ++i) accepted += at.everyone.send_text("tick").accepted;
    });
    for (int i = 0; i < sends; ++i)
        for (auto& each : clients) each->send(text("echo"));
    for (auto& each : clients) {
        std::map<std::string, int> seen;
        for (int i = 0; i < 2 * sends; ++i) ++seen[each->frame()];
        CHECK(seen == std::map<std::string, int>{{"echo", sends}, {"tick", sends}});
    }
    pushes.join();
    CHECK(accepted == peers * sends);
    std::thread resets([&] {
        for (std::size_t i = 0; i < clients.size(); i += 2) clients[i]->reset();
    });
    at.stop();
    resets.join();
    for (std::size_t i = 1; i < clients.size(); i += 2) {
        CHECK(clients[i]->frame() == "\x03\xe9"
                                     "restart");
        clients[i]->send(close());
        CHECK(clients[i]->rest().empty());
    }
    at.join();
    CHECK(at.log.alive == 0);
    CHECK(at.everyone.report().joined == peers);
}

TEST_CASE("Asio: a thread that sends holds no connection that ends meanwhile", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); });
    at.run(1);
    std::atomic<bool> is_over{false};
    std::vector<std::thread> pushes;
    for (int i = 0; i < 3; ++i)
        pushes.emplace_back([&] {
            while (!is_over) static_cast<void>(at.everyone.send_text("x"));
        });
    for (int i = 0; i < 300; ++i) {
        raw_client peer(at.endpoint());
        static_cast<void>(peer.upgrade());
        static_cast<void>(peer.frame());
        peer.reset();
    }
    at.stop();
    at.join();
    is_over = true;
    for (std::thread& each : pushes) each.join();
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: a closed group takes no more connections", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); });
    static_cast<void>(at.everyone.close_all(wsolo::close_code::going_away, "", 1s));
    at.run(1);
    raw_client late(at.endpoint());
    CHECK(late.upgrade().starts_with("HTTP/1.1 503"));
    at.stop();
    at.join();
}

TEST_CASE("Asio: a request after the group has closed is refused, one before is accepted", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); });
    at.run(1);
    raw_client member(at.endpoint());
    CHECK(member.upgrade().starts_with("HTTP/1.1 101"));
    raw_client slow(at.endpoint()); // connected; it asks when it is too late
    member.send(text("hello"));
    CHECK(member.frame() == "hello");
    static_cast<void>(at.everyone.close_all(wsolo::close_code::service_restart, "", 1s));
    CHECK(member.frame() == "\x03\xf4");
    member.send(close());
    CHECK(slow.upgrade().starts_with("HTTP/1.1 503"));
    at.stop();
    at.join();
}

TEST_CASE("Asio: what a factory throws drops one connection", "[adapt][asio]") {
    server at;
    int made = 0;
    bool sees_peer = false;
    at.accept([&](const tcp::socket& from) {
        sees_peer = from.remote_endpoint().address().is_loopback();
        if (made++ == 0) throw std::runtime_error("not this one");
        return echo(at.log);
    });
    at.run(1);
    raw_client first(at.endpoint());
    CHECK(first.rest().empty());
    raw_client second(at.endpoint());
    CHECK(second.upgrade().starts_with("HTTP/1.1 101"));
    second.reset();
    at.stop();
    at.join();
    CHECK(sees_peer);
}

TEST_CASE("Asio: while there are no descriptors, those that connect wait", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); });
    raw_client peer(at.endpoint());
    std::vector<int> taken;
    for (int copy = ::dup(0); copy >= 0; copy = ::dup(0)) taken.push_back(copy);
    const int why = errno;
    at.loop.run_one(); // the accept
    at.loop.run_one(); // which failed
    const int served =
        at.log.alive; // a sanitizer's own checks need a descriptor, too: nothing is asserted here
    for (const int copy : taken) ::close(copy);
    REQUIRE(why == EMFILE);
    CHECK(served == 0);
    at.run(1);
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    peer.reset();
    at.stop();
    at.join();
}

TEST_CASE("Asio: a peer that takes nothing is cut off within the write's time", "[adapt][asio]") {
    server at;
    wsolo::adapt::asio::listen_options quick;
    quick.writing.timeouts.write = 200ms;
    quick.ending.close_timeout = 50ms;
    quick.ending.linger_timeout = 50ms;
    SECTION("TCP") {
        at.accept([&] { return flood(at.log); }, quick);
    }
#if defined(WSOLO_TEST_TLS)
    SECTION("TLS") {
        at.accept([&] { return flood(at.log); }, quick, tls_wrap);
    }
#endif
    at.run(1);
    at.with_silent_peer([&] {
        while (at.log.ended() == 0) std::this_thread::sleep_for(1ms);
    });
    at.stop();
    at.join();
    CHECK(at.log.ends == std::vector<errc>{errc::write_timed_out});
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: a context that goes takes its connections with it", "[adapt][asio]") {
    std::optional<server> at(std::in_place);
    const auto log = at->shared_log;
    SECTION("TCP") {
        at->accept([&] { return flood(*log); });
    }
#if defined(WSOLO_TEST_TLS)
    SECTION("TLS, a write in flight") {
        at->accept([&] { return flood(*log); }, {}, tls_wrap);
    }
#endif
    raw_client silent(at->endpoint()); // one has not asked yet
    at->run(2);
    at->with_silent_peer([&] {
        while (log->alive != 2) std::this_thread::sleep_for(1ms);
        at->loop.stop();
        at->join();
        at.reset();
        CHECK(log->alive == 0);
    });
}

TEST_CASE("Asio: an abort from another thread ends a write in flight", "[adapt][asio]") {
    server at;
    SECTION("TCP") {
        at.accept([&] { return flood(at.log); });
    }
#if defined(WSOLO_TEST_TLS)
    SECTION("TLS") {
        at.accept([&] { return flood(at.log); }, {}, tls_wrap);
    }
#endif
    at.run(2);
    at.with_silent_peer([&] {
        while (at.everyone.size() == 0) std::this_thread::sleep_for(1ms); // it is open here too
        at.everyone.abort_all();
        while (at.log.ended() == 0) std::this_thread::sleep_for(1ms);
    });
    at.stop();
    at.join();
    CHECK(at.log.ends == std::vector<errc>{errc::aborted});
    CHECK(at.log.alive == 0);
}

#if defined(WSOLO_TEST_TLS)
TEST_CASE("Asio: TLS ends with close_notify on both sides", "[adapt][asio]") {
    server at;
    at.accept([&] { return echo(at.log); }, {}, tls_wrap);
    at.run(1);
    net::io_context own;
    tls_stream peer(tcp::socket(own), tls_client());
    net::connect(peer.next_layer(), at.where());
    peer.handshake(tls_stream::client);
    SECTION("after the Closes") {
        net::write(peer, net::buffer(request() + text("one") + close()));
        std::string got;
        error_code error;
        net::read(peer, net::dynamic_buffer(got), error);
        CHECK(error == net::error::eof); // not a truncation
        CHECK(strict::parse(got.substr(got.find("\r\n\r\n") + 4), false).frames.size() == 2);
    }
    SECTION("after a page") {
        net::write(peer, net::buffer(std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
        std::string got;
        error_code error;
        net::read(peer, net::dynamic_buffer(got), error);
        CHECK(error == net::error::eof);
        CHECK(got.starts_with("HTTP/1.1 426"));
    }
    SECTION("though the peer goes on sending") {
        net::write(peer, net::buffer(request() + "\x81\x05hello" + std::string(100'000, 'x')));
        std::string got(12, '\0');
        net::read(peer, net::buffer(got));
        CHECK(got == "HTTP/1.1 101");
        for (int i = 0; i < 20; ++i) net::write(peer, net::buffer(std::string(50'000, 'x')));
        error_code error;
        got.clear();
        net::read(peer, net::dynamic_buffer(got), error);
        CHECK(got.find("\x03\xea") != std::string::npos); // no reset destroyed it
    }
    SECTION("after the peer's") {
        net::write(peer, net::buffer(request()));
        error_code error;
        peer.shutdown(error); // waits for the server's
        CHECK((!error || error.message().find("application data after close notify") != std::string::npos));
    }
    peer.next_layer().close();
    at.stop();
    at.join();
    CHECK(at.log.alive == 0);
}
#endif
