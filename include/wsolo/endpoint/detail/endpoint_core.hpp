#pragma once
// What an endpoint does in a turn of its loop: input to events, events to replies and messages, messages to the
// handler, then the heartbeat, the writer, and the question whether it is over.
//
// Laws of this file:
// - Everything but wake(), handle_some(), begin_close() and abort() belongs to the loop's thread.
// - Inside a turn the hooks only leave a mark, and the turn's end does what they ask for: no loop wakes itself.
// - The first thing that went wrong names the end.

#include "../../session/reader.hpp"
#include "../../sync/inbox.hpp"
#include "../../sync/sequence_barrier.hpp"
#include "../../write/single_writer.hpp"
#include "../options.hpp"
#include "call_handler.hpp"
#include "ending_record.hpp"
#include "received_item.hpp"

namespace wsolo::inline WSOLO_ABI {

/// The `Work` of an endpoint whose messages are handled in run() and receive(), by the loop itself.
struct in_the_loop {};

namespace detail {

/// `Whole` is the endpoint, which derives from this.
template <class Whole, transport Transport, schedule_hook Schedule, class Handler, class Side, class Work,
          class Traits>
class endpoint_core {
    using loop_scope = basic_handler_scope<Traits>;
    using anchor = basic_session_anchor<Whole, Traits>;

    struct writer_hook {
        endpoint_core* self;
        bool operator()() const { return self->wake(self->write_is_due_); }
    };
    struct inbox_hook {
        endpoint_core* self;
        bool operator()() const { return self->ask_for_work(); }
        void on_resume() const noexcept { self->wake_or_abort(); }
        void on_finished(const inbox_report& report) const noexcept {
            if constexpr (requires { self->handler_.on_messages_over(report.reason); })
                self->handler_.on_messages_over(report.reason);
            self->wake_or_abort();
        }
    };

protected:
    using writer = single_writer<Transport, writer_hook, Side, no_observer, Traits>;
    using barrier = basic_sequence_barrier<Traits>;
    using item = received_item<barrier>;
    using message_inbox = inbox<item, inbox_hook, Traits>;

    static constexpr bool handles_here = std::same_as<Work, in_the_loop>;

    template <class... Gated>
    endpoint_core(Transport connection, Schedule hook, Handler handler, const endpoint_options& options,
                  Side side, Work work, Gated... gated)
        : beat_(options.beating, Traits::clock::now()),
          in_(whole_messages(options.reading)),
          close_timeout_(options.close_timeout),
          handle_quantum_(options.handle_quantum),
          max_unsent_(options.max_unsent),
          handler_(std::move(handler)),
          schedule_(std::move(hook)),
          work_(std::move(work)),
          inbox_(inbox_hook{this}, options.handling),
          out_(gated..., std::move(connection), writer_hook{this}, options.writing, std::move(side)) {
        if constexpr (requires { handler_.attach(whole()); }) handler_.attach(whole());
        auto made = anchor::make(whole());
        if (made) {
            anchor_ = std::move(*made);
        } else {
            abort(errc::out_of_memory);
        }
    }
    endpoint_core(const endpoint_core&) = delete;
    endpoint_core& operator=(const endpoint_core&) = delete;
    ~endpoint_core() {
        handled_.close(errc::aborted); // who waits for messages that will not be handled is told so
        anchor_ = {};                  // waits for work() in progress
    }

    [[nodiscard]] Whole& whole() noexcept { return static_cast<Whole&>(*this); }

    static read_limits whole_messages(read_limits limits) noexcept {
        limits.deliver = delivery::messages;
        return limits;
    }

    endpoint_wants on_bytes(mutable_bytes received) {
        const time_point now = Traits::clock::now();
        beat_.on_received(now);
        {
            const loop_scope inside(this);
            take(received, now);
            handle_here();
        }
        return settle(now);
    }

    endpoint_wants on_end(errc why) {
        const time_point now = Traits::clock::now();
        write_is_due_ = true;
        {
            const loop_scope inside(this);
            end_input(why);
            handle_here();
        }
        return settle(now);
    }

    endpoint_wants on_turn() {
        const time_point now = Traits::clock::now();
        write_is_due_ = true;
        {
            const loop_scope inside(this);
            take_rest(now);
            handle_here();
        }
        return settle(now);
    }

    errc begin_close(close_code code, std::string_view reason) {
        const errc error = out_.close(code, reason);
        if (error != errc::none) return error;
        end_.note_close(code);
        end_.count_control();
        return errc::none;
    }

    void abort(errc why) {
        out_.abort(why, duration::zero()); // first, so that nothing says goodbye for what follows
        handled_.close(why);
        static_cast<void>(inbox_.close(why));
    }

