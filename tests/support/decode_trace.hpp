#pragma once
// Streams of frames written by the letter of RFC 6455 §5.2, and all that a decoder says of them, however they
// are cut.

#include "catch.hpp"
#include "exact_bytes.hpp"
#include "hex.hpp"

#include <wsolo/frame/decode.hpp>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

namespace support {

using namespace wsolo;

/// A stream written by the letter of §5.2, in the form that one side sends. The key changes with each frame.
class wire {
public:
    explicit wire(role sender) : masked_(masks(sender)) {}

    /// `field` is the seven length bits where they are not to be the shortest form.
    wire& frame(unsigned first, std::size_t size, unsigned field = 128) {
        if (field == 128) field = size <= 125 ? static_cast<unsigned>(size) : size <= 0xffff ? 126 : 127;
        header(first, field, size);
        for (std::size_t i = 0; i < size; ++i) {
            const auto byte = static_cast<std::byte>(i * 7 + first + frames_);
            bytes_.push_back(masked_ ? byte ^ key_[i % 4] : byte);
        }
        return *this;
    }

    /// Only a header, with whatever it announces.
    wire& header(unsigned first, unsigned field, std::uint64_t size) {
        ++frames_;
        put(first);
        put(field | (masked_ ? 0x80U : 0U));
        for (int i = field == 127 ? 7 : field == 126 ? 1 : -1; i >= 0; --i)
            put(static_cast<unsigned>(size >> (8 * i)));
        for (std::size_t i = 0; i < 4; ++i) key_[i] = static_cast<std::byte>(0x9d + 0x35 * i + frames_ * 17);
        if (masked_) bytes_.insert(bytes_.end(), key_.begin(), key_.end());
        return *this;
    }

    const byte_vector& bytes() const { return bytes_; }

private:
    void put(unsigned byte) { bytes_.push_back(static_cast<std::byte>(byte)); }

