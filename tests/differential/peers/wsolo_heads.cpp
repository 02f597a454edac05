// wsolo's verdicts on heads: see ../README.md for the format.

#include "driver.hpp"

#include <wsolo/handshake/upgrade.hpp>

namespace {

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
    return text;
}

std::string judged_by_server(const std::string& text) {
    wsolo::server_handshake server;
    wsolo::const_bytes input = wsolo::bytes_of(text);
    server.feed(input);
    if (server.end_of_input() == wsolo::handshake_status::failed) {
        return "refused:" + std::string(wsolo::name_of(server.error()));
    }
    return server.request().is_upgrade() ? "open" : "refused:plain";
}

std::string judged_by_client(const std::string& text) {
    wsolo::client_handshake client;
    const wsolo::client_key key = wsolo::make_client_key({});
    if (client.start({.host = "server.example.com", .target = "/chat", .subprotocols = "chat, superchat"},
                     key) != wsolo::errc::none) {
        return "broken";
    }
    const wsolo::accept_value accept = wsolo::accept_key(key.view());
    const std::string answer = replaced(text, "{accept}", accept.view());
    wsolo::const_bytes input = wsolo::bytes_of(answer);
    client.feed(input);
    if (client.end_of_input() == wsolo::handshake_status::complete) return "open";
    return "refused:" + std::string(wsolo::name_of(client.error()));
}

} // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string number, receiver, hex;
        words >> number >> receiver >> hex;
        const std::string text = differential::from_hex(hex);
        std::cout << number << ' ' << (receiver == "server" ? judged_by_server(text) : judged_by_client(text))
                  << '\n';
    }
}
