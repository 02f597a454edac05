#pragma once
// uWebSockets: its frame parser and formatter by themselves, which it calls from its own sockets; a message is assembled, and
// text validated, where and how its socket context does that. Its formatter masks a client's frames a byte at a time, with
// rand()'s keys.

#include "codec_wsolo.hpp"

#include <WebSocketProtocol.h>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

struct uws_codec {
    static constexpr const char* name = "uws";

    template <wsolo::role Role>
    class encoder {
    public:
        std::size_t encode(std::byte* to, wsolo::const_bytes payload) {
            return uWS::protocol::formatMessage < Role ==
                   wsolo::role::server > (reinterpret_cast<char*>(to),
                                          reinterpret_cast<const char*>(payload.data()), payload.size(),
                                          uWS::OpCode::BINARY, payload.size(), false, true);
        }
    };

    class decoder {
    public:
        std::size_t decode(const std::string& wire, std::byte* at, std::size_t) {
            seen_ = 0;
            read_all(wire, at, [&](wsolo::mutable_bytes bytes) {
                parser::consume(reinterpret_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()),
                                &state_, this);
            });
            return seen_;
        }

    private:
        using state = uWS::WebSocketState<true>;
        struct parser : uWS::WebSocketProtocol<true, parser> {
            static bool refusePayloadLength(std::uint64_t length, state*, void*) {
                return length > wsolo::default_max_message;
            }
            static bool setCompressed(state*, void*) { return false; }
            static void forceClose(state*, void*, std::string_view) { std::abort(); }
            static bool handleFragment(char* data, std::size_t size, unsigned left, int opcode, bool is_last,
                                       state*, void* self) {
                auto& whole = *static_cast<decoder*>(self);
                const bool is_whole = left == 0 && is_last;
                if (is_whole && whole.begun_.empty()) {
                    whole.meet(data, size, opcode);
                    return false;
                }
                if (whole.begun_.empty()) whole.begun_.reserve(size + left);
                whole.begun_.append(data, size);
                if (is_whole) {
                    whole.meet(whole.begun_.data(), whole.begun_.size(), opcode);
                    whole.begun_.clear();
                }
                return false;
            }
        };

        void meet(char* data, std::size_t size, int opcode) {
            if (opcode == 1 && !uWS::protocol::isValidUtf8(reinterpret_cast<unsigned char*>(data), size))
                std::abort();
            seen_ += size;
        }

        state state_;
        std::string begun_; ///< a message of which more is to come
        std::size_t seen_ = 0;
    };
};

} // namespace bench
