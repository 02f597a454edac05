#pragma once
// Boost.Beast: its stream over a socket made of memory, since it has no codec of its own. The handshake is
// done once, before the clock starts. Fragmenting by the write buffer is off, so that a message is one frame
// for all.
//
// Masking and UTF-8 are functions of its `detail` namespace: not promised to users, but compiled from its
// installed headers as they are.

#include <wsolo/handshake/accept_key.hpp>
#include <wsolo/wsolo.hpp>

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

namespace beast = boost::beast;
namespace asio = boost::asio;

/// A stream whose reads come from `input` and whose writes go to `output`, or are kept while that is null.
class memory_stream {
public:
    using executor_type = asio::io_context::executor_type;

    explicit memory_stream(asio::io_context& context) : context_(&context) {}
    executor_type get_executor() noexcept { return context_->get_executor(); }

    template <class Buffers>
    std::size_t read_some(const Buffers& to, beast::error_code& error) {
        if (input.empty() && answer_handshake) input = answer();
        const std::size_t size = asio::buffer_copy(to, asio::buffer(input));
        if (size == 0 && asio::buffer_size(to) != 0) error = asio::error::eof;
        input.remove_prefix(size);
        return size;
    }
    template <class Buffers>
    std::size_t read_some(const Buffers& to) {
        return thrown([&](beast::error_code& error) { return read_some(to, error); });
    }

    template <class Buffers>
    std::size_t write_some(const Buffers& from, beast::error_code&) {
        const std::size_t size = asio::buffer_size(from);
        if (output == nullptr) {
            kept_ += beast::buffers_to_string(from);
        } else {
            asio::buffer_copy(asio::buffer(output, size), from);
            output += size;
        }
        return size;
    }
    template <class Buffers>
    std::size_t write_some(const Buffers& from) {
        return thrown([&](beast::error_code& error) { return write_some(from, error); });
    }

    std::string_view input;
    std::byte* output = nullptr;
    bool answer_handshake = false; ///< as the server that a client's stream asks to upgrade

private:
    template <class Work>
    static std::size_t thrown(Work work) {
        beast::error_code error;
        const std::size_t size = work(error);
        if (error) throw beast::system_error(error);
        return size;
    }
    std::string_view answer() {
        constexpr std::string_view name = "Sec-WebSocket-Key: ";
        const std::string key = kept_.substr(kept_.find(name) + name.size(), 24);
        kept_ = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: ";
        const wsolo::accept_value accepted = wsolo::accept_key(key);
        kept_ += accepted.view();
        kept_ += "\r\n\r\n";
        return kept_;
    }

    asio::io_context* context_;
    std::string kept_;
};

inline void teardown(beast::role_type, memory_stream&, beast::error_code& error) { error = {}; }

struct beast_codec {
    static constexpr const char* name = "beast";

    /// An open connection.
    template <wsolo::role Role>
    class connection {
    public:
        connection() {
            stream_.auto_fragment(false);
            stream_.binary(true);
            if constexpr (Role == wsolo::role::client) {
                socket().answer_handshake = true;
                stream_.handshake("localhost", "/");
                socket().answer_handshake = false;
            } else {
                stream_.accept(asio::buffer(request_));
            }
        }

    protected:
        memory_stream& socket() { return stream_.next_layer(); }

        static constexpr std::string_view request_ =
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        asio::io_context context_;
        beast::websocket::stream<memory_stream> stream_{context_};
    };

    template <wsolo::role Role>
    class encoder : private connection<Role> {
    public:
        std::size_t encode(std::byte* to, wsolo::const_bytes payload) {
            this->socket().output = to;
            this->stream_.write(asio::buffer(payload.data(), payload.size()));
            return static_cast<std::size_t>(this->socket().output - to);
        }
    };

    class decoder : private connection<wsolo::role::server> {
    public:
        /// Beast reads into a buffer of its own: that is the copy, so `at` stays unused.
        std::size_t decode(const std::string& wire, std::byte*, std::size_t frames) {
            socket().input = wire;
            std::size_t seen = 0;
            for (std::size_t i = 0; i < frames; ++i) {
                buffer_.clear();
                seen += stream_.read(buffer_);
            }
            return seen;
        }

    private:
        beast::flat_buffer buffer_;
    };

    static void mask_in_place(wsolo::mutable_bytes bytes, wsolo::masking_key key) {
        beast::websocket::detail::prepared_key prepared;
        std::memcpy(prepared.data(), key.bytes.data(), key.bytes.size());
        beast::websocket::detail::mask_inplace(asio::buffer(bytes.data(), bytes.size()), prepared);
    }
    static bool is_valid_utf8(const std::string& text) {
        return beast::websocket::detail::check_utf8(text.data(), text.size());
    }
};

} // namespace bench