    /// Has what is queued handled, if there is something.
    void ask_again() {
        if (inbox_.wants_drain() && !ask_for_work()) abort(errc::schedule_refused);
    }

    void handle_some() {
        const auto handle = [this](item&& next) {
            errc error = errc::none;
            {
                [[maybe_unused]] const auto numbered = handled_.handle(next.take_ticket());
                error = call_handler(handler_, whole(), next.take_message());
            }
            if (error == errc::none || error == errc::closed) return errc::none;
            handled_.close(error);
            return error;
        };
        if constexpr (requires { handler_.wants_message(); }) {
            for (std::uint32_t left = handle_quantum_; left != 0 && may_hand_out(); --left)
                static_cast<void>(inbox_.drain(handle, 1));
        } else {
            static_cast<void>(inbox_.drain(handle, handle_quantum_));
        }
    }

    /// Of a handler that takes messages when it wants to: whether drain() has something to do.
    [[nodiscard]] bool may_hand_out() const noexcept {
        return inbox_.wants_drain() &&
               (handler_.wants_message() || inbox_.queued_messages() == 0 || !inbox_.report().clean());
    }

    heartbeat beat_;
    basic_reader<Side::self> in_;
    byte_buffer rest_; ///< bytes behind a pause
    ending_record<Traits> end_;
    time_point write_deadline_ = no_deadline;
    time_point give_up_at_ = no_deadline;
    time_point close_by_ = no_deadline; ///< while owed_close_ waits for the messages before it
    std::optional<control_frame> owed_close_;
    const std::chrono::milliseconds close_timeout_;
    const std::uint32_t handle_quantum_;
    const std::size_t max_unsent_;
    bool write_is_due_ = false;
    bool work_is_due_ = false;
    bool is_blocked_ = false;
    bool writer_is_over_ = false;
    bool input_is_over_ = false;
    bool is_finished_ = false;

    Handler handler_;
    [[no_unique_address]] Schedule schedule_;
    [[no_unique_address]] Work work_;
    barrier handled_;
    message_inbox inbox_;
    writer out_;
    anchor anchor_; ///< the last, so that nothing goes while work() is inside

private:
    // ---- in

    void take(mutable_bytes received, time_point now) {
        if (!rest_.empty() || inbox_.paused()) return keep(received);
        auto found = in_.read(received);
        for (const event& each : found) {
            meet(each, now);
            if (inbox_.paused()) return keep(found.unread());
        }
        if (!in_.open() || input_is_over_) end_messages();
    }

    /// What came before the pause was heard of: no more than one receive() brings, if the loop listens.
    void keep(mutable_bytes bytes) {
        if (!rest_.append(bytes)) fail(errc::out_of_memory);
    }

    void take_rest(time_point now) {
        if (rest_.empty() || inbox_.paused()) return;
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
            end_.note_close(found.code());
            break;
        }
        // What came before it is answered before it is (RFC 6455 §5.5.1 lets a Close wait).
        owed_close_ = found.owed_reply();
        close_by_ = deadline_after(now, close_timeout_);
    }

    void answer_close(time_point now) {
        if (!owed_close_ || (!inbox_.finished() && now < close_by_)) return;
        answer(*owed_close_);
        owed_close_.reset();
    }

    void answer(const control_frame& reply) {
        const errc error = out_.send(reply);
        if (error == errc::none) end_.count_control();
        if (reply.op() == opcode::close || error == errc::closed) return in_.note_close_sent();
        if (error != errc::none) fail(error);
    }

    void deliver(const event& found) {
        byte_buffer bytes;
        if (!bytes.append(found.payload())) return fail(errc::out_of_memory);
        const std::size_t size = bytes.size();
        const inbox_push pushed = inbox_.push({message(found.is_text(), std::move(bytes)), handled_}, size);
        if (pushed.error == errc::none || pushed.error == errc::queue_full || pushed.error == errc::closed)
            return;
        handled_.close(pushed.error);
        fail(pushed.error);
    }

    void end_input(errc why) {
        if (std::exchange(input_is_over_, true)) return;
        if (in_.open() && !in_.peer_closed()) {
            end_.blame(why == errc::none ? errc::connection_lost : why);
            if (why != errc::none) {
                out_.abort(why);
            } else { // only one direction is over, so the other can still say what is wrong with that
                static_cast<void>(
                    begin_close(close_code::protocol_error, "the stream ended without a Close frame"));
            }
        }
        if (rest_.empty()) end_messages();
    }

    /// Nothing more will be pushed; what was is still handled.
    void end_messages() { static_cast<void>(inbox_.close()); }

    // ---- handling

