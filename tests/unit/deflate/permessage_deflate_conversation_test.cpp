// Would catch: a conversation, on either side, whose hooks' compression is not offered, not answered, or not used; a message that a
// coroutine is given as it came, or that leaves uncompressed.

#include <support/catch.hpp>
#include <support/deflate.hpp>
#include <support/fire_and_forget.hpp>

#include <wsolo/endpoint/client_connection.hpp>
#include <wsolo/endpoint/conversation.hpp>
#include <wsolo/endpoint/server_connection.hpp>
#include <wsolo/testing/pair.hpp>

#if __has_include(<asio.hpp>)
#include <support/asio_rig.hpp>
#endif

#include <chrono>
#include <memory>

using support::compressible;
using wsolo::errc;
using wsolo::adapt::zlib::permessage_deflate;

namespace {

/// What a connection's hooks saw.
struct seen {
    bool is_agreed = false;
    std::uint64_t bytes_written = 0;
};

/// The hooks of a conversation: all that compresses is the member.
struct with_compression {
    permessage_deflate compression;
    std::shared_ptr<seen> saw;

    void on_upgraded(auto&) { saw->is_agreed = compression.is_agreed(); }
    void on_finished(auto&, const wsolo::ending& how) { saw->bytes_written = how.written.bytes_written; }
};

struct talking : wsolo::in_a_coroutine {
    permessage_deflate compression;
};

struct heard {
    std::vector<std::string> got;
    errc ended = errc::none;
};
fire_and_forget echo(wsolo::conversation ws, heard& into) {
    while (auto next = co_await ws.next()) {
        into.got.emplace_back(next->text());
        static_cast<void>(co_await ws.send(*next));
    }
}
fire_and_forget ask(wsolo::conversation ws, std::vector<std::string> texts, heard& into) {
    for (const std::string& text : texts) {
        into.ended = co_await ws.send_text(text);
        auto answer = co_await ws.next();
        into.got.emplace_back(answer ? answer->text() : "NONE");
    }
    into.ended = co_await ws.flushed();
}

} // namespace

TEST_CASE("coroutines on both sides talk compressed", "[deflate][conversation]") {
    using namespace std::chrono_literals;
    wsolo::testing::pair net(wsolo::testing::link_options{.latency = std::chrono::milliseconds(1)});
    wsolo::server_connection<wsolo::testing::pair_transport, wsolo::testing::pair_wake, talking,
                             wsolo::in_the_loop, wsolo::testing::virtual_traits>
        one(net.server.transport(), net.server.wake(), talking{});
    wsolo::client_connection<wsolo::testing::pair_transport, wsolo::testing::pair_wake, talking,
                             wsolo::client_side<>, wsolo::in_the_loop, wsolo::testing::virtual_traits>
        two(net.client.transport(), net.client.wake(), talking{}, wsolo::client_request{.host = "a"});
    net.server.drive(one);
    net.client.drive(two);
    net.run_for(1s);
    REQUIRE(one.opened() != nullptr);
    REQUIRE(two.opened() != nullptr);
    CHECK(one.opened()->handler().compression.is_agreed());
    CHECK(two.opened()->handler().compression.is_agreed());
    const std::vector<std::string> texts{compressible(5000), "short", compressible(100'000),
                                         compressible(300)};
    heard server_side, client_side;
    echo(wsolo::conversation(*one.opened()), server_side);
    ask(wsolo::conversation(*two.opened()), texts, client_side);
    net.run_for(10s);
    CHECK(server_side.got == texts);
    CHECK(client_side.got == texts);
    CHECK(client_side.ended == errc::none);
    for (const auto& written :
         {one.opened()->writer().report().bytes_written, two.opened()->writer().report().bytes_written}) {
        CHECK(written > 1000);
        CHECK(written < 60'000);
    }
}

#if __has_include(<asio.hpp>) && WSOLO_ASIO_AWAITS
TEST_CASE("Asio's conversations talk compressed", "[deflate][conversation]") {
    using namespace asio_rig;
    for (const bool client_has_it : {true, false}) {
        const auto of_server = std::make_shared<seen>(), of_client = std::make_shared<seen>();
        asio_rig::server at;
        const auto serve = [&]() -> net::awaitable<void> {
            tcp::socket socket = co_await accepted(at);
            with_compression hooks{permessage_deflate(), of_server};
            co_await answer(conversation(std::move(socket), at.everyone, {}, std::move(hooks)), at);
        };
        at.spawn(serve());
        if (client_has_it) {
            with_compression hooks{permessage_deflate(), of_client};
            at.spawn(asio_rig::ask(conversation(at.client(), at.where(), {.host = "a"}, {}, std::move(hooks)),
                                   at));
        } else {
            at.spawn(asio_rig::ask(conversation(at.client(), at.where(), {.host = "a"}), at));
        }
        at.run(2);
        at.join();
        CHECK(at.log.opened == std::vector<errc>{errc::none});
        CHECK(at.log.got == std::vector<std::size_t>{0, 1, 125, 126, 65'536, 1'000'000});
        CHECK(at.log.ends == std::vector<errc>{errc::closed});
        CHECK(of_server->is_agreed == client_has_it);
        CHECK(of_client->is_agreed == client_has_it);
        CHECK((of_server->bytes_written < 20'000) == client_has_it);
        if (client_has_it) CHECK(of_client->bytes_written < 20'000);
    }
}
#endif
