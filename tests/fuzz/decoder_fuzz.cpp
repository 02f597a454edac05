// libFuzzer entry for frame/decode.hpp. Input: a mode byte (the receiver's role, the reserved bits that an
// extension uses, the frame limit), two bytes that choose the chunking, one the room of the copying form,
// then the stream.
//
// Oracles: whole, in chunks, masked and copying give the same frames, error and number of bytes used; and the
// frames, encoded again by the letter of what was decoded, are the bytes that were used.

#include "fuzz.hpp"

#include <wsolo/frame/decode.hpp>

using fuzz::require;
using wsolo::const_bytes;
using wsolo::mutable_bytes;

namespace {

struct frame {
    wsolo::frame_header header;
    std::vector<std::byte> payload;
    bool ended = false;
    friend bool operator==(const frame&, const frame&) = default;
};

struct reading {
    std::vector<frame> frames;
    wsolo::errc error = wsolo::errc::none;
    std::size_t used = 0;
    friend bool operator==(const reading&, const reading&) = default;
};

enum class form { in_place, masked, copying };

struct settings {
    wsolo::frame_limits limits;
    std::uint8_t allowed_rsv = 0;
    std::size_t room = 1;
};

template <wsolo::role Receiver>
class recorder {
public:
    recorder(const settings& how, form way)
        : decoder_(how.limits, how.allowed_rsv), way_(way), room_(how.room) {}

    /// False once the decoder has failed.
    bool feed(mutable_bytes input) {
        const std::size_t given = input.size();
        wsolo::decode_status status = wsolo::decode_status::part;
        while (status == wsolo::decode_status::part) {
            std::vector<std::byte> space(way_ == form::copying ? room_ : 0);
            const wsolo::decoded part = take(input, space);
            status = part.status;
            if (status == wsolo::decode_status::part) note(part);
            if (status == wsolo::decode_status::failed) seen.error = part.error;
        }
        seen.used += given - input.size();
        require(input.empty() || seen.error != wsolo::errc::none, "input was left lying");
        require((seen.error == wsolo::errc::none) == (status != wsolo::decode_status::failed),
                "failed without an error");
        return seen.error == wsolo::errc::none;
    }

    reading seen;

private:
    wsolo::decoded take(mutable_bytes& input, mutable_bytes space) {
        if (way_ == form::in_place) return decoder_.next(input);
        if (way_ == form::copying) {
            const_bytes rest = input;
            const wsolo::decoded part = decoder_.next_copying(rest, space);
            input = input.last(rest.size());
            return part;
        }
        const wsolo::decoded part = decoder_.next_masked(input);
        const std::uint64_t offset = decoder_.position() - part.payload.size();
        if (part.status == wsolo::decode_status::part && decoder_.header().masked) {
            wsolo::apply_mask(part.payload, decoder_.key(), offset);
        }
        return part;
    }

    void note(const wsolo::decoded& part) {
        if (part.begins) seen.frames.push_back({decoder_.header(), {}, false});
        require(!seen.frames.empty() && !seen.frames.back().ended, "a part without a beginning");
        frame& last = seen.frames.back();
        last.payload.insert(last.payload.end(), part.payload.begin(), part.payload.end());
        last.ended = part.ends;
        require(decoder_.remaining() == last.header.payload_size - last.payload.size(),
                "remaining() is wrong");
        require(part.ends == (decoder_.remaining() == 0), "a frame ends in the wrong place");
    }

    wsolo::frame_decoder<Receiver> decoder_;
    form way_;
    std::size_t room_;
};

/// The bytes that the frames came from.
void check_encoded_again(const reading& read, const_bytes stream) {
    std::size_t at = 0;
    for (const frame& each : read.frames) {
        std::byte start[wsolo::max_header_size];
        std::vector<std::byte> again(start, start + wsolo::write_header(each.header, start));
        for (std::size_t i = 0; i < each.payload.size(); ++i) {
            again.push_back(each.payload[i] ^
                            (each.header.masked ? each.header.key.bytes[i % 4] : std::byte{0}));
        }
        require(again.size() <= stream.size() - at, "more was decoded than came");
        require(std::vector(stream.begin() + static_cast<std::ptrdiff_t>(at),
                            stream.begin() + static_cast<std::ptrdiff_t>(at + again.size())) == again,
                "the frames are not what came");
        at += again.size();
    }
    require(at <= read.used, "more was decoded than used");
    require(read.used - at <= wsolo::max_header_size, "bytes were used that are in no frame");
}

template <wsolo::role Receiver>
void check(const settings& how, fuzz::chunking chunks, const_bytes stream) {
    auto bytes = fuzz::copy_of(stream);
    recorder<Receiver> whole(how, form::in_place);
    whole.feed(bytes);
    check_encoded_again(whole.seen, stream);
    for (const form way : {form::in_place, form::masked, form::copying}) {
        recorder<Receiver> parts(how, way);
        fuzz::in_chunks(stream, chunks, [&](mutable_bytes chunk) { return parts.feed(chunk); });
        require(parts.seen == whole.seen, "chunks give something else than the whole");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr std::uint64_t sizes[] = {std::uint64_t{1} << 40, 1000, 125, 0};
    fuzz::source input(data, size);
    const unsigned mode = input.byte();
    const std::uint8_t largest = input.byte();
    const fuzz::chunking chunks(largest, input.byte());
    settings how{{sizes[mode >> 1 & 3U]}, static_cast<std::uint8_t>(mode & 0x70U), 1};
    how.room += input.byte();
    if ((mode & 1U) != 0)
        check<wsolo::role::client>(how, chunks, input.rest());
    else
        check<wsolo::role::server>(how, chunks, input.rest());
    return 0;
}
