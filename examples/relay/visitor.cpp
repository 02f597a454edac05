#include "visitor.hpp"

#include "loop/report.hpp"

#include <sys/epoll.h>

namespace relay {

using loop::report_line;

using std::chrono::steady_clock;
using wsolo::errc;

visitor::visitor(peer_id id, descriptor socket, std::uint16_t port, const options& how)
    : peer(id, std::move(socket), port),
      linger_(how.linger),
      deadline_(steady_clock::now() + how.handshake_timeout) {}

void visitor::on_readable(wsolo::mutable_bytes buffer) {
    const ssize_t count = ::recv(socket(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) { // an answer can still reach a peer that only ended its own direction
        if (phase_ != phase::answering) phase_ = phase::gone;
        return;
    }
    if (phase_ == phase::asking) read_request(buffer.first(static_cast<std::size_t>(count)));
}

void visitor::read_request(wsolo::mutable_bytes received) {
    switch (handshake_.feed(received)) {
    case wsolo::handshake_status::need_more: return;
    case wsolo::handshake_status::failed: return begin_answer(refuse(handshake_.error(), out_));
    case wsolo::handshake_status::complete: break;
    }
    const answer given = route(handshake_.request(), out_);
    if (given.upgraded() && !early_.append(received)) return begin_answer({});
    begin_answer(given);
}

void visitor::begin_answer(answer given) {
    answer_ = given;
    phase_ = given.status == 0 ? phase::gone : phase::answering;
    deadline_ = steady_clock::now() + linger_;
    if (phase_ == phase::answering) write_answer();
}

void visitor::write_answer() {
    wsolo::adapt::posix_socket out(socket());
    while (written_ < out_.size()) {
        const wsolo::const_bytes rest = out_.view().subspan(written_);
        const wsolo::io_result done = out.write({&rest, 1}, deadline_);
        written_ += done.transferred;
        if (done.status == wsolo::io_status::would_block) return;
        if (done.status == wsolo::io_status::failed) {
            phase_ = phase::gone;
            return;
        }
    }
    phase_ = answer_.upgraded() ? phase::upgraded : phase::lingering;
    if (phase_ == phase::lingering) out.finish(wsolo::end_of_write::drained);
}

void visitor::on_writable() {
    if (phase_ == phase::answering) write_answer();
}

void visitor::on_deadline() {
    if (phase_ == phase::asking) return begin_answer(refuse(errc::handshake_timeout, out_));
    phase_ = phase::gone;
}

std::uint32_t visitor::interest() const noexcept { return phase_ == phase::answering ? EPOLLOUT : EPOLLIN; }

void visitor::report() const {
    const errc why = answer_.status == 0 ? errc::connection_lost : answer_.error;
    report_line("visitor")
        .with("peer", port())
        .with("cause", name_of(why))
        .with("status", answer_.status)
        .with("bytes", written_);
}

} // namespace relay
