#include "connection.hpp"

#include "routes.hpp"

#include <cerrno>
#include <sys/epoll.h>

namespace relay {

using wsolo::close_code;
using wsolo::errc;

connection::connection(peer_id id, descriptor socket, std::uint16_t port, ready_list& ready,
                       const options& how, std::atomic<std::uint64_t>& accepted)
    : id_(id),
      port_(port),
      socket_(std::move(socket)),
      accepted_(accepted),
      whole_(counted_socket(socket_.get(), write_calls_), wake_loop{&ready, id}, visit{this},
             options_of(how)),
      wants_(whole_.run()) {}

wsolo::server_options connection::options_of(const options& how) {
    const std::size_t longest = how.max_queue / 2; // so that its echo fits the queue
    wsolo::server_options chosen;
    chosen.reading = {.max_frame_size = longest, .max_message_size = longest, .max_fragments = 4096};
    chosen.writing.limits.max_bytes = how.max_queue;
    chosen.writing.timeouts.write = how.write_timeout;
    chosen.writing.timeouts.drain = how.drain_timeout;
    chosen.ending.close_timeout = chosen.ending.linger_timeout = how.linger;
    chosen.handshake_timeout = how.handshake_timeout;
    chosen.max_unsent = 0; // what can't be answered is an error here: on_message() below
    return chosen;
}

void connection::visit::on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) const {
    route(asked, reply);
}

// What can't be answered is not dropped in silence: a peer that sends faster than it reads is told, by this errc.
errc connection::visit::on_message(auto& whole, const wsolo::message& received) const {
    const errc answer =
        received.is_text() ? whole.send_text("echo: " + std::string(received.text())) : whole.send(received);
    self->count(answer);
    return answer;
}

void connection::on_event(std::uint32_t happened, wsolo::mutable_bytes buffer) {
    constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP; // recv and send say how
    if (wants_.read && (happened & (EPOLLIN | broken)) != 0) read(buffer);
    if (wants_.write && (happened & (EPOLLOUT | broken)) != 0) run();
}

void connection::read(wsolo::mutable_bytes buffer) {
    const ssize_t count = ::recv(socket(), buffer.data(), buffer.size(), 0);
    if (count > 0) {
        wants_ = whole_.receive(buffer.first(static_cast<std::size_t>(count)));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        wants_ = whole_.end_of_input(count == 0 ? errc::none : errc::connection_lost);
    }
}

void connection::close() {
    server_closed_ = was_opened() && !how_it_ended().peer_closed;
    wants_ = whole_.close(close_code::going_away, "the server is stopping");
}

std::uint32_t connection::interest() const noexcept {
    return (wants_.read ? EPOLLIN : 0U) | (wants_.write ? EPOLLOUT : 0U);
}

std::string_view connection::cause() const {
    const errc reason = how_it_ended().reason;
    if (reason != errc::none || !was_opened()) return name_of(reason);
    return server_closed_ ? "server_close" : "peer_close";
}

bool connection::count(errc answer) noexcept {
    if (answer != errc::none) return false;
    accepted_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

} // namespace relay
