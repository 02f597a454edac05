#include "server.hpp"

#include "loop/report.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <memory>
#include <system_error>
#include <vector>

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
    while (!stopping_ || !peers_.empty()) {
        for (const epoll_event& event : poller_.wait(timers_.next())) dispatch(event.data.u64, event.events);
        pump_ready();
        expire();
    }
}

void server::dispatch(peer_id id, std::uint32_t happened) {
    if (id == from_listener) return accept_some();
    if (id == from_signals) return on_signal();
    if (id == from_ready_list) return; // pump_ready() comes next in any case
    const auto found = peers_.find(id);
    if (found == peers_.end()) return;
    found->second->on_event(happened, buffer_);
    settle(*found->second);
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
        const auto made = std::make_shared<connection>(id, std::move(next.socket), next.peer_port, ready_,
                                                       how_, account_.accepted);
        made->watched = EPOLLIN;
        peers_.emplace(id, made);
        settle(*made);
    }
}

void server::pause_accepting() {
    static_cast<void>(poller_.change(listener_.get(), from_listener, EPOLLIN, 0));
    timers_.set(from_listener, steady_clock::now() + accept_pause);
}

void server::pump_ready() {
    ready_.take(due_);
    for (const peer_id id : due_) {
        const auto found = peers_.find(id);
        if (found == peers_.end()) continue;
        found->second->run();
        settle(*found->second);
    }
}

void server::expire() {
    timers_.take_expired(steady_clock::now(), due_);
    for (const peer_id id : due_) {
        if (id == from_signals) {
            end_all();
        } else if (id == from_listener) {
            static_cast<void>(poller_.change(listener_.get(), from_listener, 0, EPOLLIN));
        } else if (const auto found = peers_.find(id); found != peers_.end()) {
            found->second->run();
            settle(*found->second);
        }
    }
}

// ---- from one state to the next

void server::settle(connection& peer) {
    if (peer.was_opened() && !peer.gone() && !std::exchange(peer.is_in_audience, true))
        audience_.add(peer.id(), peers_.at(peer.id())); // from here on the workers see it
    if (!peer.gone() && !poller_.change(peer.socket(), peer.id(), peer.watched, peer.interest()))
        peer.cut_off();
    if (peer.gone()) return retire(peer);
    peer.watched = peer.interest();
    timers_.set(peer.id(), peer.deadline());
}

void server::retire(connection& peer) {
    timers_.set(peer.id(), wsolo::no_deadline);
    if (!peer.was_opened()) {
        report_line("visitor")
            .with("peer", peer.port())
            .with("cause", peer.cause())
            .with("status", peer.status());
        peers_.erase(peer.id());
        return;
    }
    const wsolo::ending how = peer.how_it_ended();
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
    peer.close_socket(); // now, although a worker may hold the connection a little longer
    audience_.remove(peer.id());
    peers_.erase(peer.id());
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
    timers_.set(from_signals, steady_clock::now() + how_.drain_timeout + how_.linger);
    for (const auto& peer : present()) {
        peer->close();
        settle(*peer);
    }
}

void server::end_all() {
    for (const auto& peer : present()) {
        peer->cut_off();
        settle(*peer);
    }
}

std::vector<std::shared_ptr<connection>> server::present() const {
    std::vector<std::shared_ptr<connection>> all;
    all.reserve(peers_.size());
    for (const auto& [id, peer] : peers_) all.push_back(peer);
    return all;
}

} // namespace relay
