#include "server.hpp"

#include "loop/report.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <system_error>

namespace echo {
namespace {

using loop::accept_status;
using loop::peer_id;
using std::chrono::steady_clock;

// The loop's own sources; peers count on from first_peer.
enum source : peer_id { from_listener, from_ready_list, from_signals, first_peer };

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::chrono::milliseconds accept_pause{100}; // when even a spare descriptor doesn't help
constexpr int accepts_per_turn = 64; // so that a flood of peers can't hold up those that are here

} // namespace

template <class Work>
server<Work>::server(const options& how)
    : how_(how),
      listener_(how.port),
      pool_(how.threads),
      admin_(how),
      buffer_(buffer_size),
      next_id_(first_peer) {
    const bool watched = poller_.watch(listener_.get(), from_listener, EPOLLIN) &&
                         poller_.watch(ready_.get(), from_ready_list, EPOLLIN) &&
                         poller_.watch(signals_.get(), from_signals, EPOLLIN);
    if (!watched) throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

template <class Work>
const totals& server<Work>::run() {
    while (!stopping_ || !sessions_.empty()) {
        for (const epoll_event& event : poller_.wait(timers_.next())) dispatch(event.data.u64, event.events);
        run_ready();
        expire();
    }
    return account_;
}

template <class Work>
void server<Work>::dispatch(peer_id id, std::uint32_t happened) {
    if (id == from_listener) return accept_some();
    if (id == from_signals) return on_signal();
    const auto found = sessions_.find(id); // none for the ready list, which comes next in any case
    if (found == sessions_.end()) return;
    peer_session& peer = found->second;
    const bool was_upgraded = peer.upgraded();
    peer.on_event(happened, buffer_);
    if (!was_upgraded && peer.upgraded()) admin_.add(peer.handle());
    settle(id, peer);
}

template <class Work>
void server<Work>::accept_some() {
    for (int i = 0; i < accepts_per_turn && !stopping_; ++i) {
        loop::accepted next = listener_.accept(SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (next.status == accept_status::none_waiting) return;
        if (next.status == accept_status::stuck) {
            static_cast<void>(poller_.change(listener_.get(), from_listener, EPOLLIN, 0));
            return timers_.set(from_listener, steady_clock::now() + accept_pause);
        }
        if (next.status != accept_status::accepted) continue;
        const peer_id id = next_id_++;
        if (!poller_.watch(next.socket.get(), id, EPOLLIN)) continue;
        peer_session& peer =
            sessions_.try_emplace(id, id, std::move(next.socket), next.peer_port, ready_, how_, work())
                .first->second;
        peer.watched = EPOLLIN;
        settle(id, peer);
    }
}

template <class Work>
void server<Work>::run_ready() {
    ready_.take(due_);
    for (const peer_id id : due_) {
        const auto found = sessions_.find(id);
        if (found == sessions_.end()) continue;
        found->second.on_turn();
        settle(id, found->second);
    }
}

template <class Work>
void server<Work>::expire() {
    timers_.take_expired(steady_clock::now(), due_);
    for (const peer_id id : due_) {
        if (id == from_signals) {
            end_all();
        } else if (id == from_listener) {
            static_cast<void>(poller_.change(listener_.get(), from_listener, 0, EPOLLIN));
        } else if (const auto found = sessions_.find(id); found != sessions_.end()) {
            found->second.on_turn();
            settle(id, found->second);
        }
    }
}

template <class Work>
void server<Work>::settle(peer_id id, peer_session& peer) {
    if (!peer.gone() && !poller_.change(peer.socket(), id, peer.watched, peer.interest())) peer.cut_off();
    if (peer.gone()) return retire(id, peer);
    peer.watched = peer.interest();
    timers_.set(id, peer.deadline());
}

template <class Work>
void server<Work>::retire(peer_id id, peer_session& peer) {
    const account came_to = peer.settle();
    const wsolo::ending& how = came_to.how;
    if (how_.report_each) {
        loop::report_line("end")
            .with("peer", peer.port())
            .with("reason", name_of(how.reason))
            .with("code", static_cast<unsigned>(how.code))
            .with("received", how.handled.messages_accepted())
            .with("handled", came_to.handled)
            .with("unhandled", how.handled.messages_dropped)
            .with("accepted", came_to.accepted)
            .with("written", how.written.frames_written)
            .with("dropped", how.written.frames_dropped)
            .with("replaced", how.written.pongs_replaced)
            .with("bytes", how.written.bytes_written)
            .with("partial", how.written.partial_frame ? "yes" : "no");
    }
    ++account_.connections;
    account_.refused += came_to.upgraded ? 0U : 1U;
    account_.received += how.handled.messages_accepted();
    account_.handled += came_to.handled;
    account_.dropped += how.handled.messages_dropped;
    account_.frames_accepted += came_to.accepted;
    account_.frames_written += how.written.frames_written;
    account_.frames_dropped += how.written.frames_dropped;
    account_.pongs_replaced += how.written.pongs_replaced;
    account_.adds_up = account_.adds_up && came_to.adds_up();
    timers_.set(id, wsolo::no_deadline);
    sessions_.erase(id); // closes its socket, which ends the watch
}

template <class Work>
void server<Work>::on_signal() {
    while (signals_.take()) {
        if (std::exchange(stopping_, true)) return end_all();
        poller_.forget(listener_.get());
        listener_.close();
        timers_.set(from_listener, wsolo::no_deadline);
        timers_.set(from_signals, steady_clock::now() + 2 * how_.close_timeout);
        for (auto at = sessions_.begin(); at != sessions_.end();) {
            auto& [id, peer] = *at++; // settle() may erase it
            peer.close(wsolo::close_code::going_away, "the server is stopping");
            settle(id, peer);
        }
    }
}

template <class Work>
void server<Work>::end_all() {
    for (auto at = sessions_.begin(); at != sessions_.end();) {
        auto& [id, peer] = *at++;
        peer.cut_off();
        settle(id, peer);
    }
}

template <class Work>
Work server<Work>::work() noexcept {
    if constexpr (std::same_as<Work, in_a_pool>) {
        return {&pool_};
    } else {
        return {};
    }
}

template class server<wsolo::in_the_loop>;
template class server<in_a_pool>;

} // namespace echo
