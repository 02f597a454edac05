#pragma once
// An independent, strict reading of a byte stream as WebSocket frames: the oracle of the writer's tests.
// Written from RFC 6455 §5.2 alone; it shares no code with the library, so that both can't be wrong in the
// same way.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strict {

struct frame {
    bool fin = false;
    int opcode = 0;
    bool masked = false;
    bool rsv1 = false;
    std::string payload; // unmasked
};

struct stream {
    std::vector<frame> frames;
    std::string error;           // empty: every byte belongs to a well-formed frame
    std::size_t rest = 0;        // bytes of an incomplete last frame
    bool inside_message = false; // after the last whole frame
};

/// `inside_message`: `wire` goes on in the middle of a fragmented message. `compresses`: RSV1 is legal on a message's first frame
/// (RFC 7692 §6).
inline stream parse(std::string_view wire, bool sender_masks, bool inside_message = false,
                    bool compresses = false) {
    stream out;
    out.inside_message = inside_message;
    std::size_t at = 0;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(wire[i]); };
    const auto fail = [&](const char* what) { out.error = what + (" at byte " + std::to_string(at)); };
    while (at < wire.size()) {
        const std::size_t left = wire.size() - at;
        if (left < 2) return out.rest = left, out;
        frame next;
        next.fin = (byte(at) & 0x80) != 0;
        next.opcode = byte(at) & 0x0f;
        next.masked = (byte(at + 1) & 0x80) != 0;
        std::uint64_t size = byte(at + 1) & 0x7f;
        std::size_t header = 2;
        next.rsv1 = (byte(at) & 0x40) != 0;
        const bool may_be_compressed = compresses && (next.opcode == 1 || next.opcode == 2);
        if ((byte(at) & (may_be_compressed ? 0x30 : 0x70)) != 0) return fail("reserved bits set"), out;
        if (next.masked != sender_masks) return fail("wrong masking"), out;
        if (next.opcode >= 8) {
            if (next.opcode > 10) return fail("unexpected opcode"), out;
            if (!next.fin) return fail("fragmented control frame"), out;
            if (size > 125) return fail("oversized control frame"), out;
        } else {
            if (next.opcode > 2) return fail("unexpected opcode"), out;
            if ((next.opcode == 0) != inside_message) return fail("continuation out of place"), out;
            inside_message = !next.fin;
        }
        const std::size_t extended = size == 126 ? 2 : size == 127 ? 8 : 0;
        if (left < header + extended) return out.rest = left, out;
        if (extended != 0) {
            size = 0;
            for (std::size_t i = 0; i < extended; ++i) size = size << 8 | byte(at + header + i);
            header += extended;
            if (size <= (extended == 2 ? 125U : 65535U)) return fail("length not minimal"), out;
            if (size >> 63 != 0) return fail("length's highest bit set"), out;
        }
        std::uint8_t key[4] = {};
        if (next.masked) {
            if (left < header + 4) return out.rest = left, out;
            for (std::size_t i = 0; i < 4; ++i) key[i] = byte(at + header + i);
            header += 4;
        }
        if (left - header < size) return out.rest = left, out;
        next.payload.assign(wire.substr(at + header, static_cast<std::size_t>(size)));
        for (std::size_t i = 0; i < next.payload.size(); ++i) {
            next.payload[i] = static_cast<char>(static_cast<std::uint8_t>(next.payload[i]) ^ key[i % 4]);
        }
        out.inside_message = inside_message;
        out.frames.push_back(std::move(next));
        at += header + static_cast<std::size_t>(size);
    }
    return out;
}

} // namespace strict