    bool ask_for_work() {
        if constexpr (handles_here) {
            return wake(work_is_due_);
        } else {
            auto call = [this] { return work_(anchor_.handle()); };
            return ask_for_a_turn(call);
        }
    }

    void handle_here() {
        if constexpr (handles_here) {
            work_is_due_ = false;
            handle_some();
        }
    }

    // ---- the loop's turn

    /// Has run() called soon: by this turn's own end where the loop itself asks.
    bool wake(bool& is_due) {
        if (loop_scope::is_inside(this)) return is_due = true;
        return ask_for_a_turn(schedule_);
    }
    void wake_or_abort() {
        if (!wake(work_is_due_)) abort(errc::schedule_refused);
    }

    void keep_alive(time_point now) {
        if (end_.close_noted() || !in_.open() || input_is_over_) beat_.on_closing();
        const heartbeat_actions due = beat_.tick(now);
        if (due.send_ping) {
            const errc error = out_.send_ping({}, {&endpoint_core::on_ping_told, this});
            if (error == errc::none) end_.count_control();
            if (error == errc::closed) beat_.on_closing();
            if (error != errc::none) beat_.on_ping_dropped(now);
        }
        if constexpr (requires { handler_.on_beat(whole(), due.roll_window); }) {
            if (due.send_beat) handler_.on_beat(whole(), due.roll_window);
        }
        if (due.peer_is_dead) {
            end_.blame(errc::pong_timeout);
            out_.abort(errc::pong_timeout, duration::zero());
        }
    }

    /// In the thread that pumps, which is the loop's.
    static void on_ping_told(void* context, errc outcome) noexcept {
        auto& self = *static_cast<endpoint_core*>(context);
        const time_point now = Traits::clock::now();
        if (outcome == errc::none) {
            self.beat_.on_ping_written(now);
        } else {
            self.beat_.on_ping_dropped(now);
        }
    }

    void pump(time_point now) {
        if (writer_is_over_ || !std::exchange(write_is_due_, false)) return;
        const pump_result left = out_.pump();
        is_blocked_ = left.status == pump_status::blocked;
        write_deadline_ = is_blocked_ ? left.deadline : no_deadline;
        if (left.status != pump_status::finished) return;
        writer_is_over_ = true;
        give_up_at_ = deadline_after(now, close_timeout_);
    }

    endpoint_wants settle(time_point now) {
        if (is_finished_) return {.read = false, .finished = true};
        {
            const loop_scope inside(this);
            if (const errc error = inbox_.report().reason; error != errc::none) fail(error);
            keep_alive(now);
            answer_close(now);
        }
        pump(now);
        if (is_input_over(now)) end_here();
        if (writer_is_over_ && input_is_over_ && inbox_.finished()) return finish();
        if (std::exchange(work_is_due_, false) && !ask_for_a_turn(schedule_)) {
            abort(errc::schedule_refused);
            write_is_due_ = true;
            return settle(now);
        }
        const bool may_read = rest_.empty() && !inbox_.paused() && out_.queued_bytes() <= max_unsent_;
        return {.read = !input_is_over_ && may_read, .write = is_blocked_, .deadline = earliest()};
    }

    // ---- the end

    /// Ends the connection for a reason of this side's: with a Close that says so, if one can still be sent.
    void fail(errc why) {
        end_.blame(why);
        const close_code known = close_code_for(why);
        static_cast<void>(
            begin_close(known == close_code::no_status ? close_code::internal_error : known, to_string(why)));
    }

    /// Whether the writer is over, and nothing more is to be expected of the peer.
    bool is_input_over(time_point now) {
        if (!writer_is_over_) return false;
        if (input_is_over_ || in_.peer_closed() || !out_.report().clean()) return true;
        if (now < give_up_at_) return false;
        end_.blame(errc::timed_out); // no answer to our Close
        return true;
    }

    void end_here() {
        const loop_scope inside(this);
        input_is_over_ = true;
        if (rest_.empty()) end_messages();
        handle_here();
    }

    endpoint_wants finish() {
        is_finished_ = true;
        const ending& how = end_.finish(out_.report(), inbox_.report());
        handled_.close(how.reason == errc::none ? errc::closed : how.reason);
        if constexpr (requires { handler_.on_finished(whole(), how); }) handler_.on_finished(whole(), how);
        return {.read = false, .finished = true};
    }

    [[nodiscard]] time_point earliest() const noexcept {
        time_point first = beat_.deadline() < write_deadline_ ? beat_.deadline() : write_deadline_;
        if (writer_is_over_ && !input_is_over_ && give_up_at_ < first) first = give_up_at_;
        if (owed_close_ && close_by_ < first) first = close_by_;
        return first;
    }
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
