// Boost.Beast as its asynchronous server example has it: one read, one write at a time, one thread.

#include "server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <memory>

namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = boost::asio::ip::tcp;
using beast::error_code;

class session : public std::enable_shared_from_this<session> {
public:
    session(tcp::socket&& socket, bool compresses) : ws_(std::move(socket)) {
        beast::get_lowest_layer(ws_).socket().set_option(tcp::no_delay(true));
        ws_.auto_fragment(
            false); // as the others: a message is one frame, which the load compares byte by byte
        if (compresses) {
            websocket::permessage_deflate with; // its defaults
            with.server_enable = true;
            ws_.set_option(with);
        }
        ws_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
    }
    void run() {
        ws_.async_accept([self = shared_from_this()](const error_code& error) {
            if (!error) self->read();
        });
    }

private:
    void read() {
        ws_.async_read(buffer_, [self = shared_from_this()](const error_code& error, std::size_t) {
            if (!error) self->write();
        });
    }
    void write() {
        ws_.text(ws_.got_text());
        ws_.async_write(buffer_.data(), [self = shared_from_this()](const error_code& error, std::size_t) {
            if (error) return;
            self->buffer_.consume(self->buffer_.size());
            self->read();
        });
    }

    websocket::stream<beast::tcp_stream> ws_;
    beast::flat_buffer buffer_;
};

void accept(tcp::acceptor& acceptor, bool compresses) {
    acceptor.async_accept([&acceptor, compresses](const error_code& error, tcp::socket socket) {
        if (!error) std::make_shared<session>(std::move(socket), compresses)->run();
        accept(acceptor, compresses);
    });
}

} // namespace

int main(int count, char** given) {
    const echo::arguments told(count, given);
    if (told.broadcasts) return 2; // it has no such thing
    boost::asio::io_context loop(1);
    tcp::acceptor acceptor(loop, tcp::v4(), echo::listen_somewhere());
    accept(acceptor, !told.deflate.empty());
    loop.run();
}
