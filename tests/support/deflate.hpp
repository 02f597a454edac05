#pragma once
// Messages to compress, and zlib used plainly: the judge of what the library's deflaters and inflaters do.

#include <wsolo/adapt/zlib.hpp>
#include <wsolo/core/byte_buffer.hpp>
#include <wsolo/deflate/message_deflater.hpp>
#include <wsolo/deflate/message_inflater.hpp>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>
#include <zlib.h>

namespace support {

using zlib_deflater = wsolo::message_deflater<wsolo::adapt::zlib::compressor>;
using zlib_inflater = wsolo::message_inflater<wsolo::adapt::zlib::decompressor>;

/// xorshift: the same everywhere.
class dice {
public:
    explicit dice(std::uint64_t seed) : state_(seed * 2654435761U + 88172645463325252U) {}
    std::uint64_t operator()() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>((*this)() % bound); }

private:
    std::uint64_t state_;
};

/// A chat's message as JSON.
inline std::string chat(std::size_t number) {
    static const char* const words[] = {"hello", "are",   "you", "there", "yes",
                                        "the",   "build", "is",  "green", "again"};
    dice roll(number + 1);
    std::string text = "{\"type\":\"message\",\"id\":" + std::to_string(10000 + number) +
                       ",\"user\":\"user-" + std::to_string(roll.below(20)) +
                       "\",\"room\":\"general\",\"text\":\"";
    for (std::size_t i = 0; i < 5; ++i) text += std::string(i == 0 ? "" : " ") + words[roll.below(10)];
    return text + "\",\"at\":\"2026-01-01T00:00:" + std::to_string(10 + number % 50) + "Z\"}";
}
/// `size` bytes that compress.
inline std::string compressible(std::size_t size, std::size_t from = 0) {
    std::string text;
    while (text.size() < size) text += chat(from++);
    text.resize(size);
    return text;
}
/// `size` bytes that do not.
inline std::string noise(std::size_t size, std::uint64_t seed = 1) {
    dice roll(seed);
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(roll() >> 32);
    return text;
}

inline std::string text_of(const wsolo::byte_buffer& bytes) {
    return std::string(wsolo::text_of(bytes.view()));
}

/// A peer that compresses with zlib as RFC 7692 §7.2.1 says it. `flush`: Z_SYNC_FLUSH, or Z_FINISH for blocks with BFINAL,
/// after which its window lives on.
class plain_deflater {
public:
    explicit plain_deflater(int bits = 15, int level = 6) {
        deflateInit2(&stream_, level, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY);
    }
    plain_deflater(const plain_deflater&) = delete;
    plain_deflater& operator=(const plain_deflater&) = delete;
    ~plain_deflater() { deflateEnd(&stream_); }

    /// What the payload of a whole message is.
    std::string message(std::string_view text) {
        std::string out = raw(text, Z_SYNC_FLUSH);
        out.resize(out.size() - 4);
        return out;
    }
    std::string raw(std::string_view text, int flush) {
        std::string out;
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream_.avail_in = static_cast<uInt>(text.size());
        do {
            char room[4096];
            stream_.next_out = reinterpret_cast<Bytef*>(room);
            stream_.avail_out = sizeof room;
            ::deflate(&stream_, flush);
            out.append(room, sizeof room - stream_.avail_out);
        } while (stream_.avail_out == 0);
        return out;
    }
    void reset() { deflateReset(&stream_); }
    void dictionary(std::string_view text) {
        deflateSetDictionary(&stream_, reinterpret_cast<const Bytef*>(text.data()),
                             static_cast<uInt>(text.size()));
    }

private:
    z_stream stream_{};
};

/// A peer that inflates with zlib. A failure is an empty text that says so.
class plain_inflater {
public:
    explicit plain_inflater(int bits = 15) : bits_(bits) { inflateInit2(&stream_, -bits); }
    plain_inflater(const plain_inflater&) = delete;
    plain_inflater& operator=(const plain_inflater&) = delete;
    ~plain_inflater() { inflateEnd(&stream_); }

    std::string message(std::string_view payload) {
        std::string whole(payload);
        whole += std::string("\x00\x00\xff\xff", 4);
        std::string out;
        bool is_whole = false;
        stream_.next_in = reinterpret_cast<Bytef*>(whole.data());
        stream_.avail_in = static_cast<uInt>(whole.size());
        do {
            char room[4096];
            stream_.next_out = reinterpret_cast<Bytef*>(room);
            stream_.avail_out = sizeof room;
            const int answer = ::inflate(&stream_, Z_SYNC_FLUSH);
            if (answer != Z_OK && answer != Z_BUF_ERROR) return "FAILED: " + std::to_string(answer);
            if (answer == Z_OK) is_whole = stream_.data_type == 128; // not where nothing was left to do
            out.append(room, sizeof room - stream_.avail_out);
        } while (stream_.avail_out == 0);
        return is_whole ? out : "FAILED: cut off";
    }
    void reset() { inflateReset2(&stream_, -bits_); }

private:
    z_stream stream_{};
    int bits_;
};

struct inflate_end {
    std::string text;
    wsolo::errc error = wsolo::errc::none;
    friend bool operator==(const inflate_end&, const inflate_end&) = default;
    friend std::ostream& operator<<(std::ostream& out, const inflate_end& end) {
        return out << end.text.size() << " bytes: " << end.text.substr(0, 40) << ' '
                   << wsolo::name_of(end.error);
    }
};

/// Has `in` inflate a message that comes in pieces of `piece` bytes, into an output of `room` bytes at a time.
inline inflate_end inflate_by(zlib_inflater& in, std::string_view payload, std::size_t piece,
                              std::size_t room, bool is_text = false) {
    inflate_end out;
    std::vector<std::byte> to(room);
    do {
        wsolo::const_bytes part = wsolo::bytes_of(payload.substr(0, piece));
        payload.remove_prefix(part.size());
        for (;;) {
            const wsolo::inflated step = in.next(part, payload.empty(), is_text, to);
            out.text += wsolo::text_of(wsolo::const_bytes(to).first(step.made));
            out.error = step.error;
            if (step.status == wsolo::inflate_status::failed || step.status == wsolo::inflate_status::ended)
                return out;
            if (step.status == wsolo::inflate_status::need_more) break;
        }
        if (!part.empty()) out.text += "INPUT LEFT";
    } while (!payload.empty());
    out.text += "NOT ENDED";
    return out;
}

/// In one piece, at once.
inline inflate_end inflate_whole(zlib_inflater& in, std::string_view payload, bool is_text = false) {
    wsolo::byte_buffer to;
    const wsolo::errc error = in.append(wsolo::bytes_of(payload), true, is_text, to);
    return {text_of(to), error};
}

/// What `out` makes of a message; nothing where it is to be sent as it is.
inline std::optional<std::string> deflated(zlib_deflater& out, std::string_view message) {
    wsolo::byte_buffer to;
    const std::string_view headroom = "HEADROOM";
    if (!to.append(wsolo::bytes_of(headroom))) return "NO MEMORY";
    const bool done = out.deflate(wsolo::bytes_of(message), to);
    std::string made = text_of(to);
    if (made.substr(0, headroom.size()) != headroom) return "HEADROOM WAS OVERWRITTEN";
    made.erase(0, headroom.size());
    if (!done) return made.empty() ? std::nullopt : std::optional<std::string>("OUT WAS CHANGED");
    return made;
}

} // namespace support
