#include "wrong_connection.hpp"

#include <wsolo/frame/header.hpp>
#include <wsolo/handshake/upgrade.hpp>

#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace relay {

namespace {

// What preemption between the two writes does now and then, it does here each time, so that the demo need
// not wait for it.
void be_preempted() { std::this_thread::sleep_for(std::chrono::microseconds(50)); }

} // namespace

wrong_connection::wrong_connection(int socket, std::uint16_t port) noexcept : socket_(socket), port_(port) {
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

wrong_connection::~wrong_connection() { ::close(socket_); }

bool wrong_connection::push_text(std::string_view text) {
    const std::scoped_lock hold(text_lock_);
    return open_ && write_frame(wsolo::opcode::text, wsolo::bytes_of(text));
}

bool wrong_connection::write_frame(wsolo::opcode op, wsolo::const_bytes payload) {
    std::array<std::byte, wsolo::max_header_size> header;
    const std::size_t size = wsolo::write_header({.op = op, .payload_size = payload.size()}, header.data());
    if (!write_all(wsolo::const_bytes(header).first(size))) return false;
    be_preempted();
    if (!write_all(payload)) return false;
    ++frames_;
    return true;
}

bool wrong_connection::write_all(wsolo::const_bytes bytes) {
    while (!bytes.empty()) {
        ++write_calls_;
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return open_ = false;
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
}

bool wrong_connection::greet() {
    std::array<std::byte, 4096> buffer;
    wsolo::server_handshake handshake;
    while (handshake.status() == wsolo::handshake_status::need_more) {
        const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
        if (count <= 0) return false;
        wsolo::mutable_bytes received = wsolo::mutable_bytes(buffer).first(static_cast<std::size_t>(count));
        handshake.feed(received);
    }
    if (handshake.status() == wsolo::handshake_status::failed || !handshake.request().is_upgrade())
        return false;
    std::string response;
    return append_accept_response(response, handshake.request()) == wsolo::errc::none &&
           write_all(wsolo::bytes_of(response));
}

void wrong_connection::serve() {
    write_calls_ = 0; // the handshake's is not a frame's
    std::array<std::byte, 4096> buffer;
    for (bool more = true; more;) {
        const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
        more = count > 0 && take(wsolo::mutable_bytes(buffer).first(static_cast<std::size_t>(count)));
    }
    open_ = false;
    ::shutdown(socket_, SHUT_RDWR);
}

bool wrong_connection::take(wsolo::mutable_bytes received) {
    for (const wsolo::event& event : in_.read(received)) {
        const auto reply = event.owed_reply();
        if (!reply) continue;
        if (!write_all(reply->bytes())) return false; // the hidden second writer
        ++frames_;
    }
    return in_.open();
}

void wrong_connection::report() const {
    report_line("end")
        .with("peer", port_)
        .with("written", frames_.load())
        .with("writes", write_calls_.load());
}

} // namespace relay
