#pragma once
// uWebSockets: its frame parser and formatter by themselves, which it calls from its own sockets; text is validated where its
// socket context does that. Its formatter masks a client's frames a byte at a time, with rand()'s keys.

#include <wsolo/wsolo.hpp>

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
        /// Needs a few bytes of room after the wire's last byte, which places have.
        std::size_t decode(const std::string& wire, std::byte* at, std::size_t) {
            std::memcpy(at, wire.data(), wire.size());
            seen_ = 0;
            parser::consume(reinterpret_cast<char*>(at), static_cast<unsigned>(wire.size()), &state_, this);
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
            static bool handleFragment(char* data, std::size_t size, unsigned, int opcode, bool, state*,
                                       void* self) {
                if (opcode == 1 && !uWS::protocol::isValidUtf8(reinterpret_cast<unsigned char*>(data), size))
                    std::abort();
                static_cast<decoder*>(self)->seen_ += size;
                return false;
            }
        };

        state state_;
        std::size_t seen_ = 0;
    };
};

} // namespace bench
