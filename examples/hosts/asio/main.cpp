// Asio: callbacks, with and without TLS.

#include "../chat.hpp"
#include "../host.hpp"

#include <wsolo/adapt/asio.hpp>

#include <asio.hpp>
#include <asio/ssl.hpp>

using asio::ip::tcp;
using namespace std::chrono_literals;

int main(int count, char** given) {
    const arguments told(count, given);
    pusher pushes;
    asio::io_context loop;
    wsolo::connection_group everyone;
    tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), told.port});
    asio::ssl::context tls(asio::ssl::context::tls_server);
    const auto make = [&] { return chat{&pushes}; };
    if (told.certificate != nullptr) {
        tls.use_certificate_chain_file(told.certificate);
        tls.use_private_key_file(told.key, asio::ssl::context::pem);
        const auto wrap = [&](tcp::socket&& s) { return asio::ssl::stream<tcp::socket>(std::move(s), tls); };
        wsolo::adapt::asio::accept(acceptor, everyone, make, {chat_options()}, wrap);
    } else {
        wsolo::adapt::asio::accept(acceptor, everyone, make, {chat_options()});
    }
    asio::signal_set signals(loop, SIGTERM, SIGINT);
    signals.async_wait([&](std::error_code, int) {
        acceptor.close();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    say_listening(acceptor.local_endpoint().port());
    loop.run(); // returns when the last one has left
}
