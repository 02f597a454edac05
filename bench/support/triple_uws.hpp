#pragma once
// uWebSockets' parser and formatter as bench/triple compares them, without its sockets: whole messages come, text is validated, and
// what is sent lies in one buffer, as in its cork buffer.

#include <wsolo/wsolo.hpp>

#include <WebSocketProtocol.h>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace bench {

/// `Echoes`: what is received is sent back; otherwise it is only counted.
template <bool Echoes>
class uws_server {
    using state = uWS::WebSocketState<true>;

public:
    explicit uws_server(std::uint64_t& taken) : taken_(taken), out_(std::size_t{128} * 1024) {}

    /// Needs 32 bytes of room before and after the bytes.
    [[gnu::noinline]] void receive(wsolo::mutable_bytes bytes) {
        parser::consume(reinterpret_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()), &state_,
                        this);
        write();
    }
    void send(std::string_view text) {
        used_ += uWS::protocol::formatMessage<true>(out_.data() + used_, text.data(), text.size(),
                                                    uWS::OpCode::TEXT, text.size(), false, true);
    }
    void write() {
        asm volatile("" : : "r"(out_.data()) : "memory");
        taken_ += std::exchange(used_, 0);
    }

private:
    struct parser : uWS::WebSocketProtocol<true, parser> {
        static bool refusePayloadLength(std::uint64_t length, state*, void*) {
            return length > wsolo::default_max_message;
        }
        static bool setCompressed(state*, void*) { return false; }
        static void forceClose(state*, void*, std::string_view) { std::abort(); }
        static bool handleFragment(char* data, std::size_t size, unsigned left, int opcode, bool is_last,
                                   state*, void* self) {
            auto& whole = *static_cast<uws_server*>(self);
            if (left != 0 || !is_last || opcode != 1 ||
                !uWS::protocol::isValidUtf8(reinterpret_cast<unsigned char*>(data), size))
                std::abort();
            if constexpr (Echoes)
                whole.send({data, size});
            else
                whole.taken_ += size;
            return false;
        }
    };

    std::uint64_t& taken_;
    state state_;
    std::vector<char> out_;
    std::size_t used_ = 0;
};

} // namespace bench
