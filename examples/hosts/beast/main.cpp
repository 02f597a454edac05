// Boost.Beast: its HTTP server reads the requests, and hands on those for WebSocket.

#include "../chat.hpp"
#include "../host.hpp"

#include <wsolo/adapt/beast.hpp>

#include <boost/asio.hpp>
#include <boost/beast.hpp>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;

asio::awaitable<void> serve(beast::tcp_stream stream, wsolo::connection_group& everyone, chat of) {
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    stream.expires_after(chat_options().handshake_timeout);
    co_await http::async_read(stream, buffer, request, asio::use_awaitable);
    if (beast::websocket::is_upgrade(request) || request.target() == "/ws")
        co_return wsolo::adapt::beast::serve(std::move(stream), request, buffer, of, everyone,
                                             chat_options());
    http::response<http::string_body> page(http::status::ok, request.version());
    page.body() = "This is Beast: /ws\n";
    page.keep_alive(false);
    page.prepare_payload();
    co_await http::async_write(stream, page, asio::use_awaitable);
    stream.socket().shutdown(tcp::socket::shutdown_send);
}

asio::awaitable<void> listen(tcp::acceptor& acceptor, wsolo::connection_group& everyone, chat of) {
    asio::steady_timer pause(acceptor.get_executor());
    while (acceptor.is_open()) {
        beast::error_code error; // else it would be thrown, and end this loop
        tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (!error) {
            asio::co_spawn(acceptor.get_executor(), serve(beast::tcp_stream(std::move(socket)), everyone, of),
                           asio::detached);
        } else if (acceptor.is_open()) { // no descriptor, say: some connection gives one back
            pause.expires_after(100ms);
            co_await pause.async_wait(asio::use_awaitable);
        }
    }
}

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    pusher pushes;
    asio::io_context loop;
    wsolo::connection_group everyone;
    tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), told.port});
    asio::co_spawn(loop, listen(acceptor, everyone, chat{&pushes}), asio::detached);
    asio::signal_set signals(loop, SIGTERM, SIGINT);
    signals.async_wait([&](beast::error_code, int) {
        acceptor.close();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    say_listening(acceptor.local_endpoint().port());
    loop.run();
}
