#include "session.hpp"

#include <sys/epoll.h>

namespace echo {
namespace {

using std::chrono::steady_clock;
using wsolo::errc;

wsolo::endpoint_options endpoint_options_of(const options& how) {
    wsolo::endpoint_options chosen;
    chosen.reading = {.max_frame_size = how.max_message,
                      .max_message_size = how.max_message,
                      .max_fragments = how.max_fragments};
    // What is unsent when reading stops, and the echo of what was read until then.
    chosen.writing.limits.max_bytes = how.max_unsent + 2 * how.max_message + 4 * 1024 * 1024;
    chosen.writing.limits.max_message = 0; // what it echoes is bounded by what it reads
    chosen.writing.timeouts.write = how.write_timeout;
    chosen.writing.timeouts.drain = how.close_timeout;
    chosen.max_unsent = how.max_unsent;
    chosen.ending.close_timeout = how.close_timeout;
    chosen.beating.ping_interval = how.ping_interval;
    return chosen;
}

} // namespace

template <class Work>
session<Work>::session(loop::peer_id id, loop::descriptor socket, std::uint16_t port, loop::ready_list& ready,
                       const options& how, Work work)
    : socket_(std::move(socket)),
      port_(port),
      handshake_deadline_(steady_clock::now() + how.handshake_timeout) {
    connection_.emplace(wsolo::born_gated, wsolo::adapt::posix_socket(socket_.get()), wake_loop{&ready, id},
                        echoing{&counts_}, endpoint_options_of(how), wsolo::server_side{}, work);
    gate_.emplace(connection_->writer());
}

template <class Work>
void session<Work>::on_readable(wsolo::mutable_bytes buffer) {
    const ssize_t count = ::recv(socket(), buffer.data(), buffer.size(), 0);
    if (count > 0) return take(buffer.first(static_cast<std::size_t>(count)));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (gate_) refuse(errc::connection_lost);
    wants_ = connection_->end_of_input();
}

template <class Work>
void session<Work>::take(wsolo::mutable_bytes received) {
    if (gate_) shake_hands(received);
    if (upgraded_) wants_ = connection_->receive(received);
}

template <class Work>
void session<Work>::shake_hands(wsolo::mutable_bytes& received) {
    switch (handshake_.feed(received)) {
    case wsolo::handshake_status::need_more: return;
    case wsolo::handshake_status::failed: return refuse(handshake_.error());
    case wsolo::handshake_status::complete: break;
    }
    if (!handshake_.request().is_upgrade()) return refuse(errc::handshake_missing_upgrade);
    wsolo::byte_buffer answer;
    if (wsolo::append_accept_response(answer, handshake_.request()) != errc::none ||
        counts_.count_sent(gate_->acknowledge(answer.view())) != errc::none) {
        return refuse(errc::out_of_memory);
    }
    upgraded_ = true;
    gate_->open();
    gate_.reset();
}

template <class Work>
void session<Work>::refuse(errc why) {
    wsolo::byte_buffer answer;
    if (wsolo::append_response(answer, wsolo::rejection(why)) == errc::none)
        static_cast<void>(counts_.count_sent(gate_->acknowledge(answer.view())));
    gate_->reject(why);
    gate_.reset();
    wants_ = connection_->run();
}

template <class Work>
void session<Work>::on_broken() {
    if (gone()) return;
    if (gate_) refuse(errc::connection_lost);
    wants_ = connection_->end_of_input(errc::connection_lost);
}

template <class Work>
void session<Work>::on_turn() {
    if (gate_ && steady_clock::now() >= handshake_deadline_) return refuse(errc::handshake_timeout);
    wants_ = connection_->run();
}

template <class Work>
void session<Work>::close(wsolo::close_code code, std::string_view reason) {
    if (gate_) return refuse(errc::aborted);
    static_cast<void>(connection_->close(code, reason)); // closed before: then that goes on
    wants_ = connection_->run();
}

template <class Work>
void session<Work>::cut_off() {
    ::shutdown(socket(), SHUT_RDWR);
    connection_->abort();
    wants_ = connection_->run();
}

template <class Work>
account session<Work>::settle() {
    account final;
    final.how = connection_->how_it_ended();
    connection_.reset(); // nobody sends or counts behind this
    final.handled = counts_.handled();
    final.accepted = counts_.accepted() + final.how.control_frames;
    return final;
}

template <class Work>
std::uint32_t session<Work>::interest() const noexcept {
    return (wants_.read ? EPOLLIN : 0U) | (wants_.write ? EPOLLOUT : 0U);
}

template <class Work>
wsolo::time_point session<Work>::deadline() const noexcept {
    return gate_ && handshake_deadline_ < wants_.deadline ? handshake_deadline_ : wants_.deadline;
}

template class session<wsolo::in_the_loop>;
template class session<in_a_pool>;

} // namespace echo
