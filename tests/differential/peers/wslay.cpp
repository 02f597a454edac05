// wslay's event layer: it reads through a callback, and its Close is found in what it sends.

#include "driver.hpp"

#include <wslay/wslay.h>

#include <cstring>

namespace {

struct session {
    std::string_view input;
    std::string sent;
    differential::event_log* log = nullptr;
};

session& of(void* user) { return *static_cast<session*>(user); }

ssize_t receive(wslay_event_context_ptr context, std::uint8_t* to, std::size_t size, int, void* user) {
    std::string_view& input = of(user).input;
    if (input.empty()) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    const std::size_t count = size < input.size() ? size : input.size();
    std::memcpy(to, input.data(), count);
    input.remove_prefix(count);
    return static_cast<ssize_t>(count);
}

ssize_t send(wslay_event_context_ptr, const std::uint8_t* bytes, std::size_t size, int, void* user) {
    of(user).sent.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<ssize_t>(size);
}

int mask(wslay_event_context_ptr, std::uint8_t* key, std::size_t size, void*) {
    std::memset(key, 0x5a, size);
    return 0;
}

void on_message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* message, void* user) {
    const std::string_view payload(reinterpret_cast<const char*>(message->msg), message->msg_length);
    differential::event_log& log = *of(user).log;
    switch (message->opcode) {
    case WSLAY_TEXT_FRAME: return log.data("text", payload);
    case WSLAY_BINARY_FRAME: return log.data("binary", payload);
    case WSLAY_PING: return log.data("ping", payload);
    case WSLAY_PONG: return log.data("pong", payload);
    case WSLAY_CONNECTION_CLOSE:
        return log.close(payload.empty() ? 1005 : message->status_code,
                         payload.size() < 2 ? "" : payload.substr(2));
    default: return log.data("unknown", payload);
    }
}

void judge(const differential::given_case& given, differential::event_log& log) {
    wslay_event_callbacks callbacks{};
    callbacks.recv_callback = receive;
    callbacks.send_callback = send;
    callbacks.genmask_callback = mask;
    callbacks.on_msg_recv_callback = on_message;
    session state{{}, {}, &log};
    wslay_event_context_ptr context = nullptr;
    const auto init = given.server ? wslay_event_context_server_init : wslay_event_context_client_init;
    if (init(&context, &callbacks, &state) != 0) return log.error(0, "no memory");
    for (const std::string& part : given.parts) {
        state.input = part;
        int result = 0;
        while (result == 0 && !state.input.empty() && wslay_event_want_read(context) != 0) {
            result = wslay_event_recv(context);
        }
        wslay_event_send(context);
        if (!log.ended() && (result != 0 || wslay_event_want_read(context) == 0)) {
            log.error(differential::sent_close_code(state.sent));
        }
        if (log.ended()) break;
    }
    wslay_event_context_free(context);
}

} // namespace

int main() { return differential::drive(judge); }
