// Would catch: a throw, a try, a dynamic_cast or a typeid anywhere in the library (built with -fno-exceptions
// -fno-rtti), and a room that only works when they are on. One road through all rooms, both roles.

#include <wsolo/core/error_category.hpp>
#include <wsolo/write/threaded.hpp>
#include <wsolo/wsolo.hpp>

#include <cstdio>

namespace {

/// A transport that keeps what was written.
struct memory {
    std::string* wire;
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
        std::size_t count = 0;
        for (const wsolo::const_bytes part : parts) {
            wire->append(wsolo::text_of(part));
            count += part.size();
        }
        return {wsolo::io_status::ok, count};
    }
    void finish(wsolo::end_of_write) {}
};

/// The same, said later: here at once.
struct later {
    std::string* wire;
    void start_write(std::span<const wsolo::const_bytes> parts, wsolo::time_point, wsolo::write_done done) {
        done(memory{wire}.write(parts, wsolo::no_deadline));
    }
    void cancel_write() {}
    void finish(wsolo::end_of_write) {}
};

bool errors_speak() {
    const wsolo::result<int> failed = wsolo::errc::closed;
    const std::error_code code = failed.error();
    return !failed && code.message() == wsolo::to_string(wsolo::errc::closed);
}

bool ends_shake_hands() {
    wsolo::random_keys keys;
    wsolo::client_handshake client;
    if (client.start({.host = "localhost"}, keys) != wsolo::errc::none) return false;

    wsolo::server_handshake server;
    wsolo::const_bytes request = client.request();
    if (server.feed(request) != wsolo::handshake_status::complete) return false;

    std::string answer;
    if (wsolo::append_accept_response(answer, server.request()) != wsolo::errc::none) return false;
    wsolo::const_bytes response = wsolo::bytes_of(answer);
    return client.feed(response) == wsolo::handshake_status::complete;
}

bool ping_is_answered() {
    wsolo::random_keys keys;
    std::string inbound;
    const wsolo::const_bytes hello = wsolo::bytes_of("solo");
    if (wsolo::append_frame<wsolo::role::client>(inbound, wsolo::opcode::text, hello, keys) !=
            wsolo::errc::none ||
        wsolo::append_frame<wsolo::role::client>(inbound, wsolo::opcode::ping, hello, keys) !=
            wsolo::errc::none) {
        return false;
    }

    std::string wire;
    wsolo::server_reader in;
    wsolo::single_writer out{memory{&wire}, [] {}};
    bool read = false;
    for (const auto& event : in.read(std::span<char>(inbound))) {
        if (event.is_message()) read = event.text() == "solo";
        const auto reply = event.owed_reply();
        if (reply && out.send(*reply) != wsolo::errc::none) return false;
    }
    if (out.pump().status != wsolo::pump_status::idle) return false;

    wsolo::client_reader peer;
    bool answered = false;
    for (const auto& event : peer.read(std::span<char>(wire))) {
        answered = event.kind() == wsolo::event_kind::pong && event.text() == "solo";
    }
    return read && answered;
}

bool bad_text_fails() {
    std::string inbound("\x81\x02\xC0\x80", 4); // an overlong NUL (RFC 3629 §3)
    wsolo::client_reader in;
    bool failed = false;
    for (const auto& event : in.read(std::span<char>(inbound))) {
        failed = event.kind() == wsolo::event_kind::failure && event.error() == wsolo::errc::invalid_utf8;
    }
    return failed;
}

bool barrier_waits_for_nothing() {
    wsolo::sequence_barrier barrier;
    const std::uint64_t first = barrier.issue();
    barrier.complete(first);
    return barrier.snapshot() == first;
}

bool every_drive_writes() {
    const auto frame = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of("solo"));
    if (!frame) return false;
    std::string wires[2];
    wsolo::single_writer completing{later{&wires[0]}, wsolo::inline_drive{[] {}}};
    auto first = wsolo::observed([&](wsolo::on_outcome on_done) { return completing.send(*frame, on_done); });
    wsolo::threaded_writer threaded{memory{&wires[1]}};
    auto second = wsolo::observed([&](wsolo::on_outcome on_done) { return threaded->send(*frame, on_done); });
    const bool told = first.wait() == wsolo::errc::none && second.wait() == wsolo::errc::none;
    return told && wires[0] == wires[1] && wires[0].size() == frame->bytes().size();
}

bool report(const char* name, bool passed) {
    if (!passed) std::printf("failed: %s\n", name);
    return passed;
}

} // namespace

int main() {
    bool passed = report("errors_speak", errors_speak());
    passed = report("ends_shake_hands", ends_shake_hands()) && passed;
    passed = report("ping_is_answered", ping_is_answered()) && passed;
    passed = report("every_drive_writes", every_drive_writes()) && passed;
    passed = report("bad_text_fails", bad_text_fails()) && passed;
    passed = report("barrier_waits_for_nothing", barrier_waits_for_nothing()) && passed;
    return passed ? 0 : 1;
}
