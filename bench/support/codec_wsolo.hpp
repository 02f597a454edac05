#pragma once
// wsolo in the shape that bench/codec compares; the peers' files beside this one have the same shape.
//
// A codec here has a name and some of:
//   encoder<Role>::encode(to, payload)   one binary frame, contiguous at `to`; its size
//   decoder::decode(wire, at, frames)    a server reads all frames of `wire`; the payload bytes that came out
//   mask_in_place(bytes, key), is_valid_utf8(text)
// A decoder includes the copy that a read from a socket makes, to `at` or to the codec's own buffer. To `at` it brings
// 64 KiB at most (read_all()); where a message takes more than one read the decoder has it whole in the end.

#include <wsolo/wsolo.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

/// Bytes that one read brings, and those that a peer wants free before and after them.
inline constexpr std::size_t read_size = 64 * 1024, read_padding = 32;

/// Reads all of `wire`: copies what a read brings to `at`, which has room for it and the padding, and calls take() with it.
template <class Take>
void read_all(const std::string& wire, std::byte* at, Take take) {
    for (std::size_t read = 0; read < wire.size();) {
        const std::size_t some = std::min(read_size, wire.size() - read);
        std::memcpy(at + read_padding, wire.data() + read, some);
        take(wsolo::mutable_bytes(at + read_padding, some));
        read += some;
    }
}

struct wsolo_codec {
    static constexpr const char* name = "wsolo";

    template <wsolo::role Role>
    class encoder {
    public:
        std::size_t encode(std::byte* to, wsolo::const_bytes payload) {
            const wsolo::mutable_bytes room(to, wsolo::encoded_size<Role>(payload.size()));
            const auto made = [&] {
                if constexpr (Role == wsolo::role::client)
                    return wsolo::encode_frame<Role>(room, wsolo::opcode::binary, payload, keys_);
                else
                    return wsolo::encode_frame<Role>(room, wsolo::opcode::binary, payload);
            }();
            if (!made) std::abort();
            return *made;
        }

    private:
        wsolo::random_keys keys_;
    };

    class decoder {
    public:
        std::size_t decode(const std::string& wire, std::byte* at, std::size_t) {
            std::size_t seen = 0;
            read_all(wire, at, [&](wsolo::mutable_bytes bytes) {
                for (const wsolo::event& event : reader_.read(bytes)) seen += event.payload().size();
            });
            return seen;
        }

    private:
        wsolo::server_reader reader_;
    };

    static void mask_in_place(wsolo::mutable_bytes bytes, wsolo::masking_key key) {
        wsolo::apply_mask(bytes, key);
    }
    static bool is_valid_utf8(const std::string& text) { return wsolo::is_valid_utf8(wsolo::bytes_of(text)); }
};

} // namespace bench