    bool masked_;
    std::size_t frames_ = 0;
    std::array<std::byte, 4> key_{};
    byte_vector bytes_;
};

struct seen_frame {
    frame_header header;
    byte_vector payload;
    bool ended = false;
    friend bool operator==(const seen_frame&, const seen_frame&) = default;
};

/// All that a decoder said of a stream.
struct trace {
    std::vector<seen_frame> frames;
    errc error = errc::none;
    std::size_t consumed = 0;
    bool at_boundary = true;
    std::string broken_promise; // empty
    friend bool operator==(const trace&, const trace&) = default;
};

inline void note(trace& seen, const decoded& part, const frame_header& header, std::uint64_t remaining) {
    if (part.begins) {
        seen.frames.push_back({header, {}, false});
    } else if (part.payload.empty() && !part.ends) {
        seen.broken_promise = "an empty part that is neither first nor last";
    }
    if (seen.frames.empty() || seen.frames.back().ended) {
        seen.broken_promise = "a part without a beginning";
        return;
    }
    seen_frame& frame = seen.frames.back();
    frame.payload.insert(frame.payload.end(), part.payload.begin(), part.payload.end());
    frame.ended = part.ends;
    if (remaining != header.payload_size - frame.payload.size()) seen.broken_promise = "remaining() is wrong";
    if (part.ends != (remaining == 0)) seen.broken_promise = "the end is not where remaining() says";
}

/// For decode(): take parts by next_masked() and unmask them here.
inline constexpr std::size_t unmask_apart = static_cast<std::size_t>(-1);

template <role Receiver>
decoded next_unmasked_apart(frame_decoder<Receiver>& decoder, mutable_bytes& input) {
    const decoded part = decoder.next_masked(input);
    if (masks(peer_of(Receiver))) {
        const std::uint64_t offset = decoder.position() - part.payload.size();
        for (std::size_t i = 0; i < part.payload.size(); ++i) {
            part.payload[i] ^= decoder.key().bytes[(offset + i) % 4];
        }
    }
    return part;
}

/// Feeds `stream` in pieces that end at `cuts`; with `room`, by next_copying() into that many bytes at a
/// time.
template <role Receiver>
trace decode(const byte_vector& stream, const std::vector<std::size_t>& cuts, std::size_t room = 0,
             frame_limits limits = {}, std::uint8_t allowed_rsv = 0) {
    frame_decoder<Receiver> decoder(limits, allowed_rsv);
    trace seen;
    std::size_t from = 0;
    for (std::size_t cut = 0; cut <= cuts.size() && seen.error == errc::none; ++cut) {
        const std::size_t to = cut < cuts.size() ? cuts[cut] : stream.size();
        exact_bytes piece(const_bytes(stream).subspan(from, to - from), (from * 5 + to) % 64);
        exact_bytes space(room == unmask_apart ? 0 : room, to % 64);
        from = to;
        mutable_bytes input = piece.view();
        for (;;) {
            decoded part;
            if (room == 0) {
                part = decoder.next(input);
            } else if (room == unmask_apart) {
                part = next_unmasked_apart(decoder, input);
            } else {
                const_bytes read_only = input;
                mutable_bytes free = space.view();
                part = decoder.next_copying(read_only, free);
                if (part.status == decode_status::part &&
                    free.data() != part.payload.data() + part.payload.size()) {
                    seen.broken_promise = "the destination is not advanced past the part";
                }
                input = input.last(read_only.size());
            }
            if (part.status == decode_status::failed) seen.error = part.error;
            if (part.status != decode_status::part) break;
            note(seen, part, decoder.header(), decoder.remaining());
        }
        seen.consumed += piece.view().size() - input.size();
        if (seen.error == errc::none && !input.empty())
            seen.broken_promise = "input left over without an error";
        if (!piece.guards_stand() || !space.guards_stand())
            seen.broken_promise = "wrote outside of the input";
        if (room != 0 && room != unmask_apart &&
            !std::ranges::equal(piece.view(),
                                const_bytes(stream).subspan(to - piece.view().size(), piece.view().size()))) {
            seen.broken_promise = "changed an input that it only may read";
        }
    }
    seen.at_boundary = decoder.at_boundary();
    return seen;
}

/// The same stream whole, byte by byte, split at every point, and in pieces of a fixed random choice; in
/// place and copying. All must say the same; that is returned.
template <role Receiver>
trace decode_every_way(const byte_vector& stream, frame_limits limits = {}, std::uint8_t allowed_rsv = 0) {
    const trace whole = decode<Receiver>(stream, {}, 0, limits, allowed_rsv);
    CHECK(whole.broken_promise == "");
    std::vector<std::vector<std::size_t>> all_cuts{{}};
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) all_cuts.push_back({cut});
    std::vector<std::size_t> each(stream.size());
    for (std::size_t i = 0; i < each.size(); ++i) each[i] = i;
    all_cuts.push_back(each);
    std::mt19937 random(6455);
    for (int i = 0; i < 50; ++i) {
        std::vector<std::size_t> cuts;
        for (std::size_t at = 0; at < stream.size(); at += 1 + random() % 40) cuts.push_back(at);
        all_cuts.push_back(cuts);
    }
    for (const auto& cuts : all_cuts) {
        const std::size_t first_cut = cuts.empty() ? 0 : cuts[0];
        for (const std::size_t room : {std::size_t{0}, unmask_apart, std::size_t{1}, std::size_t{3},
                                       std::size_t{64}, std::size_t{1000}}) {
            const trace seen = decode<Receiver>(stream, cuts, room, limits, allowed_rsv);
            if (!(seen == whole)) {
                FAIL(cuts.size() << " cuts, the first at " << first_cut << ", room " << room << ": "
                                 << seen.frames.size() << " frames, " << name_of(seen.error) << " after "
                                 << seen.consumed << ", " << seen.broken_promise);
            }
        }
    }
    return whole;
}

} // namespace support
