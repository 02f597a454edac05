// websocketpp's processor for RFC 6455, with Close frames taken apart the way its connection does.

#include "driver.hpp"

#include <websocketpp/close.hpp>
#include <websocketpp/config/core.hpp>
#include <websocketpp/processors/hybi13.hpp>

namespace {

using config = websocketpp::config::core;
namespace processor = websocketpp::processor;

void note_close(const std::string& payload, differential::event_log& log) {
    websocketpp::lib::error_code error;
    const auto code = websocketpp::close::extract_code(payload, error);
    if (error) return log.error(websocketpp::close::status::protocol_error, "code");
    const std::string reason = websocketpp::close::extract_reason(payload, error);
    if (error) return log.error(websocketpp::close::status::protocol_error, "reason");
    log.close(code, reason);
}

void note(const config::message_type& message, differential::event_log& log) {
    switch (message.get_opcode()) {
    case websocketpp::frame::opcode::text: return log.data("text", message.get_payload());
    case websocketpp::frame::opcode::binary: return log.data("binary", message.get_payload());
    case websocketpp::frame::opcode::ping: return log.data("ping", message.get_payload());
    case websocketpp::frame::opcode::pong: return log.data("pong", message.get_payload());
    case websocketpp::frame::opcode::close: return note_close(message.get_payload(), log);
    default: return log.data("unknown", message.get_payload());
    }
}

void judge(const differential::given_case& given, differential::event_log& log) {
    const auto messages = websocketpp::lib::make_shared<config::con_msg_manager_type>();
    config::rng_type keys;
    processor::hybi13<config> reader(false, given.server, messages, keys);
    reader.set_max_message_size(16 * 1024 * 1024);
    for (std::string part : given.parts) {
        std::size_t used = 0;
        while (used < part.size() && !log.ended()) {
            websocketpp::lib::error_code error;
            used += reader.consume(reinterpret_cast<std::uint8_t*>(part.data()) + used, part.size() - used,
                                   error);
            if (error) return log.error(processor::error::to_ws(error));
            if (reader.ready()) note(*reader.get_message(), log);
        }
    }
}

} // namespace

int main() { return differential::drive(judge); }
