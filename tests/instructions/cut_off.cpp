// A loop of adapt/poll.hpp goes while each of its connections is owed a turn. Counted by itself, not by rounds: what it takes to set
// that up is much more. In a file of its own, because the compiler inlines less in one that has more.

#include "cut_off.hpp"

#include <wsolo/adapt/poll.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <sys/socket.h>
#include <valgrind/callgrind.h>
#include <vector>

namespace {

using wsolo::errc;
namespace sockets = wsolo::adapt::poll;

struct silent {
    void on_message(auto&, const wsolo::message&) const noexcept {}
};

void must(bool succeeded) {
    if (!succeeded) std::abort();
}

constexpr std::string_view request = "GET /ws HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\n"
                                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                     "Sec-WebSocket-Version: 13\r\n\r\n";

} // namespace

void cut_off_owed() {
    constexpr int many = 256; // one walk along all of them, for each, would be seen
    const char* const name = "cut_off_owed_of_256";
    wsolo::connection_group everyone;
    auto loop = std::make_unique<sockets::loop>();
    std::vector<sockets::detail::owned_descriptor> peers;
    for (int i = 0; i < many; ++i) {
        int ends[2] = {-1, -1};
        must(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        peers.emplace_back(ends[1]);
        must(loop->add(ends[0], silent{}, everyone) == errc::none);
        must(::write(ends[1], request.data(), request.size()) == static_cast<ssize_t>(request.size()));
        must(loop->turn(wsolo::duration::zero()));
    }
    must(everyone.send_text("what each is to write").accepted == many);
    CALLGRIND_ZERO_STATS;
    loop.reset();
    CALLGRIND_DUMP_STATS_AT(name);
    std::printf("%s %d\n", name, many);
}
