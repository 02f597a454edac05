#pragma once
// websocketpp: its protocol processor alone, without endpoint and transport.
//
// Its own choices stay: a client's key comes from std::random_device, a message is copied into a message
// object before it is framed, header and payload are two strings (copied together here, as every other row
// ends with a contiguous frame), and text is validated when it is sent too (which binary frames do not pay
// for).

#include <wsolo/core/bytes.hpp>
#include <wsolo/core/random.hpp>
#include <wsolo/core/role.hpp>

#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/extensions/permessage_deflate/disabled.hpp>
#include <websocketpp/http/request.hpp>
#include <websocketpp/http/response.hpp>
#include <websocketpp/message_buffer/alloc.hpp>
#include <websocketpp/message_buffer/message.hpp>
#include <websocketpp/processors/hybi13.hpp>
#include <websocketpp/random/random_device.hpp>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace bench {

/// What the processor asks of a configuration.
struct websocketpp_config {
    using request_type = websocketpp::http::parser::request;
    using response_type = websocketpp::http::parser::response;
    using message_type =
        websocketpp::message_buffer::message<websocketpp::message_buffer::alloc::con_msg_manager>;
    using con_msg_manager_type = websocketpp::message_buffer::alloc::con_msg_manager<message_type>;
    using rng_type =
        websocketpp::random::random_device::int_generator<std::uint32_t, websocketpp::concurrency::none>;
    struct deflate_config {
        using request_type = websocketpp_config::request_type;
    };
    using permessage_deflate_type = websocketpp::extensions::permessage_deflate::disabled<deflate_config>;
    static const bool enable_extensions = false;
    static const std::size_t max_message_size = 32'000'000;
};

struct websocketpp_codec {
    static constexpr const char* name = "websocketpp";
    using config = websocketpp_config;
    using messages = config::con_msg_manager_type;

    template <wsolo::role Role>
    class encoder {
    public:
        std::size_t encode(std::byte* to, wsolo::const_bytes payload) {
            namespace opcode = websocketpp::frame::opcode;
            const auto in = messages_->get_message(opcode::binary, payload.size());
            in->append_payload(payload.data(), payload.size());
            const auto out = messages_->get_message();
            if (processor_.prepare_data_frame(in, out)) std::abort();
            const std::string& header = out->get_header();
            const std::string& body = out->get_payload();
            std::memcpy(to, header.data(), header.size());
            std::memcpy(to + header.size(), body.data(), body.size());
            return header.size() + body.size();
        }

    private:
        messages::ptr messages_ = std::make_shared<messages>();
        config::rng_type keys_;
        websocketpp::processor::hybi13<config> processor_{false, Role == wsolo::role::server, messages_,
                                                          keys_};
    };

    class decoder {
    public:
        std::size_t decode(const std::string& wire, std::byte* at, std::size_t) {
            std::size_t seen = 0;
            read_all(wire, at, [&](wsolo::mutable_bytes bytes) {
                auto* next = reinterpret_cast<std::uint8_t*>(bytes.data());
                for (std::size_t left = bytes.size(); left != 0;) {
                    websocketpp::lib::error_code error;
                    const std::size_t used = processor_.consume(next, left, error);
                    if (error) std::abort();
                    next += used;
                    left -= used;
                    if (processor_.ready()) seen += processor_.get_message()->get_payload().size();
                }
            });
            return seen;
        }

    private:
        messages::ptr messages_ = std::make_shared<messages>();
        config::rng_type keys_;
        websocketpp::processor::hybi13<config> processor_{false, true, messages_, keys_};
    };

    static void mask_in_place(wsolo::mutable_bytes bytes, wsolo::masking_key key) {
        websocketpp::frame::masking_key_type bits;
        std::memcpy(bits.c, key.bytes.data(), sizeof bits.c);
        websocketpp::frame::word_mask_circ(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size(),
                                           websocketpp::frame::prepare_masking_key(bits));
    }
    static bool is_valid_utf8(const std::string& text) { return websocketpp::utf8_validator::validate(text); }
};

} // namespace bench
