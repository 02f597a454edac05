#pragma once
// A connection with its handshake in front, on a scripted wire and a clock that the test moves.

#include <support/endpoint_fixture.hpp>
#include <support/handshake.hpp>

#include <wsolo/endpoint/client_connection.hpp>
#include <wsolo/endpoint/server_connection.hpp>
#include <wsolo/testing/completing_transport.hpp>

/// What a test wants of its handler, and what the handler saw.
struct connection_log : endpoint_log {
    std::function<void(const wsolo::upgrade_request&, wsolo::http_reply&)> on_request = [](auto&, auto&) {};
    std::function<errc(const wsolo::upgrade_response&, errc)> on_response = [](auto&, errc) {
        return errc::none;
    };
    std::string greeting; ///< sent when the connection is open, unless empty
    int asked = 0;
    int opened = 0;
    std::vector<std::pair<errc, int>> not_opened;
};

/// Sends back what it gets.
struct connection_handler {
    connection_log* log = nullptr;
    errc on_message(auto& e, const wsolo::message& received) const {
        log->messages.emplace_back(received.text());
        return e.send(received);
    }
    void on_upgraded(auto& e) const {
        ++log->opened;
        if (!log->greeting.empty()) CHECK(e.send_text(log->greeting) == errc::none);
    }
    void on_finished(auto&, const wsolo::ending& how) const { log->endings.push_back(how); }
    void on_not_opened(errc why, int status) const { log->not_opened.emplace_back(why, status); }
};
struct server_handler : connection_handler {
    void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) const {
        ++log->asked;
        log->on_request(asked, reply);
    }
};
struct client_handler : connection_handler {
    errc on_response(const wsolo::upgrade_response& answer, errc verdict) const {
        ++log->asked;
        return log->on_response(answer, verdict);
    }
};

struct quiet_options {
    static wsolo::server_options server() {
        wsolo::server_options options;
        options.beating.ping_interval = 0ms;
        return options;
    }
    static wsolo::client_options client() {
        wsolo::client_options options;
        options.beating.ping_interval = 0ms;
        return options;
    }
};

/// RFC 6455 §1.3's key, always.
struct sample_nonce {
    void fill(wsolo::mutable_bytes to) const noexcept {
        const std::string_view nonce = "the sample nonce";
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<std::byte>(nonce[i % nonce.size()]);
    }
};

template <class Transport>
using server_of =
    wsolo::server_connection<Transport, counted_schedule, server_handler, wsolo::in_the_loop, manual_traits>;
template <class Transport>
using client_of = wsolo::client_connection<Transport, counted_schedule, client_handler, client,
                                           wsolo::in_the_loop, manual_traits>;

/// What both fixtures have.
template <class Connection>
struct driven_connection {
    const wsolo::endpoint_wants& receive(std::string bytes) {
        return see(whole->receive(std::as_writable_bytes(std::span(bytes))));
    }
    const wsolo::endpoint_wants& end_of_input(errc why = errc::none) { return see(whole->end_of_input(why)); }
    const wsolo::endpoint_wants& run() { return see(whole->run()); }
    /// A handler is told of each end once, in one of two ways.
    const wsolo::endpoint_wants& see(const wsolo::endpoint_wants& now) {
        wants = now;
        const bool was_open = whole->opened() != nullptr;
        REQUIRE(log.not_opened.size() == (now.finished && !was_open ? 1 : 0));
        REQUIRE(log.endings.size() == (now.finished && was_open ? 1 : 0));
        if (now.finished && !was_open)
            REQUIRE(log.not_opened[0] == std::pair(whole->how_it_ended().reason, whole->status()));
        return wants;
    }

    connection_log log;
    wsolo::endpoint_wants wants;
    std::optional<Connection> whole;
};

/// What is on a wire: a head, and the frames after it.
struct seen_on_wire {
    explicit seen_on_wire(const std::string& wire, bool masked) {
        const std::size_t end = wire.find("\r\n\r\n");
        if (end == wire.npos) {
            head = wire;
            return;
        }
        head = wire.substr(0, end + 4);
        rest = wire.substr(end + 4);
        const strict::stream all = strict::parse(rest, masked);
        if (!all.error.empty() || all.rest != 0) return;
        for (const strict::frame& each : all.frames) frames.emplace_back(each.opcode, each.payload);
    }
    [[nodiscard]] std::string status() const { return head.substr(0, 12); }

    std::string head;
    std::string rest;
    sent_frames frames;
};

/// A frame as `sender` makes it.
inline std::string frame_from(wsolo::role sender, unsigned first, std::string_view payload) {
    std::string bytes{static_cast<char>(first)};
    const std::string key = wsolo::masks(sender) ? "\x5a\x01\xf3\x88" : "";
    const unsigned mask_bit = key.empty() ? 0U : 0x80U;
    if (payload.size() < 126) {
        bytes += static_cast<char>(payload.size() | mask_bit);
    } else {
        bytes += static_cast<char>(126U | mask_bit);
        bytes += static_cast<char>(payload.size() >> 8);
        bytes += static_cast<char>(payload.size() & 0xff);
    }
    bytes += key;
    for (std::size_t i = 0; i < payload.size(); ++i)
        bytes += key.empty() ? payload[i] : static_cast<char>(payload[i] ^ key[i % 4]);
    return bytes;
}
