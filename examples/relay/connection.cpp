#include "connection.hpp"

#include <sys/epoll.h>

namespace relay {

using wsolo::close_code;
using wsolo::errc;

connection::connection(peer_id id, descriptor socket, std::uint16_t port, ready_list& ready,
                       const options& how, std::atomic<std::uint64_t>& accepted)
    : peer(id, std::move(socket), port),
      accepted_(accepted),
      whole_(counted_socket(this->socket(), write_calls_), wake_loop{&ready, id}, echo{this},
             options_of(how)) {}

wsolo::endpoint_options connection::options_of(const options& how) {
    const std::size_t longest = how.max_queue / 2; // so that its echo fits the queue
    wsolo::endpoint_options chosen;
    chosen.reading = {.max_message_size = longest, .max_fragments = 4096};
    chosen.writing.limits.max_message = 0; // what it echoes is bounded by what it reads
    chosen.writing.limits.max_bytes = how.max_queue;
    chosen.writing.timeouts.write = how.write_timeout;
    chosen.writing.timeouts.drain = how.drain_timeout;
    chosen.ending.close_timeout = how.linger;
    return chosen;
}

// What can't be answered is not dropped in silence: a peer that sends faster than it reads is told, by this errc.
errc connection::echo::on_message(auto& whole, const wsolo::message& received) const {
    const errc answer = received.is_text() ? whole.send_text("echo: " + std::string(received.text()))
                                           : whole.send_binary(received.bytes());
    self->count(answer);
    return answer;
}

void connection::on_readable(wsolo::mutable_bytes buffer) {
    const ssize_t count = ::recv(socket(), buffer.data(), buffer.size(), 0);
    if (count > 0) return take(buffer.first(static_cast<std::size_t>(count)));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    wants_ = whole_.end_of_input(count == 0 ? errc::none : errc::connection_lost);
}

void connection::close() {
    server_closed_ = whole_.close(close_code::going_away, "the server is stopping") == errc::none;
    run();
}

void connection::cut_off() {
    ::shutdown(socket(), SHUT_RDWR); // a frame that is half written is waited for otherwise
    whole_.abort(errc::drain_timed_out);
    run();
}

std::uint32_t connection::interest() const noexcept {
    return (wants_.read ? EPOLLIN : 0U) | (wants_.write ? EPOLLOUT : 0U);
}

std::string_view connection::cause() const noexcept {
    if (how_it_ended().reason != errc::none) return name_of(how_it_ended().reason);
    return server_closed_ ? "server_close" : "peer_close";
}

bool connection::count(errc answer) noexcept {
    if (answer != errc::none) return false;
    accepted_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

} // namespace relay
