#include "wrong_feed.hpp"

#include <wsolo/frame/header.hpp>
#include <wsolo/handshake/server.hpp>

#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace demo {
namespace {

// What preemption between the two writes does now and then, it does here each time, so that no visitor has to wait for it.
void be_preempted() { std::this_thread::sleep_for(std::chrono::microseconds(20)); }

} // namespace

wrong_feed::connection::~connection() { ::close(socket_); }

bool wrong_feed::connection::greet() {
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

void wrong_feed::connection::serve() {
    std::array<std::byte, 4096> buffer;
    for (bool more = true; more;) {
        const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
        more = count > 0 && take(wsolo::mutable_bytes(buffer).first(static_cast<std::size_t>(count)));
    }
    cut_off();
}

void wrong_feed::connection::cut_off() noexcept {
    is_open_ = false;
    ::shutdown(socket_, SHUT_RDWR);
}

bool wrong_feed::connection::take(wsolo::mutable_bytes received) {
    for (const wsolo::event& event : in_.read(received)) {
        const auto reply = event.owed_reply();
        if (reply && !write_all(reply->bytes())) return false; // the hidden second writer
    }
    return in_.open();
}

bool wrong_feed::connection::push_text(std::string_view text) {
    const std::scoped_lock hold(text_lock_);
    if (!is_open_) return false;
    std::array<std::byte, wsolo::max_header_size> header;
    const std::size_t size =
        wsolo::write_header({.op = wsolo::opcode::text, .payload_size = text.size()}, header.data());
    if (!write_all(wsolo::const_bytes(header).first(size))) return false;
    be_preempted();
    return write_all(wsolo::bytes_of(text));
}

bool wrong_feed::connection::write_all(wsolo::const_bytes bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return is_open_ = false;
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
}

wrong_feed::wrong_feed(const settings&)
    : listening_(listen_on(0, socket_buffer)), port_(port_of(listening_)), door_([this] { accept_all(); }) {}

wrong_feed::~wrong_feed() {
    if (!is_stopped_) stop(false);
    ::close(listening_);
}

void wrong_feed::accept_all() {
    for (int fd = 0; (fd = ::accept(listening_, nullptr, nullptr)) >= 0;) {
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const auto made = std::make_shared<connection>(fd);
        const std::scoped_lock hold(lock_);
        if (is_stopped_) return;
        readers_.emplace_back([this, made] {
            if (!made->greet()) return made->cut_off();
            {
                const std::scoped_lock keep(lock_);
                std::erase_if(present_, [](const auto& each) { return !each->is_open(); });
                present_.push_back(made);
                if (is_stopped_) return made->cut_off();
            }
            made->serve();
        });
    }
}

std::vector<std::shared_ptr<wrong_feed::connection>> wrong_feed::present() {
    const std::scoped_lock hold(lock_);
    return present_;
}

void wrong_feed::push(std::string_view text) {
    for (const auto& each : present())
        if (!is_stopped_ && each->push_text(text)) ++accepted_;
}

end_report wrong_feed::stop(bool) {
    end_report report;
    {
        const std::scoped_lock hold(lock_);
        is_stopped_ = true;
        for (const auto& each : present_) {
            if (each->is_open()) ++report.cut_off;
            each->cut_off();
        }
    }
    ::shutdown(listening_, SHUT_RDWR);
    door_.join();
    readers_.clear(); // joins them
    present_.clear();
    return report;
}

} // namespace demo
