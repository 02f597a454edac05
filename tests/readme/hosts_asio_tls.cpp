// TLS in docs/hosts/asio.md, where Asio and OpenSSL are.
#if __has_include(<asio.hpp>) && __has_include(<openssl/ssl.h>)
#include <asio.hpp>
#include <asio/ssl.hpp>
#include <wsolo/adapt/asio.hpp>

using asio::ip::tcp;

struct chat {
    wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

void serve(asio::io_context& loop, tcp::acceptor& acceptor, wsolo::connection_group& everyone) {
@BLOCK@
    loop.run();
}
#endif
