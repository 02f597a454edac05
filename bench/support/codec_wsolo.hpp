#pragma once
// wsolo in the shape that bench/codec compares; the peers' files beside this one have the same shape.
//
// A codec here has a name and some of:
//   encoder<Role>::encode(to, payload)   one binary frame, contiguous at `to`; its size
//   decoder::decode(wire, at, frames)    a server reads all frames of `wire`; the payload bytes that came out
//   mask_in_place(bytes, key), is_valid_utf8(text)
// A decoder includes the copy that a read from a socket makes, to `at` or to the codec's own buffer.

#include <wsolo/wsolo.hpp>

#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

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
            std::memcpy(at, wire.data(), wire.size());
            std::size_t seen = 0;
            for (const wsolo::event& event : reader_.read(wsolo::mutable_bytes(at, wire.size())))
                seen += event.payload().size();
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
