// The reader of this library.

#include "driver.hpp"

#include <wsolo/session/reader.hpp>

#include <span>

namespace {

void note(const wsolo::event& event, differential::event_log& log) {
    switch (event.kind()) {
    case wsolo::event_kind::message: return log.data(event.is_text() ? "text" : "binary", event.text());
    case wsolo::event_kind::ping: return log.data("ping", event.text());
    case wsolo::event_kind::pong: return log.data("pong", event.text());
    case wsolo::event_kind::peer_close: return log.close(static_cast<unsigned>(event.code()), event.reason());
    case wsolo::event_kind::failure:
        return log.error(static_cast<unsigned>(event.code()), wsolo::name_of(event.error()));
    case wsolo::event_kind::fragment: return; // not with delivery::messages
    }
}

template <class Reader>
void read(const differential::given_case& given, differential::event_log& log) {
    Reader reader;
    for (std::string part : given.parts) {
        for (const auto& event : reader.read(std::span<char>(part))) note(event, log);
    }
}

} // namespace

int main() {
    return differential::drive([](const differential::given_case& given, differential::event_log& log) {
        if (given.server)
            read<wsolo::server_reader>(given, log);
        else
            read<wsolo::client_reader>(given, log);
    });
}
