#pragma once
// What an endpoint does in a turn of its loop: input to events, events to replies and messages, then the handler, the
// heartbeat, the writer, and the question whether it is over.
//
// Laws of this file:
// - Everything here belongs to the loop's thread.
// - What came before a Close, or before a broken rule, is answered before it is.
// - The first thing that went wrong names the end.

#include "endpoint_parts.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

template <class Whole, transport Transport, schedule_hook Schedule, class Handler, class Side, class Work,
          class Traits>
class endpoint_turn : protected endpoint_parts<Whole, Transport, Schedule, Handler, Side, Work, Traits> {
protected:
    using parts = endpoint_parts<Whole, Transport, Schedule, Handler, Side, Work, Traits>;
    using parts::beat_;
    using parts::close_by_;
    using parts::close_timeout_;
    using parts::end_;
    using parts::give_up_at_;
    using parts::handled_;
    using parts::handler_;
    using parts::in_;
    using parts::inbox_;
    using parts::input_is_over_;
    using parts::is_blocked_;
    using parts::is_closing_;
    using parts::is_finished_;
    using parts::is_listening_;
    using parts::max_unsent_;
    using parts::max_unsent_frames_;
    using parts::messages_are_over_;
    using parts::out_;
    using parts::owed_close_;
    using parts::parts;
    using parts::rest_;
    using parts::schedule_;
    using parts::work_is_due_;
    using parts::write_deadline_;
    using parts::write_is_due_;
    using parts::writer_is_over_;
    using typename parts::in_the_turn;

    endpoint_wants on_bytes(mutable_bytes received) {
        const time_point now = Traits::clock::now();
        beat_.on_received(now);
        {
            const in_the_turn inside(*this);
            if (!input_is_over_) take(received, now);
            handle_here();
        }
        return settle(now);
    }

    endpoint_wants on_end(errc why) {
        const time_point now = Traits::clock::now();
        write_is_due_ = true;
        {
            const in_the_turn inside(*this);
            end_input(why);
            handle_here();
        }
        return settle(now);
    }

    endpoint_wants on_turn() {
        const time_point now = Traits::clock::now();
        write_is_due_ = true;
        {
            const in_the_turn inside(*this);
            take_rest(now);
            handle_here();
        }
        return settle(now);
    }

private:
    // ---- in

    void take(mutable_bytes received, time_point now) {
        if (!rest_.empty() || inbox_.is_paused()) return keep(received);
        auto found = in_.read(received);
        for (const event& each : found) {
            meet(each, now);
            if (inbox_.is_paused()) return keep(found.unread());
        }
        if (!in_.open() || input_is_over_) end_messages();
    }

    /// What came before the pause was heard of: no more than one receive() brings, if the loop listens.
    void keep(mutable_bytes bytes) {
        if (rest_.append(bytes)) return;
        fail(errc::out_of_memory);
        input_is_over_ = true; // behind a gap nothing is a frame
        if (rest_.empty()) end_messages();
    }

    void take_rest(time_point now) {
        if (rest_.empty() || inbox_.is_paused()) return;
        byte_buffer rest = std::move(rest_);
        take(rest.view(), now);
    }

    void meet(const event& found, time_point now) {
        switch (found.kind()) {
        case event_kind::message: return deliver(found);
        case event_kind::fragment: return; // not with delivery::messages
        case event_kind::ping:
            if (const auto reply = found.owed_reply()) answer(*reply);
            return;
        case event_kind::pong: return beat_.on_pong(now);
        case event_kind::peer_close: end_.peer_closed(found.code()); break;
        case event_kind::failure:
            end_.blame(found.error());
            if (!found.owes_reply() && !in_.close_sent()) return out_.abort(found.error());
            break;
        }
        // What came before it is answered before it is (RFC 6455 §5.5.1 lets a Close wait).
        owed_close_ = found.owed_reply();
        close_by_ = deadline_after(now, close_timeout_);
    }

    void answer_close(time_point now) {
        if (!owed_close_ || (!messages_are_over() && now < close_by_)) return;
        answer(*owed_close_);
        owed_close_.reset();
    }

    void answer(const control_frame& reply) {
        const errc error = out_.send(reply);
        if (error == errc::none && reply.op() != opcode::close) end_.count_control();
        if (error == errc::closed || (error == errc::none && reply.op() == opcode::close))
            return in_.note_close_sent();
        if (error != errc::none) fail(error);
    }

    /// No handler runs, or ever will.
    [[nodiscard]] bool messages_are_over() const noexcept {
        return messages_are_over_.load(std::memory_order_acquire);
    }

    void deliver(const event& found) {
        byte_buffer bytes;
        if (!bytes.append(found.payload())) return lose(errc::out_of_memory);
        const std::size_t size = bytes.size();
        typename parts::item next(message(found.is_text(), std::move(bytes)), handled_);
        const errc refused = inbox_.push(std::move(next), size).error;
        if (refused == errc::none) return;
        next.abandon();
        if (refused == errc::closed) return;
        if (refused != errc::queue_full) return lose(refused);
        if constexpr (requires { handler_.on_refused(this->whole(), next.take_message()); }) {
            if (!call_hook([&] { handler_.on_refused(this->whole(), next.take_message()); }))
                lose(errc::handler_failed);
        }
    }

    /// A message could not be queued, so none behind it is; those before it are still handled, unless the inbox
    /// itself says otherwise.
    void lose(errc why) {
        handled_.close(why);
        end_messages();
        fail(why);
    }

