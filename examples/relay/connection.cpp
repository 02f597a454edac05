#include "connection.hpp"

#include <sys/epoll.h>

namespace relay {

using std::chrono::steady_clock;
using wsolo::close_code;
using wsolo::errc;
using wsolo::event_kind;

connection::connection(peer_id id, descriptor socket, std::uint16_t port, ready_list& ready,
                       const options& how, std::atomic<std::uint64_t>& accepted)
    : peer(id, std::move(socket), port),
      accepted_(accepted),
      in_(read_limits_of(how)),
      out_(counted_socket(this->socket(), write_calls_), wake_loop{&ready, id}, writer_options_of(how)),
      linger_(how.linger) {}

wsolo::writer_options connection::writer_options_of(const options& how) {
    wsolo::writer_options chosen;
    chosen.limits.max_bytes = how.max_queue;
    chosen.timeouts.write = how.write_timeout;
    chosen.timeouts.drain = how.drain_timeout;
    return chosen;
}

wsolo::read_limits connection::read_limits_of(const options& how) {
    const std::size_t longest = how.max_queue / 2; // so that its echo fits the queue
    return {.max_frame_size = longest, .max_message_size = longest};
}

// ---- in

void connection::on_readable(wsolo::mutable_bytes buffer) {
    const ssize_t count = ::recv(socket(), buffer.data(), buffer.size(), 0);
    if (count > 0) return take(buffer.first(static_cast<std::size_t>(count)));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    input_over_ = true;
    if (count < 0) return abort(errc::connection_lost);
    if (in_.peer_closed()) return;
    // Only one direction is over, so the other can still say what is wrong with that (RFC 6455 §7.1.1).
    const std::string_view cause = name_of(in_.end_of_input());
    close(close_code::protocol_error, "the stream ended without a Close frame", cause);
}

void connection::take(wsolo::mutable_bytes received) {
    for (const wsolo::event& event : in_.read(received)) handle(event);
}

void connection::handle(const wsolo::event& event) {
    if (const auto reply = event.owed_reply()) queue(*reply);
    switch (event.kind()) {
    case event_kind::message: return echo(event);
    case event_kind::peer_close: return note("peer_close", event.code());
    case event_kind::failure:
        note(name_of(event.error()), event.code());
        if (!event.owes_reply() && !in_.close_sent()) abort(event.error());
        return;
    case event_kind::fragment:
    case event_kind::ping:
    case event_kind::pong: return;
    }
}

void connection::echo(const wsolo::event& message) {
    const bool done = message.is_text() ? count(out_.send_text("echo: " + message.copy_text()))
                                        : count(out_.send_binary(message.payload()));
    // What can't be answered is not dropped in silence: a peer that sends faster than it reads is told.
    if (!done) close(close_code::try_again_later, "too much is waiting for you", name_of(errc::queue_full));
}

// ---- out

void connection::queue(const wsolo::control_frame& reply) {
    const errc error = out_.send(reply);
    if (count(error)) {
        if (reply.op() == wsolo::opcode::close) in_.note_close_sent();
    } else if (error != errc::closed) {
        abort(error);
    }
}

void connection::close(close_code code, std::string_view reason, std::string_view cause) {
    if (!count(out_.close(code, reason))) return; // closed before, which then is the cause
    in_.note_close_sent();
    note(cause, code);
}

void connection::abort(errc why) {
    note(name_of(why));
    out_.abort(why);
    pump();
}

void connection::cut_off() {
    input_over_ = true;
    ::shutdown(socket(), SHUT_RDWR); // a frame that is half written is waited for otherwise
    abort(errc::drain_timed_out);
}

void connection::pump() {
    const wsolo::pump_result result = out_.pump();
    parked_ = result.status == wsolo::pump_status::blocked;
    if (result.status != wsolo::pump_status::finished) {
        deadline_ = parked_ ? result.deadline : wsolo::no_deadline;
    } else if (!writer_over_) {
        writer_over_ = true;
        deadline_ = steady_clock::now() + linger_; // for the peer's Close, and for what it had sent before
        note(name_of(out_.report().reason));
    }
}

void connection::on_broken() {
    if (input_over_) abort(errc::connection_lost); // otherwise the next recv says what happened
}

void connection::on_deadline() {
    if (writer_over_) {
        input_over_ = true;
    } else {
        pump();
    }
}

// ---- the end

bool connection::gone() const {
    return writer_over_ && (input_over_ || in_.peer_closed() || !out_.report().clean());
}

std::uint32_t connection::interest() const noexcept {
    return (input_over_ ? 0U : EPOLLIN) | (parked_ ? EPOLLOUT : 0U);
}

bool connection::count(errc answer) noexcept {
    if (answer != errc::none) return false;
    accepted_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

void connection::note(std::string_view cause, close_code code) {
    if (ending_.cause.empty()) ending_ = {cause, code};
}

} // namespace relay
