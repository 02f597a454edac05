#pragma once
// permessage-deflate's two halves of one connection: wsolo's, zlib as other libraries use it, and Beast's own.
//
// Laws of this file:
// - A sender appends the compressed message to a string, or says false: it is sent as it is. A receiver appends the plain one.
// - Each sender and receiver is one connection's, and holds what that library holds between messages.

#include <wsolo/adapt/zlib.hpp>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#ifdef WSOLO_BENCH_BEAST
#include <boost/beast/websocket.hpp>
#include <boost/beast/zlib/deflate_stream.hpp>
#include <boost/beast/zlib/inflate_stream.hpp>
#endif

namespace bench {

/// A message's last four bytes, which do not travel (RFC 7692 §7.2.1).
inline constexpr std::string_view deflate_tail("\0\0\xff\xff", 4);

class wsolo_sender {
public:
    explicit wsolo_sender(const wsolo::deflate_options& options)
        : one_({options.send_window_bits, options.mode != wsolo::deflate_mode::no_takeover}, options) {}
    bool deflate(std::string_view plain, wsolo::byte_buffer& out) {
        return one_.deflate(wsolo::bytes_of(plain), out);
    }

private:
    wsolo::message_deflater<wsolo::adapt::zlib::compressor> one_;
};
class wsolo_receiver {
public:
    wsolo_receiver(const wsolo::deflate_options& options, bool is_text)
        : one_({options.send_window_bits, options.mode != wsolo::deflate_mode::no_takeover}),
          is_text_(is_text) {}
    void inflate(wsolo::const_bytes from, wsolo::byte_buffer& out) {
        if (one_.append(from, true, is_text_, out) != wsolo::errc::none) std::abort();
    }

private:
    wsolo::message_inflater<wsolo::adapt::zlib::decompressor> one_;
    bool is_text_;
};

/// A stream of zlib's for each connection and direction, as most libraries have it.
class zlib_sender {
public:
    zlib_sender(int window_bits, int memory_level) : stream_(new z_stream{}) {
        if (deflateInit2(stream_.get(), Z_DEFAULT_COMPRESSION, Z_DEFLATED, -window_bits, memory_level,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            std::abort();
    }
    bool deflate(std::string_view plain, wsolo::byte_buffer& out) {
        const std::size_t most = deflateBound(stream_.get(), static_cast<uLong>(plain.size())) + 16;
        std::byte* const to = out.extend(most);
        stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
        stream_->avail_in = static_cast<uInt>(plain.size());
        stream_->next_out = reinterpret_cast<Bytef*>(to);
        stream_->avail_out = static_cast<uInt>(most);
        if (::deflate(stream_.get(), Z_SYNC_FLUSH) != Z_OK || stream_->avail_out == 0) std::abort();
        out.truncate(out.size() - stream_->avail_out - deflate_tail.size());
        return true;
    }

private:
    struct end {
        void operator()(z_stream* of) const {
            deflateEnd(of);
            delete of;
        }
    };
    std::unique_ptr<z_stream, end> stream_;
};
class zlib_receiver {
public:
    explicit zlib_receiver(int window_bits) : stream_(new z_stream{}) {
        if (inflateInit2(stream_.get(), -window_bits) != Z_OK) std::abort();
    }
    void inflate(wsolo::const_bytes from, wsolo::byte_buffer& out) {
        step(from, out);
        step(wsolo::bytes_of(deflate_tail), out);
    }

private:
    struct end {
        void operator()(z_stream* of) const {
            inflateEnd(of);
            delete of;
        }
    };
    void step(wsolo::const_bytes from, wsolo::byte_buffer& out) {
        stream_->next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(from.data()));
        stream_->avail_in = static_cast<uInt>(from.size());
        do {
            std::byte* const to = out.extend(room_);
            stream_->next_out = reinterpret_cast<Bytef*>(to);
            stream_->avail_out = static_cast<uInt>(room_);
            const int answer = ::inflate(stream_.get(), Z_SYNC_FLUSH);
            if (answer != Z_OK && answer != Z_BUF_ERROR) std::abort();
            out.truncate(out.size() - stream_->avail_out);
        } while (stream_->avail_out == 0);
    }
    static constexpr std::size_t room_ = 2048;
    std::unique_ptr<z_stream, end> stream_;
};

#ifdef WSOLO_BENCH_BEAST
/// Beast's own port of zlib, called as its stream calls it, with its defaults (permessage_deflate in its option.hpp).
class beast_sender {
public:
    beast_sender() : one_(new boost::beast::zlib::deflate_stream) {
        const boost::beast::websocket::permessage_deflate settings;
        one_->reset(settings.compLevel, settings.server_max_window_bits, settings.memLevel,
                    boost::beast::zlib::Strategy::normal);
    }
    bool deflate(std::string_view plain, wsolo::byte_buffer& out) {
        const std::size_t most = plain.size() + plain.size() / 8 + 64;
        boost::beast::zlib::z_params how;
        how.next_in = plain.data();
        how.avail_in = plain.size();
        how.next_out = out.extend(most);
        how.avail_out = most;
        boost::beast::error_code error;
        one_->write(how, boost::beast::zlib::Flush::none, error);
        if (!error) one_->write(how, boost::beast::zlib::Flush::block, error);
        if (error == boost::beast::zlib::error::need_buffers) error = {};
        if (!error) one_->write(how, boost::beast::zlib::Flush::sync, error);
        if (error || how.avail_in != 0) std::abort();
        out.truncate(out.size() - how.avail_out - deflate_tail.size());
        return true;
    }

private:
    std::unique_ptr<boost::beast::zlib::deflate_stream> one_; // it can't be moved
};
class beast_receiver {
public:
    beast_receiver() : one_(new boost::beast::zlib::inflate_stream) { one_->reset(15); }
    void inflate(wsolo::const_bytes from, wsolo::byte_buffer& out) {
        step(from, out);
        step(wsolo::bytes_of(deflate_tail), out);
    }

private:
    void step(wsolo::const_bytes from, wsolo::byte_buffer& out) {
        boost::beast::zlib::z_params how;
        how.next_in = from.data();
        how.avail_in = from.size();
        do {
            how.next_out = out.extend(room_);
            how.avail_out = room_;
            boost::beast::error_code error;
            one_->write(how, boost::beast::zlib::Flush::sync, error);
            if (error && error != boost::beast::zlib::error::need_buffers) std::abort();
            out.truncate(out.size() - how.avail_out);
        } while (how.avail_out == 0);
    }
    static constexpr std::size_t room_ = 2048;
    std::unique_ptr<boost::beast::zlib::inflate_stream> one_;
};
#endif

} // namespace bench
