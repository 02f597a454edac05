// Would catch: a conversation that loses a message or a wait before its connection is open, that says nothing of why it never
// was, that sends more than there is room for, that outlives or leaks with its context, and a cancellation that is lost.

#include <support/asio_rig.hpp>

using namespace asio_rig;

#if WSOLO_ASIO_AWAITS
TEST_CASE("Asio: both sides as coroutines", "[adapt][asio]") {
    server at;
    SECTION("tcp") {
        at.spawn(talk(accepted(at), at));
        at.spawn(ask(conversation(at.client(), at.where(), {.host = "a"}), at));
    }
#if defined(WSOLO_TEST_TLS)
    SECTION("TLS") {
        at.spawn(talk_tls(accepted(at), at));
        at.spawn(ask(conversation(tls_stream(at.client(), tls_client()), at.where(), {.host = "a"}), at));
    }
#endif
    at.run(2);
    at.join();
    CHECK(at.log.opened == std::vector<errc>{errc::none});
    CHECK(at.log.got == std::vector<std::size_t>{0, 1, 125, 126, 65'536, 1'000'000});
    CHECK(at.log.ends == std::vector<errc>{errc::closed});
    CHECK(at.everyone.report().joined == 1);
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: a coroutine's send waits for room", "[adapt][asio]") {
    server at;
    at.spawn(pour(accepted(at), at, 40));
    at.run(1);
    raw_client peer(at.endpoint());
    static_cast<void>(peer.upgrade());
    for (int i = 0; i < 40; ++i) CHECK(peer.frame().size() == 1'000'000);
    CHECK(peer.frame() == "\x03\xe8");
    peer.send(close());
    CHECK(peer.rest().empty());
    at.join();
    CHECK(at.log.ends == std::vector<errc>(41, errc::none)); // the flush too
}

TEST_CASE("Asio: a conversation that is never open says why", "[adapt][asio]") {
    server at;
    SECTION("on a client") {
        const std::vector<tcp::endpoint> where{at.endpoint()};
        at.acceptor.close();
        at.spawn(ask(conversation(at.client(), where, {.host = "a"}), at));
        at.run(1);
        at.join();
        CHECK(at.log.opened == std::vector<errc>{errc::connection_lost});
    }
    SECTION("on a server") {
        at.spawn(talk(accepted(at), at));
        at.run(1);
        raw_client page(at.endpoint());
        page.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(page.head().starts_with("HTTP/1.1 426"));
        page.finish();
        at.join();
        CHECK(at.log.ends == std::vector<errc>{errc::handshake_missing_upgrade});
    }
    CHECK(at.log.alive == 0);
}

TEST_CASE("Asio: a conversation that goes closes its connection", "[adapt][asio]") {
    server at;
    at.spawn(leave(accepted(at), at));
    at.run(1);
    raw_client peer(at.endpoint());
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    CHECK(peer.frame() == "\x03\xe8");
    peer.send(close());
    CHECK(peer.rest().empty());
    at.join();
    CHECK(at.log.opened == std::vector<errc>{errc::none});
}

TEST_CASE("Asio: a context that goes takes its conversations with it", "[adapt][asio]") {
    std::optional<server> at(std::in_place);
    const auto log = at->shared_log;
    at->spawn(talk(accepted(*at), *at));
    at->spawn(talk(accepted(*at), *at));
    at->run(2);
    {
        raw_client silent(at->endpoint()), peer(at->endpoint());
        SECTION("as a coroutine waits for the opening, and one for a message") {
            static_cast<void>(peer.upgrade());
            peer.send(text("one"));
            CHECK(peer.frame() == "one");
        }
        SECTION("as both wait for the opening") {
            while (log->alive != 2) std::this_thread::sleep_for(1ms);
        }
        at->loop.stop();
        at->join();
    }
    at.reset();
    CHECK(log->alive == 0);
}

#if WSOLO_ASIO_CANCELS
TEST_CASE("Asio: a cancellation ends a coroutine's wait, and with it the connection", "[adapt][asio]") {
    server at;
    net::cancellation_signal stop;
    net::co_spawn(at.loop, talk(accepted(at), at), net::bind_cancellation_slot(stop.slot(), net::detached));
    at.run(1);
    raw_client peer(at.endpoint());
    SECTION("for a message") {
        static_cast<void>(peer.upgrade());
        peer.send(text("one"));
        CHECK(peer.frame() == "one");
        net::post(at.loop, [&] { stop.emit(net::cancellation_type::terminal); });
        CHECK(peer.frame() == "\x03\xe8");
        peer.send(close());
    }
    SECTION("for the opening") {
        while (at.log.alive != 1) std::this_thread::sleep_for(1ms);
        net::post(at.loop, [&] { stop.emit(net::cancellation_type::terminal); });
        while (at.log.ended() == 0) std::this_thread::sleep_for(1ms);
        CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
        CHECK(peer.frame() == "\x03\xe8");
        peer.send(close());
    }
    CHECK(peer.rest().empty());
    at.join();
    CHECK(at.log.ends == std::vector<errc>{errc::cancelled});
    CHECK(at.log.alive == 0);
}
#endif
#endif
