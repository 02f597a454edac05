#include "session.hpp"

#include <sys/epoll.h>

namespace echo {
namespace {

using wsolo::errc;

wsolo::server_options server_options_of(const options& how) {
    wsolo::server_options chosen;
    chosen.handshake_timeout = how.handshake_timeout;
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
    : socket_(std::move(socket)), port_(port) {
    connection_.emplace(wsolo::adapt::posix_socket(socket_.get()), wake_loop{&ready, id}, echoing{&counts_},
                        server_options_of(how), work);
    wants_ = connection_->run();
}

template <class Work>
void session<Work>::on_event(std::uint32_t happened, wsolo::mutable_bytes buffer) {
    constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP; // recv and send say how
    if (wants_.read && (happened & (EPOLLIN | broken)) != 0) read(buffer);
    if (wants_.write && (happened & (EPOLLOUT | broken)) != 0) on_turn();
}

template <class Work>
void session<Work>::read(wsolo::mutable_bytes buffer) {
    const ssize_t count = ::recv(socket(), buffer.data(), buffer.size(), 0);
    if (count > 0) {
        wants_ = connection_->receive(buffer.first(static_cast<std::size_t>(count)));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        wants_ = connection_->end_of_input(count == 0 ? errc::none : errc::connection_lost);
    }
}

template <class Work>
account session<Work>::settle() {
    account final;
    final.how = connection_->how_it_ended();
    final.upgraded = upgraded();
    connection_.reset(); // nobody sends or counts after this
    final.handled = counts_.handled();
    final.accepted = counts_.accepted() + final.how.control_frames;
    return final;
}

template <class Work>
std::uint32_t session<Work>::interest() const noexcept {
    return (wants_.read ? EPOLLIN : 0U) | (wants_.write ? EPOLLOUT : 0U);
}

template class session<wsolo::in_the_loop>;
template class session<in_a_pool>;

} // namespace echo
