// Boost.Beast's websocket::stream over its in-memory test stream. It reads only behind a handshake, so each
// case has one.

#include "driver.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/beast/_experimental/test/stream.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <wsolo/handshake/accept_key.hpp>

#include <optional>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;

class session {
public:
    session(bool server, differential::event_log& log) : log_(log), stream_(io_), peer_(io_) {
        stream_.next_layer().connect(peer_);
        stream_.read_message_max(16 * 1024 * 1024);
        stream_.control_callback([this](websocket::frame_type type, beast::string_view payload) {
            if (type == websocket::frame_type::close) return;
            log_.data(type == websocket::frame_type::ping ? "ping" : "pong",
                      {payload.data(), payload.size()});
        });
        server ? accept() : ask();
        peer_.clear();
        peer_.buffer().consume(peer_.buffer().size());
        read();
    }

    void feed(const std::string& part) { deliver(part); }

private:
    void deliver(std::string_view bytes) {
        if (!bytes.empty()) peer_.write_some(asio::buffer(bytes.data(), bytes.size()));
        run();
    }

    void run() {
        io_.restart();
        io_.poll();
    }

    void accept() {
        stream_.async_accept([](beast::error_code) {});
        deliver("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    }

    void ask() {
        stream_.async_handshake("h", "/", [](beast::error_code) {});
        run();
        const std::string request(peer_.str());
        const std::string_view field = "Sec-WebSocket-Key: ";
        const std::string_view key = std::string_view(request).substr(request.find(field) + field.size(), 24);
        const auto accepted = wsolo::accept_key(key);
        deliver("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: " +
                std::string(accepted.view()) + "\r\n\r\n");
    }

    void read() {
        stream_.async_read(buffer_, [this](beast::error_code error, std::size_t) {
            if (error == websocket::error::closed) {
                const auto& reason = stream_.reason();
                return log_.close(reason.code == websocket::close_code::none ? 1005 : reason.code,
                                  {reason.reason.data(), reason.reason.size()});
            }
            if (error == asio::error::operation_aborted) return;
            if (error)
                return log_.error(differential::sent_close_code({peer_.str().data(), peer_.str().size()}),
                                  word_of(error));
            log_.data(stream_.got_text() ? "text" : "binary", beast::buffers_to_string(buffer_.data()));
            buffer_.clear();
            read();
        });
    }

    static std::string word_of(beast::error_code error) {
        std::string word = error.message();
        for (char& letter : word) {
            if (letter == ' ') letter = '_';
        }
        return word;
    }

    differential::event_log& log_;
    asio::io_context io_;
    websocket::stream<beast::test::stream> stream_;
    beast::test::stream peer_;
    beast::flat_buffer buffer_;
};

} // namespace

int main() {
    return differential::drive([](const differential::given_case& given, differential::event_log& log) {
        session connection(given.server, log);
        for (const std::string& part : given.parts) {
            if (!log.ended()) connection.feed(part);
        }
    });
}
