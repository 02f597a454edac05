// libFuzzer entry for deflate/message_inflater.hpp over zlib. Input: a byte of options (window bits, takeover, text), two for the
// chunking, one for the room of the output, then messages: two bytes of size, the payload.
//
// Oracles: cut anyhow, and into any room, it makes the same bytes and comes to the same end as at once; and what it makes is
// what zlib makes of the same stream, used plainly, as far as a message without a last block goes. (But for windows below 15
// bits, where zlib notices a reference that is too far by the size of its output.)

#include "fuzz.hpp"

#include <wsolo/adapt/zlib.hpp>

#include <algorithm>

using fuzz::require;
using wsolo::const_bytes;
using wsolo::errc;
using inflater = wsolo::message_inflater<wsolo::adapt::zlib::decompressor>;

namespace {

constexpr std::uint64_t limit = 100000;

struct outcome {
    std::string text;
    errc error = errc::none;
};

outcome in_pieces(inflater& in, const_bytes payload, fuzz::chunking chunks, std::size_t room, bool is_text) {
    outcome out;
    std::vector<std::byte> to(room);
    do {
        const std::size_t size = std::min(chunks.next(), payload.size());
        auto copy = fuzz::copy_of(payload.first(size));
        payload = payload.subspan(size);
        const_bytes piece = copy;
        for (;;) {
            const wsolo::inflated step = in.next(piece, payload.empty(), is_text, to);
            out.text += wsolo::text_of(const_bytes(to).first(step.made));
            require(out.text.size() <= limit, "more than the limit was made");
            out.error = step.error;
            if (step.status == wsolo::inflate_status::ended || step.status == wsolo::inflate_status::failed)
                return out;
            if (step.status == wsolo::inflate_status::need_more) break;
            require(step.made == to.size(), "more output is announced, and there was room");
        }
        require(piece.empty(), "input is left, and more is asked for");
    } while (!payload.empty());
    require(false, "the message's end was overlooked");
    return out;
}

/// zlib's own view of one message; false: it has a last block, or is not legal.
bool plain(z_stream& zlib, const_bytes payload, std::string& out) {
    std::string whole(wsolo::text_of(payload));
    whole += std::string("\0\0\xff\xff", 4);
    zlib.next_in = reinterpret_cast<Bytef*>(whole.data());
    zlib.avail_in = static_cast<uInt>(whole.size());
    do {
        char room[5000];
        zlib.next_out = reinterpret_cast<Bytef*>(room);
        zlib.avail_out = sizeof room;
        const int answer = ::inflate(&zlib, Z_SYNC_FLUSH);
        if (answer != Z_OK && answer != Z_BUF_ERROR) return false;
        out.append(room, sizeof room - zlib.avail_out);
    } while (zlib.avail_out == 0 && out.size() <= limit);
    return out.size() <= limit;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::source input(data, size);
    const std::uint8_t chosen = input.byte();
    const wsolo::deflate_direction how{static_cast<std::uint8_t>(8 + chosen % 8), (chosen & 8U) != 0};
    const bool is_text = (chosen & 16U) != 0, is_wide = how.window_bits == 15;
    const std::uint8_t largest = input.byte(), seed = input.byte();
    const std::size_t room = 1 + input.byte();
    inflater cut(how, limit), whole(how, limit);
    z_stream zlib{};
    require(inflateInit2(&zlib, -15) == Z_OK, "zlib does not begin");
    bool is_followed = is_wide && how.takeover;
    while (!input.rest().empty()) {
        const std::size_t announced = input.byte() + input.byte() * 256U;
        const const_bytes payload = input.bytes(announced);
        const outcome one = in_pieces(cut, payload, fuzz::chunking(largest, seed), room, is_text);
        wsolo::byte_buffer to;
        const errc error = whole.append(payload, true, is_text, to);
        const std::string at_once(wsolo::text_of(std::as_const(to).view()));
        if (is_wide) {
            require(error == one.error, "cut, it comes to another end");
            // What follows a bad byte of text in the same call is made, too.
            const std::size_t judged =
                error == errc::invalid_utf8 ? std::min(at_once.size(), one.text.size()) : at_once.size();
            require(at_once.substr(0, judged) ==
                        one.text.substr(0, error == errc::invalid_utf8 ? judged : std::string::npos),
                    "cut, it makes other bytes");
        }
        std::string expected;
        is_followed = is_followed && !payload.empty() && plain(zlib, payload, expected);
        if (is_followed && error == errc::none) require(at_once == expected, "zlib makes other bytes of it");
        if (error != errc::none || one.error != errc::none) break;
    }
    inflateEnd(&zlib);
    return 0;
}
