#pragma once
// wslay: encoding by its frame interface, decoding by its event interface, which assembles messages and
// validates text as wsolo's reader does. Masking and UTF-8 have no public function there.
//
// A client's key is the caller's to provide: it gets wsolo's source, so that both pay for a strong one.

#include <wsolo/wsolo.hpp>

#include <wslay/wslay.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

struct wslay_codec {
    static constexpr const char* name = "wslay";

    template <wsolo::role Role>
    class encoder {
    public:
        encoder() {
            const wslay_frame_callbacks callbacks{take, nullptr, draw_key};
            if (wslay_frame_context_init(&context_, &callbacks, this) != 0) std::abort();
        }
        encoder(const encoder&) = delete;
        encoder& operator=(const encoder&) = delete;
        ~encoder() { wslay_frame_context_free(context_); }

        std::size_t encode(std::byte* to, wsolo::const_bytes payload) {
            at_ = to;
            wslay_frame_iocb frame{};
            frame.fin = 1;
            frame.opcode = WSLAY_BINARY_FRAME;
            frame.payload_length = payload.size();
            frame.mask = wsolo::masks(Role) ? 1 : 0;
            frame.data = reinterpret_cast<const std::uint8_t*>(payload.data());
            frame.data_length = payload.size();
            if (wslay_frame_send(context_, &frame) != static_cast<ssize_t>(payload.size())) std::abort();
            return static_cast<std::size_t>(at_ - to);
        }

    private:
        static ssize_t take(const std::uint8_t* data, std::size_t size, int, void* self) {
            std::byte*& at = static_cast<encoder*>(self)->at_;
            std::memcpy(at, data, size);
            at += size;
            return static_cast<ssize_t>(size);
        }
        static int draw_key(std::uint8_t* to, std::size_t size, void* self) {
            const wsolo::masking_key key = static_cast<encoder*>(self)->keys_.next_key();
            std::memcpy(to, key.bytes.data(), std::min(size, key.bytes.size()));
            return 0;
        }

        wslay_frame_context_ptr context_ = nullptr;
        std::byte* at_ = nullptr;
        wsolo::random_keys keys_;
    };

    class decoder {
    public:
        decoder() {
            wslay_event_callbacks callbacks{};
            callbacks.recv_callback = give;
            callbacks.on_msg_recv_callback = count;
            if (wslay_event_context_server_init(&context_, &callbacks, this) != 0) std::abort();
        }
        decoder(const decoder&) = delete;
        decoder& operator=(const decoder&) = delete;
        ~decoder() { wslay_event_context_free(context_); }

        /// wslay reads into a buffer of its own: that is the copy, so `at` stays unused.
        std::size_t decode(const std::string& wire, std::byte*, std::size_t) {
            left_ = wire;
            seen_ = 0;
            if (wslay_event_recv(context_) != 0) std::abort();
            return seen_;
        }

    private:
        static ssize_t give(wslay_event_context_ptr context, std::uint8_t* to, std::size_t room, int,
                            void* self) {
            std::string_view& left = static_cast<decoder*>(self)->left_;
            if (left.empty()) {
                wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
                return -1;
            }
            const std::size_t size = std::min(room, left.size());
            std::memcpy(to, left.data(), size);
            left.remove_prefix(size);
            return static_cast<ssize_t>(size);
        }
        static void count(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* message, void* self) {
            static_cast<decoder*>(self)->seen_ += message->msg_length;
        }

        wslay_event_context_ptr context_ = nullptr;
        std::string_view left_;
        std::size_t seen_ = 0;
    };
};

} // namespace bench