    void end_input(errc why) {
        if (std::exchange(input_is_over_, true)) return;
        if (in_.open() && !in_.peer_closed()) {
            end_.blame(why == errc::none ? errc::connection_lost : why);
            if (why != errc::none) {
                out_.abort(why);
            } else { // only one direction is over, so the other can still say what is wrong with that
                this->close_or_abort(close_code::protocol_error, "the stream ended without a Close frame",
                                     errc::connection_lost);
            }
        }
        if (rest_.empty()) end_messages();
    }

    /// Nothing more will be pushed; what was is still handled.
    void end_messages() { static_cast<void>(inbox_.close()); }

    // ---- handling

    void handle_here() {
        if constexpr (parts::handles_here) {
            work_is_due_ = false;
            this->handle_some();
        }
    }

    // ---- the turn's end

    /// Ends the connection for a reason of this side's: with a Close that says so, if one can still be sent.
    void fail(errc why) {
        end_.blame(why);
        const close_code known = close_code_for(why);
        this->close_or_abort(known == close_code::no_status ? close_code::internal_error : known,
                             to_string(why), why);
    }

    void keep_alive(time_point now) {
        if (is_closing_.load(std::memory_order_relaxed) || !in_.open() || input_is_over_) beat_.on_closing();
        if (!is_listening_) beat_.on_not_listening(now);
        const heartbeat_actions due = beat_.tick(now);
        if (due.send_ping) {
            const errc error = out_.send_ping({}, {&endpoint_turn::on_ping_told, this});
            if (error == errc::none) end_.count_control();
            if (error == errc::closed) beat_.on_closing();
            if (error != errc::none) beat_.on_ping_dropped(now);
        }
        if constexpr (requires { handler_.on_beat(this->whole(), due.roll_window); }) {
            if (due.send_beat && !call_hook([&] { handler_.on_beat(this->whole(), due.roll_window); }))
                lose(errc::handler_failed);
        }
        if (due.peer_is_dead) {
            end_.blame(errc::pong_timeout);
            out_.abort(errc::pong_timeout, duration::zero());
        }
    }

    /// Written: in the thread that pumps, which is the loop's. Otherwise the writer is over, in whichever thread.
    static void on_ping_told(void* context, errc outcome) noexcept {
        if (outcome == errc::none)
            static_cast<endpoint_turn*>(context)->beat_.on_ping_written(Traits::clock::now());
    }

    void pump(time_point now) {
        if (writer_is_over_ || !std::exchange(write_is_due_, false)) return;
        const pump_result left = out_.pump();
        is_blocked_ = left.status == pump_status::blocked;
        write_deadline_ = left.deadline; // of a write that stands, or of a gate that is shut
        if (left.status != pump_status::finished) return;
        writer_is_over_ = true;
        give_up_at_ = deadline_after(now, close_timeout_);
    }

    endpoint_wants settle(time_point now) {
        if (is_finished_) return {.read = false, .finished = true};
        {
            const in_the_turn inside(*this);
            if (const errc error = inbox_.report().reason; error != errc::none) fail(error);
            keep_alive(now);
            answer_close(now);
        }
        pump(now);
        if (is_input_over(now)) end_here();
        if (writer_is_over_ && input_is_over_ && messages_are_over()) return finish();
        if (std::exchange(work_is_due_, false) && !ask_for_a_turn(schedule_)) {
            this->abort(errc::schedule_refused);
            write_is_due_ = true;
            return settle(now);
        }
        is_listening_ = !input_is_over_ && rest_.empty() && !inbox_.is_paused() && !has_much_unsent();
        return {.read = is_listening_, .write = is_blocked_, .deadline = earliest()};
    }

    [[nodiscard]] bool has_much_unsent() const noexcept {
        return out_.queued_bytes() > max_unsent_ || out_.queued_frames() > max_unsent_frames_;
    }

    // ---- the end

    /// Whether the writer is over, and nothing more is to be expected of the peer.
    bool is_input_over(time_point now) {
        if (!writer_is_over_) return false;
        if (input_is_over_ || in_.peer_closed() || !out_.report().is_clean()) return true;
        if (now < give_up_at_) return false;
        end_.blame(errc::timed_out); // no answer to our Close
        return true;
    }

    void end_here() {
        const in_the_turn inside(*this);
        input_is_over_ = true;
        if (rest_.empty()) end_messages();
        handle_here();
        // What stands behind a pause still has its turn; the mark that asked for one is gone with handle_here().
        if (!rest_.empty() && !inbox_.is_paused()) work_is_due_ = true;
    }

    endpoint_wants finish() {
        const in_the_turn inside(*this);
        is_finished_ = true;
        const ending& how = end_.finish(out_.report(), inbox_.report());
        handled_.close(how.reason == errc::none ? errc::closed : how.reason);
        if constexpr (requires { handler_.on_finished(this->whole(), how); })
            static_cast<void>(
                call_hook([&] { handler_.on_finished(this->whole(), how); })); // it is over anyway
        return {.read = false, .finished = true};
    }

    [[nodiscard]] time_point earliest() const noexcept {
        time_point first = beat_.deadline() < write_deadline_ ? beat_.deadline() : write_deadline_;
        if (writer_is_over_ && !input_is_over_ && give_up_at_ < first) first = give_up_at_;
        if (owed_close_ && close_by_ < first) first = close_by_;
        return first;
    }
};

} // namespace wsolo::inline WSOLO_ABI::detail
