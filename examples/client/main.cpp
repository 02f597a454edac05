// A WebSocket client for the command line: what the conformance suite runs, and something to try a server with.

#include "conversation.hpp"
#include "dial.hpp"

#include <cstdio>
#include <exception>

namespace {

int usage() {
    std::fputs("usage: client [--echo | --listen] ws://HOST[:PORT][/PATH]\n"
               "  sends each line of standard input as a text message and prints what arrives\n"
               "  --echo    sends back every message, until the server closes\n"
               "  --listen  only prints, until the server closes\n",
               stderr);
    return 2;
}

int talk(const client::url& to, client::mode how) {
    constexpr std::chrono::seconds patience{10};
    client::conversation with(client::dial(to, std::chrono::steady_clock::now() + patience), to, how);
    const wsolo::ending ended = with.run();
    if (ended.reason == wsolo::errc::none) return 0;
    std::fprintf(stderr, "client: %s (HTTP %d, status code %u)\n",
                 std::string(to_string(ended.reason)).c_str(), with.status(),
                 static_cast<unsigned>(ended.code));
    return 1;
}

} // namespace

int main(int count, char** arguments) {
    client::mode how = client::mode::talk;
    std::optional<client::url> to;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = arguments[i];
        if (word == "--echo") {
            how = client::mode::echo;
        } else if (word == "--listen") {
            how = client::mode::listen;
        } else if (to || !(to = client::parse_url(word))) {
            return usage();
        }
    }
    if (!to) return usage();
    try {
        return talk(*to, how);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "client: %s\n", error.what());
        return 1;
    }
}
