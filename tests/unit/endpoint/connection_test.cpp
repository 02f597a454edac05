// Would catch: two sides whose handshakes do not fit, a message that is lost between the handshake and the endpoint, an answer
// that is reset because the peer still sends.

#include <support/connection_fixture.hpp>
#include <support/sockets.hpp>

#include <wsolo/adapt/posix.hpp>

#include <fcntl.h>

using namespace support;

namespace {

/// A connection on a real socket, as a loop drives it, without waiting.
template <class Connection>
struct on_socket : driven_connection<Connection> {
    template <class Handler, class... Request>
    on_socket(descriptor of, Handler, const Request&... request) : socket(std::move(of)) {
        ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
        this->whole.emplace(wsolo::adapt::posix_socket(socket.get()), counted_schedule{&this->log},
                            Handler{{&this->log}}, request...);
        this->run();
    }
    /// Whether something happened.
    bool step() {
        if (this->wants.finished) return false;
        bool moved = std::exchange(this->log.scheduled, 0) != 0;
        if (moved || this->wants.write) this->run();
        if (!this->wants.read || this->wants.finished) return moved;
        std::string bytes(1000, '\0');
        const ssize_t count = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
        if (count < 0 && errno == EAGAIN) return moved;
        if (count > 0) {
            bytes.resize(static_cast<std::size_t>(count));
            this->receive(bytes);
        } else {
            this->end_of_input(count == 0 ? errc::none : errc::connection_lost);
        }
        if (this->wants.finished) socket = descriptor();
        return true;
    }
    descriptor socket;
};

using posix_server = on_socket<server_of<wsolo::adapt::posix_socket>>;
using posix_client = on_socket<client_of<wsolo::adapt::posix_socket>>;

} // namespace

TEST_CASE("two connections open, talk and close", "[connection]") {
    for (const network kind : {network::unix_pair, network::tcp}) {
        connection_ends ends = connect_both(kind);
        posix_server serving(std::move(ends.ours), server_handler{});
        posix_client dialling(std::move(ends.peers), client_handler{}, wsolo::client_request{.host = "h"},
                              sample_nonce{});
        dialling.log.greeting = "hello";
        serving.log.on_message = [](const auto&) { return errc::none; };
        const auto until = [&](auto holds) {
            const auto patience = std::chrono::steady_clock::now() + 10s;
            while (!holds() && std::chrono::steady_clock::now() < patience) {
                serving.step();
                if (dialling.log.messages.size() < 3) dialling.step();
            }
            return holds();
        };
        CHECK(until([&] { return dialling.log.messages.size() == 3; })); // they send it back and forth
        dialling.wants = dialling.whole->close(wsolo::close_code::normal, "enough");
        const auto patience = std::chrono::steady_clock::now() + 10s;
        while (!(serving.wants.finished && dialling.wants.finished) &&
               std::chrono::steady_clock::now() < patience) {
            serving.step();
            dialling.step();
        }
        CHECK(serving.wants.finished);
        CHECK(dialling.wants.finished);
        CHECK(serving.whole->how_it_ended().reason == errc::none);
        CHECK(dialling.whole->how_it_ended().reason == errc::none);
        CHECK(serving.whole->how_it_ended().peer_closed);
    }
}

TEST_CASE("an answer arrives although the peer goes on sending", "[connection]") {
    const bool is_upgrade = GENERATE(false, true);
    connection_ends ends = connect_both(network::tcp);
    posix_server serving(std::move(ends.ours), server_handler{});
    const std::string page(100'000, 'p');
    serving.log.on_request = [&](auto&, auto& reply) { reply.respond({.status = 404, .body = page}); };
    const std::string head = is_upgrade ? handshake_samples::rfc_request().text()
                                        : "POST / HTTP/1.1\r\nHost: h\r\n"
                                          "Content-Length: 1000000\r\n\r\n";
    REQUIRE(write_all(ends.peers.get(), head + std::string(20'000, 'x')));
    std::string heard;
    std::string rest(980'000, 'x'); // which the peer sends before it looks
    const auto patience = std::chrono::steady_clock::now() + 10s;
    while (!rest.empty() && std::chrono::steady_clock::now() < patience) {
        serving.step();
        const ssize_t n = ::send(ends.peers.get(), rest.data(), std::min<std::size_t>(rest.size(), 10'000),
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) rest.erase(0, static_cast<std::size_t>(n));
    }
    CHECK(rest.empty());
    bool is_over = false;
    while (!is_over && std::chrono::steady_clock::now() < patience) {
        serving.step();
        char block[4096];
        const ssize_t n = ::recv(ends.peers.get(), block, sizeof block, MSG_DONTWAIT);
        if (n > 0) heard.append(block, static_cast<std::size_t>(n));
        is_over = n == 0 || (n < 0 && errno != EAGAIN);
        if (is_over) CHECK(n == 0);
    }
    CHECK(heard.find("HTTP/1.1 404") == 0);
    CHECK(heard.size() > page.size());
    ends.peers = descriptor();
    while (serving.step()) {}
    CHECK(serving.wants.finished);
}
