// Would catch: bytes that Beast read after the request and that are lost or read twice, a field or a version that the judge
// does not see as it was sent, a refusal that is not answered, and a timeout of Beast's that goes on after its stream.
//
// Compiled alone: its Asio is Boost's.

#include <wsolo/adapt/beast.hpp>

#include <support/asio_rig.hpp>

#include <boost/beast.hpp>

using namespace asio_rig;
namespace beast = boost::beast;

namespace {

/// One connection of a Beast server, as far as the request. Whether the buffer is empty after it.
template <class Wrap>
bool read_and_serve(server& at, Wrap wrap) {
    tcp::socket accepted(at.loop);
    at.acceptor.accept(accepted);
    auto stream = wrap(std::move(accepted));
    beast::get_lowest_layer(stream).expires_after(1ms); // Beast's, and over once the stream is handed on
    beast::flat_buffer buffer;
    beast::http::request<beast::http::string_body> request;
    beast::http::read(stream, buffer, request); // a blocking call knows no timeout
    wsolo::adapt::beast::serve(std::move(stream), request, buffer, echo(at.log), at.everyone);
    at.run(1);
    return buffer.size() == 0;
}
beast::tcp_stream plain(tcp::socket&& socket) { return beast::tcp_stream(std::move(socket)); }

} // namespace

TEST_CASE("Beast: a request that it read becomes a connection, with what came after it", "[adapt][beast]") {
    server at;
    raw_client peer(at.endpoint());
    SECTION("in one piece") {
        peer.send(request() + text("one") + text("two") + close());
        CHECK(read_and_serve(at, plain));
    }
    SECTION("cut in a frame") {
        const std::string all = request() + text("one") + text("two") + close();
        peer.send(all.substr(0, request().size() + 5));
        CHECK(read_and_serve(at, plain));
        std::this_thread::sleep_for(5ms); // longer than Beast's timeout
        peer.send(all.substr(request().size() + 5));
    }
    CHECK(peer.head().starts_with("HTTP/1.1 101"));
    CHECK(peer.frame() == "one");
    CHECK(peer.frame() == "two");
    CHECK(peer.frame() == "\x03\xe8");
    CHECK(peer.rest().empty());
    at.join();
    CHECK(at.log.ends == std::vector<errc>{errc::none});
    CHECK(at.log.alive == 0);
    CHECK(at.everyone.report().joined == 1);
}

TEST_CASE("Beast: what the judge refuses is answered", "[adapt][beast]") {
    server at;
    raw_client peer(at.endpoint());
    std::string asked = request();
    std::string status = "HTTP/1.1 400";
    SECTION("an old version of HTTP") {
        asked.replace(asked.find("HTTP/1.1"), 8, "HTTP/1.0");
        status = "HTTP/1.1 426";
    }
    SECTION("a field that stands there twice") {
        asked.insert(asked.find("Sec-WebSocket-Key"), "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    }
    SECTION("another method") {
        asked.replace(0, 3, "POST");
        status = "HTTP/1.1 405";
    }
    peer.send(asked);
    CHECK(read_and_serve(at, plain));
    CHECK(peer.rest().starts_with(status));
    at.join();
    CHECK(at.log.ends.empty());
    CHECK(at.log.alive == 0);
}

#if defined(WSOLO_TEST_TLS)
TEST_CASE("Beast: the same over TLS", "[adapt][beast]") {
    server at;
    net::io_context own;
    tls_stream peer(tcp::socket(own), tls_client());
    net::connect(peer.next_layer(), at.where());
    bool is_empty = false;
    std::thread serves([&] {
        is_empty = read_and_serve(at, [](tcp::socket&& socket) {
            net::ssl::stream<beast::tcp_stream> made(beast::tcp_stream(std::move(socket)), tls_server());
            made.handshake(net::ssl::stream_base::server);
            return made;
        });
    });
    peer.handshake(tls_stream::client);
    net::write(peer, net::buffer(request() + text("one") + close()));
    std::string got;
    error_code error;
    net::read(peer, net::dynamic_buffer(got), error);
    CHECK(error == net::error::eof);
    CHECK(strict::parse(got.substr(got.find("\r\n\r\n") + 4), false).frames.size() == 2);
    peer.next_layer().close();
    serves.join();
    CHECK(is_empty);
    at.join();
    CHECK(at.log.alive == 0);
}
#endif
