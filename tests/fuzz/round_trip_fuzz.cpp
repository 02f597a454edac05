// libFuzzer entry for frame/encode.hpp and back. Input: two bytes that choose the chunking, then frames: one
// byte of FIN, RSV1 and opcode, one or two of size, four of a key, the payload.
//
// Oracles: the four forms of the encoder write the same bytes, or refuse for the same reason and write
// nothing; what was written decodes, in chunks, to the frames that were given.

#include "fuzz.hpp"

#include <wsolo/frame/decode.hpp>
#include <wsolo/frame/encode.hpp>

#include <algorithm>

using fuzz::require;
using wsolo::const_bytes;
using wsolo::mutable_bytes;
using wsolo::role;

namespace {

struct one_key {
    wsolo::masking_key key;
    int drawn = 0;
    wsolo::masking_key next_key() noexcept { return ++drawn, key; }
};

struct given_frame {
    wsolo::frame_spec spec;
    const_bytes payload;
    one_key keys;
};

/// Encodes with the key source that `Role` owes.
template <role Role, class Encode>
auto with_keys(one_key& keys, Encode encode) {
    if constexpr (Role == role::client)
        return encode(keys);
    else
        return encode();
}

bool same_bytes(const_bytes one, const_bytes other) { // libc++ 14 has no std::ranges::equal
    return std::equal(one.begin(), one.end(), other.begin(), other.end());
}

template <role Role>
void check_other_forms(given_frame& frame, const std::string& expected, wsolo::errc error) {
    std::vector<std::byte> exact(wsolo::encoded_size<Role>(frame.payload.size()));
    const auto written = with_keys<Role>(frame.keys, [&](auto&... keys) {
        return wsolo::encode_frame<Role>(mutable_bytes(exact), frame.spec, frame.payload, keys...);
    });
    require(written.error() == error, "encode_frame refuses something else");
    require(!written || same_bytes(exact, wsolo::bytes_of(expected)), "encode_frame writes something else");

    const auto made = with_keys<Role>(frame.keys, [&](auto&... keys) {
        return wsolo::make_frame<Role>(frame.spec, frame.payload, keys...);
    });
    require(made.error() == error, "make_frame refuses something else");
    require(!made || same_bytes(made->bytes(), wsolo::bytes_of(expected)), "make_frame makes something else");

    std::vector<std::byte> storage(wsolo::headroom<Role>);
    storage.insert(storage.end(), frame.payload.begin(), frame.payload.end());
    const auto placed = with_keys<Role>(frame.keys, [&](auto&... keys) {
        return wsolo::encode_in_place<Role>(mutable_bytes(storage), wsolo::headroom<Role>,
                                            frame.payload.size(), frame.spec, keys...);
    });
    require(placed.error() == error, "encode_in_place refuses something else");
    require(!placed || same_bytes(*placed, wsolo::bytes_of(expected)),
            "encode_in_place writes something else");
    if (error == wsolo::errc::none && !exact.empty()) {
        const auto refused = with_keys<Role>(frame.keys, [&](auto&... keys) {
            return wsolo::encode_frame<Role>(mutable_bytes(exact).first(exact.size() - 1), frame.spec,
                                             frame.payload, keys...);
        });
        require(refused.error() == wsolo::errc::buffer_too_small, "a byte was missing and no error said so");
    }
}

template <role Role>
void check_decoded(const std::string& wire, const std::vector<given_frame>& sent, fuzz::chunking chunks) {
    wsolo::frame_decoder<wsolo::peer_of(Role)> decoder({}, wsolo::rsv1_bit);
    std::size_t count = 0;
    std::vector<std::byte> payload;
    fuzz::in_chunks(wsolo::bytes_of(wire), chunks, [&](mutable_bytes input) {
        for (;;) {
            const wsolo::decoded part = decoder.next(input);
            require(part.status != wsolo::decode_status::failed, "what was encoded does not decode");
            if (part.status != wsolo::decode_status::part) return true;
            if (part.begins) payload.clear();
            payload.insert(payload.end(), part.payload.begin(), part.payload.end());
            if (!part.ends) continue;
            require(count < sent.size(), "more frames than were sent");
            require(decoder.first_byte() == sent[count].spec.first_byte(), "the first byte has changed");
            require(same_bytes(payload, sent[count].payload), "the payload has changed");
            ++count;
        }
    });
    require(count == sent.size() && decoder.at_boundary(), "a frame was lost");
}

template <role Role>
void check(std::vector<given_frame> frames, fuzz::chunking chunks) {
    std::string wire;
    std::vector<given_frame> sent;
    for (given_frame& frame : frames) {
        const std::size_t before = wire.size();
        const wsolo::errc error = with_keys<Role>(frame.keys, [&](auto&... keys) {
            return wsolo::append_frame<Role>(wire, frame.spec, frame.payload, keys...);
        });
        require(frame.keys.drawn == (Role == role::client && error == wsolo::errc::none ? 1 : 0),
                "keys are wasted");
        require(error == wsolo::errc::none || wire.size() == before, "a refused frame was written");
        check_other_forms<Role>(frame, wire.substr(before), error);
        if (error == wsolo::errc::none) sent.push_back(frame);
    }
    check_decoded<Role>(wire, sent, chunks);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::source input(data, size);
    const std::uint8_t largest = input.byte();
    const fuzz::chunking chunks(largest, input.byte());
    std::vector<given_frame> frames;
    while (!input.rest().empty() && frames.size() < 64) {
        const unsigned first = input.byte();
        std::size_t length = input.byte();
        if (length >= 250) length = 256 * (length - 250) + input.byte();
        one_key keys;
        for (std::byte& byte : keys.key.bytes) byte = static_cast<std::byte>(input.byte());
        const wsolo::frame_spec spec(static_cast<wsolo::opcode>(first & 0x0fU), (first & 0x80U) != 0,
                                     (first & 0x40U) != 0);
        frames.push_back({spec, input.bytes(length), keys});
    }
    check<role::server>(frames, chunks);
    check<role::client>(frames, chunks);
    return 0;
}
