#include "server.hpp"

#include "loop/report.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

namespace relay {

using loop::accept_status;
using loop::accepted;
using loop::report_line;
namespace {

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

void server::run() {
    while (!stopping_ || !connections_.empty()) {
        for (const epoll_event& event : poller_.wait(timers_.next())) dispatch(event.data.u64, event.events);
        pump_ready();
        expire();
    }
}

void server::dispatch(peer_id id, std::uint32_t happened) {
    if (id == from_listener) return accept_some();
    if (id == from_signals) return on_signal();
    if (id == from_ready_list) return; // pump_ready() comes next in any case
    const bool broken = (happened & (EPOLLERR | EPOLLHUP)) != 0;
    const bool readable = broken || (happened & EPOLLIN) != 0;
    const bool writable = broken || (happened & EPOLLOUT) != 0;
    if (const auto peer = connections_.find(id)) {
        if ((happened & EPOLLIN) != 0) {
            peer->on_readable(buffer_); // which also finds what broke
        } else if (broken) {
            peer->on_broken();
        }
        if ((happened & EPOLLOUT) != 0) peer->run();
        settle(*peer);
    } else if (const auto found = visitors_.find(id); found != visitors_.end()) {
        if (writable) found->second.on_writable();
        if (readable) found->second.on_readable(buffer_);
        settle(found->second);
    }
}

void server::accept_some() {
    for (int i = 0; i < accepts_per_turn && !stopping_; ++i) {
        accepted next = listener_.accept(SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (next.status == accept_status::none_waiting) return;
        if (next.status == accept_status::stuck) return pause_accepting();
        if (next.status == accept_status::refused) report_line("refused").with("cause", "no_descriptor");
        if (next.status != accept_status::accepted) continue;
        const peer_id id = next_id_++;
        if (!poller_.watch(next.socket.get(), id, EPOLLIN)) continue;
        visitor& added =
            visitors_.try_emplace(id, id, std::move(next.socket), next.peer_port, how_).first->second;
        added.watched = EPOLLIN;
        timers_.set(id, added.deadline());
    }
}

void server::pause_accepting() {
    poller_.change(listener_.get(), from_listener, 0);
    timers_.set(from_listener, steady_clock::now() + accept_pause);
}

void server::pump_ready() {
    ready_.take(due_);
    for (const peer_id id : due_) {
        const auto peer = connections_.find(id);
        if (peer == nullptr) continue;
        peer->run();
        settle(*peer);
    }
}

void server::expire() {
    timers_.take_expired(steady_clock::now(), due_);
    for (const peer_id id : due_) {
        if (id == from_signals) {
            end_all();
        } else if (id == from_listener) {
            poller_.change(listener_.get(), from_listener, EPOLLIN);
        } else if (const auto peer = connections_.find(id)) {
            peer->run();
            settle(*peer);
        } else if (const auto found = visitors_.find(id); found != visitors_.end()) {
            found->second.on_deadline();
            settle(found->second);
        }
    }
}

// ---- from one state to the next

template <class Peer>
void server::watch(Peer& peer) {
    const std::uint32_t interest = peer.interest();
    if (interest != peer.watched) poller_.change(peer.socket(), peer.id(), interest);
    peer.watched = interest;
    timers_.set(peer.id(), peer.deadline());
}

void server::settle(visitor& peer) {
    if (peer.upgraded()) return promote(peer);
    if (!peer.gone()) return watch(peer);
    peer.report();
    timers_.set(peer.id(), wsolo::no_deadline);
    visitors_.erase(peer.id()); // closes its socket, which ends the watch
}

void server::promote(visitor& from) {
    const peer_id id = from.id();
    const auto made =
        std::make_shared<connection>(id, from.take_socket(), from.port(), ready_, how_, account_.accepted);
    made->watched = from.watched;
    made->take(from.early_bytes());
    visitors_.erase(id);
    connections_.add(id, made); // from here on the workers see it
    settle(*made);
}

void server::settle(connection& peer) {
    if (peer.gone()) return retire(peer);
    watch(peer);
}

void server::retire(connection& peer) {
    const wsolo::ending& how = peer.how_it_ended();
    const wsolo::drain_report& report = how.written;
    report_line("end")
        .with("peer", peer.port())
        .with("cause", peer.cause())
        .with("code", static_cast<unsigned>(how.code))
        .with("accepted", report.frames_accepted())
        .with("written", report.frames_written)
        .with("dropped", report.frames_dropped)
        .with("replaced", report.pongs_replaced)
        .with("bytes_written", report.bytes_written)
        .with("bytes_dropped", report.bytes_dropped)
        .with("partial", report.partial_frame ? "yes" : "no")
        .with("reason", name_of(report.reason))
        .with("writes", peer.write_calls());
    ++account_.connections;
    account_.accepted += how.control_frames;
    account_.written += report.frames_written;
    account_.dropped += report.frames_dropped;
    account_.replaced += report.pongs_replaced;
    account_.write_calls += peer.write_calls();
    timers_.set(peer.id(), wsolo::no_deadline);
    peer.close_socket(); // now, although a worker may hold the connection a little longer
    connections_.remove(peer.id());
}

// ---- the end

void server::on_signal() {
    while (signals_.take()) {
        if (stopping_) {
            end_all();
        } else {
            begin_stop();
        }
    }
}

void server::begin_stop() {
    stopping_ = true;
    listener_.close();
    timers_.set(from_listener, wsolo::no_deadline);
    for (const auto& [id, visiting] : visitors_) timers_.set(id, wsolo::no_deadline);
    visitors_.clear();
    timers_.set(from_signals, steady_clock::now() + how_.drain_timeout + how_.linger);
    std::vector<std::shared_ptr<connection>> open;
    connections_.copy_to(open);
    for (const auto& peer : open) {
        peer->close();
        settle(*peer);
    }
}

void server::end_all() {
    std::vector<std::shared_ptr<connection>> left;
    connections_.copy_to(left);
    for (const auto& peer : left) {
        peer->cut_off();
        settle(*peer);
    }
}

} // namespace relay
