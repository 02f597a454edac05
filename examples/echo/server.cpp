#include "server.hpp"

#include "loop/report.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

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

server::server(const options& how)
    : how_(how), listener_(how.port), buffer_(buffer_size), next_id_(first_peer) {
    const bool watched = poller_.watch(listener_.get(), from_listener, EPOLLIN) &&
                         poller_.watch(ready_.get(), from_ready_list, EPOLLIN) &&
                         poller_.watch(signals_.get(), from_signals, EPOLLIN);
    if (!watched) throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

const totals& server::run() {
    while (!stopping_ || !sessions_.empty()) {
        for (const epoll_event& event : poller_.wait(timers_.next())) dispatch(event.data.u64, event.events);
        run_ready();
        expire();
    }
    return account_;
}

void server::dispatch(peer_id id, std::uint32_t happened) {
    if (id == from_listener) return accept_some();
    if (id == from_signals) return on_signal();
    const auto found = sessions_.find(id); // none for the ready list, which comes next in any case
    if (found == sessions_.end()) return;
    session& peer = found->second;
    if ((happened & EPOLLIN) != 0) {
        peer.on_readable(buffer_);
    } else if ((happened & (EPOLLERR | EPOLLHUP)) != 0) {
        peer.on_broken();
    }
    if ((happened & EPOLLOUT) != 0 && !peer.gone()) peer.on_turn();
    settle(id, peer);
}

void server::accept_some() {
    for (int i = 0; i < accepts_per_turn && !stopping_; ++i) {
        loop::accepted next = listener_.accept(SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (next.status == accept_status::none_waiting) return;
        if (next.status == accept_status::stuck) {
            poller_.change(listener_.get(), from_listener, 0);
            return timers_.set(from_listener, steady_clock::now() + accept_pause);
        }
        if (next.status != accept_status::accepted) continue;
        const peer_id id = next_id_++;
        if (!poller_.watch(next.socket.get(), id, EPOLLIN)) continue;
        session& peer =
            sessions_.try_emplace(id, id, std::move(next.socket), next.peer_port, ready_, how_).first->second;
        peer.watched = EPOLLIN;
        settle(id, peer);
    }
}

void server::run_ready() {
    ready_.take(due_);
    for (const peer_id id : due_) {
        const auto found = sessions_.find(id);
        if (found == sessions_.end()) continue;
        found->second.on_turn();
        settle(id, found->second);
    }
}

void server::expire() {
    timers_.take_expired(steady_clock::now(), due_);
    for (const peer_id id : due_) {
        if (id == from_signals) {
            end_all();
        } else if (id == from_listener) {
            poller_.change(listener_.get(), from_listener, EPOLLIN);
        } else if (const auto found = sessions_.find(id); found != sessions_.end()) {
            found->second.on_turn();
            settle(id, found->second);
        }
    }
}

void server::settle(peer_id id, session& peer) {
    if (peer.gone()) return retire(id, peer);
    const std::uint32_t interest = peer.interest();
    if (interest != peer.watched) poller_.change(peer.socket(), id, interest);
    peer.watched = interest;
    timers_.set(id, peer.deadline());
}

void server::retire(peer_id id, session& peer) {
    const wsolo::ending& how = peer.how_it_ended();
    if (how_.report_each) {
        loop::report_line("end")
            .with("peer", peer.port())
            .with("reason", name_of(how.reason))
            .with("code", static_cast<unsigned>(how.code))
            .with("received", how.handled.messages_accepted())
            .with("handled", how.handled.messages_handled)
            .with("accepted", how.written.frames_accepted())
            .with("written", how.written.frames_written)
            .with("dropped", how.written.frames_dropped)
            .with("partial", how.written.partial_frame ? "yes" : "no");
    }
    ++account_.connections;
    account_.refused += peer.upgraded() ? 0U : 1U;
    account_.received += how.handled.messages_accepted();
    account_.handled += how.handled.messages_handled;
    account_.dropped += how.handled.messages_dropped;
    account_.frames_accepted += how.written.frames_accepted();
    account_.frames_written += how.written.frames_written;
    account_.frames_dropped += how.written.frames_dropped;
    timers_.set(id, wsolo::no_deadline);
    sessions_.erase(id); // closes its socket, which ends the watch
}

void server::on_signal() {
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

void server::end_all() {
    for (auto at = sessions_.begin(); at != sessions_.end();) {
        auto& [id, peer] = *at++;
        peer.cut_off();
        settle(id, peer);
    }
}

} // namespace echo
