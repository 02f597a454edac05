// SPDX-License-Identifier: MIT
#pragma once
// One whole side of a connection after its handshake: reader, writer, inbox, barrier, heartbeat, end and weak handles,
// wired so that replies are sent, failures are answered, healthy peers live, and the end comes within a bound.
//
// The loop, in six lines:
// - readable, and wants.read: receive() what one read brings; its end: end_of_input(); its error: end_of_input(why). In this
//   order also after a hang-up: what is readable first. While wants.read is false look at none of these (take the socket
//   out of the poll set, which tells hang-ups unasked): a receive() then is kept, within handling.max_bytes, or fails (1008).
// - it was made; the schedule hook was called; writable, and wants.write; or wants.deadline has passed: run(), after receive().
// - each answers what is wanted until the next call. finished: destroy it, outside of its callbacks, and close the socket.
//
// Laws of this file:
// - receive(), end_of_input() and run() belong to the loop's thread, one call at a time. Sends, close(), abort() and
//   handle() may be called from any thread.
// - Messages are handled one at a time and in order, by the loop or, with a `Work` hook, by a thread that calls work()
//   (endpoint/detail/message_handling.hpp).
// - What came before a Close, or before a broken rule, or before the stream's end, is answered before it is.
// - The hooks only ask for a turn. Inside one (a scope of `this` in the loop's thread) they leave a mark, and the turn's end
//   does what they ask for: no loop wakes itself. What a turn looks at is set before the turn is asked for.
// - The first thing that went wrong names the end, and on_finished() is told of it once.

#include "../core/limit.hpp"
#include "../sync/detail/plain_atomic.hpp"
#include "../write/init_gate.hpp"
#include "../write/single_writer.hpp"
#include "connection_group.hpp"
#include "detail/cancelled_write.hpp"
#include "detail/compression.hpp"
#include "detail/ending_record.hpp"
#include "detail/extras.hpp"
#include "detail/input_reader.hpp"
#include "detail/lazy_deadline.hpp"
#include "detail/life.hpp"
#include "detail/message_handling.hpp"
#include "detail/received_counts.hpp"
#include "detail/room_notice.hpp"
#include "detail/taken_meter.hpp"
#include "detail/unsent_replies.hpp"
#include "hooks.hpp"
#include "options.hpp"
#include "stream_end.hpp"

#include <optional>

namespace wsolo::inline WSOLO_ABI {

template <class Opening>
class basic_connection;

/// See the file's laws. `Transport` is a transport or a completion_transport that is a `byte_stream`. `Schedule` is called to have
/// run() called soon, from any thread, by several at once. `Handler`: endpoint/hooks.hpp; what it answers, or that it
/// throws (errc::handler_failed), ends the connection; but errc::closed, a send's answer once this side's Close is queued,
/// is no failure. `Side` is server_side or client_side<>. `Work` is called with a weak_handle when work() is owed, once per
/// idle-to-busy transition, from any thread, by several at once. As with Schedule, a result of false refuses.
///
/// The destructor drops what is left: call it when `finished`, or to cut the connection off. It calls no hook and no
/// on_finished, ends the waits for the barrier and the writer, and waits for work() and for what handles have in
/// progress. No other thread may be in a direct call then, and it must not run inside a callback.
template <any_transport Transport, schedule_hook Schedule, class Handler, class Side = server_side,
          class Work = in_the_loop, class Traits = std_blocking_traits>
class endpoint {
    static_assert(byte_stream<Transport>,
                  "an endpoint ends its stream itself: give its transport end_output() and disconnect()");

    struct writer_hook {
        endpoint* self;
        bool operator()() const { return self->wake(self->write_is_due_); }
        [[nodiscard]] const detail::writer_rules& rules() const noexcept { return self->rules_->writing; }
    };
    using anchor = basic_session_anchor<endpoint, Traits>;
    using loop_scope = basic_handler_scope<Traits>;
    template <class T>
    using atomic = typename Traits::template atomic<T>;
    using rate_of = detail::input_rates::kind;
    /// A write in flight ends by itself, and asks for a turn.
    static constexpr bool ends_later = !wsolo::transport<Transport>;
    static constexpr bool handles_here = std::same_as<Work, in_the_loop>;
    using encoder = detail::encoder_for<Handler>;
    using shared_rules = detail::shared_rules<endpoint_options>;
    using handling = detail::message_handling<endpoint, Handler, Traits, handles_here>;
    /// Where the loop handles it also counts what is answered.
    using memory_of_replies = std::conditional_t<handles_here, detail::plain_memory, Traits>;
    template <class Opening>
    friend class basic_connection;
    friend handling;

public:
    static constexpr role self = Side::self; ///< which of the two sides it is
    using writer_type =
        single_writer<Transport, writer_hook, Side, no_observer, Traits, typename encoder::type>;
    using barrier_type = typename handling::barrier_type;
    using inbox_type = typename handling::inbox_type;
    /// Its beats are for a handler that has on_beat().
    using heartbeat_type = basic_heartbeat<detail::may_have_on_beat<Handler>()>;
    using weak_handle = basic_weak_session<endpoint, Traits>;
    using group_type = basic_connection_group<Traits>;

    explicit endpoint(Transport to, Schedule hook, Handler handler, const endpoint_options& options = {},
                      Side side = {}, Work work = {})
        : endpoint(std::move(handler), std::move(hook), std::move(work), options, std::move(to),
                   writer_hook{this}, options.writing, std::move(side)) {}
    /// The writer is born closed, until its init_gate opens (write/init_gate.hpp): `init_gate gate(e.writer())`.
    endpoint(born_gated_t, Transport to, Schedule hook, Handler handler, const endpoint_options& options = {},
             Side side = {}, Work work = {})
        : endpoint(std::move(handler), std::move(hook), std::move(work), options, born_gated, std::move(to),
                   writer_hook{this}, options.writing, std::move(side)) {}

    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;
    ~endpoint() {
        WSOLO_ASSERT(!loop_scope::is_inside(this) && !loop_scope::is_inside(&messages_.numbers()),
                     "an endpoint is destroyed by one of its own callbacks");
        is_going_.store(true, std::memory_order_relaxed);
        abort(errc::aborted);           // a handler that waits for messages, or for room, is told so
        static_cast<void>(out_.pump()); // not but by the writer's end
        anchor_ = {};                   // waits for work(), and for what handles have in progress
    }

    /// Gives out no guard from now on. True: the destructor waits for none either. A loop that has others to serve calls it when
    /// `finished`, and again until it is true. Never waits.
    [[nodiscard]] bool let_go() noexcept { return anchor_.let_go(); }

    // ---- the loop's

    /// Bytes from the peer, which are unmasked in place; they are the caller's again when this returns. Replies are
    /// queued, messages pushed and, without a `Work` hook, handled; what can be written is written. O(n).
    endpoint_wants receive(mutable_bytes received) {
        const time_point now = Traits::clock::now();
        const bool was_quiet = life_.on_received(now);
        {
            const in_the_turn inside(*this);
            take(received, now);
            handle_here();
        }
        return settle(now, was_quiet && is_nothing_due(now));
    }

    /// The transport gives no more bytes. errc::none: the peer ended its direction; if no Close came before, the peer gets a
    /// Close with 1002, after its messages were handled and answered. Otherwise `why` is what broke.
    endpoint_wants end_of_input(errc why = errc::none) {
        const time_point now = Traits::clock::now();
        write_is_due_ = true;
        {
            const in_the_turn inside(*this);
            end_input(why, now);
            handle_here();
        }
        return settle(now);
    }

    /// Call it when the schedule hook asked, when the transport is writable, and at the deadline. A needless call is harmless.
    endpoint_wants run() {
        const time_point now = Traits::clock::now();
        write_is_due_ = true;
        {
            const in_the_turn inside(*this);
            take_rest(now);
            handle_here();
        }
        return settle(now);
    }

    /// Joins the group (or the group of an invitation) from now on until the connection ends; a close_all() begins in this
    /// loop. At most one group. Errors: closed, out_of_memory.
    template <class Group>
        requires std::same_as<typename Group::seat, basic_group_seat<Traits>>
    [[nodiscard]] errc join(Group& group) {
        if (is_finished_) return errc::closed;
        auto seat = group.join(handle());
        if (!seat) return seat.error();
        seat_ = std::move(*seat);
        return errc::none;
    }

    // ---- the handling thread's

    /// Handles what is queued, up to the quantum; what the `Work` hook asks for. One caller at a time gets to it.
    void work()
        requires(!handles_here)
    {
        messages_.handle_some(*this);
    }

    // ---- any thread's: for a handler that takes messages when it wants to (endpoint/conversation.hpp)

    /// The last message that on_message() was given is handled.
    void message_done()
        requires(handling::holds_messages)
    {
        messages_.done(*this);
    }
    /// wants_message() says yes now.
    void want_messages() { messages_.inbox().rouse(); }
    /// A coroutine that was resumed by the writer threw: as a handler that does.
    void fail_messages(errc why) {
        handled().close(why);
        if (!messages_.inbox().close(why))
            static_cast<void>(close(close_code::internal_error, to_string(why)));
    }
    /// The handler takes what is queued, and no more: closes, unless the end has begun.
    void want_no_more_messages() {
        if (messages_.inbox().close()) static_cast<void>(close());
        messages_.inbox().rouse();
    }

    // ---- any thread's: sends

    /// single_writer's functions of these names, with their errors. What a handler sends while it handles counts as a reply:
    /// endpoint_options::max_unsent.
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome on_done = {}) {
        return count(payload.size(), out_.send_text(payload, on_done));
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome on_done = {}) {
        return count(payload.size(), out_.send_binary(payload, on_done));
    }
    /// A received message goes out again as it is: text as text. Errors as send_text's.
    [[nodiscard]] errc send(const message& what, on_outcome on_done = {}) {
        return what.is_text() ? send_text(what.text(), on_done) : send_binary(what.bytes(), on_done);
    }
    [[nodiscard]] errc send(const shared_frame& frame, on_outcome on_done = {}) {
        return count(frame.bytes().size(), out_.send(frame, on_done));
    }
    /// A PING of the application's own. on_pong() tells of its answer. Errors: single_writer::send_ping().
    [[nodiscard]] errc send_ping(const_bytes payload = {}) { return out_.send_ping(payload); }

    /// Begins the closing handshake: what was sent before leaves within `within` (writing.timeouts.drain, unless said). Messages
    /// that the peer sent before it saw this are still handled. A reason that is too long is cut. Errors: single_writer::close().
    [[nodiscard]] errc close(close_code code = close_code::normal, std::string_view reason = {}) {
        return begin_close(out_.close(code, reason));
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason, duration within) {
        return begin_close(out_.close(code, reason, within));
    }
    /// Ends the connection without a Close; what is queued on either side is dropped and counted. how_it_ended() tells `why`,
    /// unless something went wrong before. The first one counts: another one, or one after the end, does nothing.
    void abort(errc why = errc::aborted) {
        if (why == errc::none) why = errc::aborted; // none is for an end in order
        errc before = errc::none;
        if (!aborted_by_.compare_exchange_strong(before, why, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed))
            return;
        out_.abort(why, duration::zero()); // first, so that nothing says goodbye for what follows
        handled().close(why);
        static_cast<void>(messages_.inbox().close(why));
        static_cast<void>(wake(work_is_due_)); // a writer that is over asks for no turn
    }
    /// Has run() called soon.
    void ask_for_turn() { wake_or_abort(); }
    /// For threads that may outlive this: `if (auto live = weak.try_use()) live->send_text(...)`.
    [[nodiscard]] weak_handle handle() const noexcept { return anchor_.handle(); }

    // ---- the parts. The heartbeat and the counters are the loop's.

    [[nodiscard]] writer_type& writer() noexcept { return out_; }                           ///< any thread's
    [[nodiscard]] const inbox_type& messages() const noexcept { return messages_.inbox(); } ///< any thread's
    /// The loop's; nullptr once the end of the stream has begun.
    [[nodiscard]] const heartbeat_type* beat() const noexcept { return life_.beat(); }
    /// Numbers for the received messages: handled().snapshot() marks "all received so far", and waiting for the mark
    /// waits until these are handled (sync/sequence_barrier.hpp).
    [[nodiscard]] barrier_type& handled() noexcept { return messages_.numbers(); }
    [[nodiscard]] Handler& handler() noexcept { return handler_; }
    [[nodiscard]] Transport& transport() noexcept { return out_.connection(); }
    [[nodiscard]] endpoint_counters counters() const noexcept {
        return received_.with(messages_.numbered(), room_.refusals());
    }
    /// Complete once `finished`. The loop's.
    [[nodiscard]] ending how_it_ended() const noexcept {
        return ending_.how(control_frames_, out_.report(), messages().report());
    }

private:
    /// What this thread waited for here would never come: a wait for the writer is told so (would_deadlock).
    struct in_the_turn {
        explicit in_the_turn(endpoint& of) noexcept : writing(of.out_.loop_scope()), whole(&of) {}
        loop_scope writing, whole; // each send looks for the second
    };

    template <class... Writer>
    endpoint(Handler handler, Schedule hook, Work work, const endpoint_options& options, Writer&&... writer)
        : rules_(options),
          life_(options.beating, Traits::clock::now()),
          extras_(options.rate, Traits::clock::now()),
          handler_(std::move(handler)),
          schedule_(std::move(hook)),
          work_(std::move(work)),
          messages_(*this),
          out_(std::forward<Writer>(writer)..., no_observer(), encoder::of(handler_)) {
        detail::check_hooks<Handler, endpoint>();
        const bool has_rules(rules_);
        if (!has_rules) rules_ = shared_rules::of_defaults();
        detail::bound_messages(handler_, options.reading);
        const in_the_turn inside(*this); // the first run() calls hooks: what holds this is not complete
        auto made = anchor::make(*this);
        if (made) anchor_ = std::move(*made);
        if constexpr (requires { handler_.attach(*this); }) handler_.attach(*this);
        if (!made || !has_rules || !extras_.has_its_rates(options.rate)) abort(errc::out_of_memory);
    }

    // ---- asking for turns

    /// Has run() called soon: by this turn's own end where the loop itself asks.
    bool wake(bool& is_due) {
        if (loop_scope::is_inside(this)) return is_due = true;
        return is_going_.load(std::memory_order_relaxed) || detail::ask_for_a_turn(schedule_);
    }
    void wake_or_abort() {
        if (!wake(work_is_due_)) abort(errc::schedule_refused);
    }
    /// False: no thread will come.
    bool ask_for_work() {
        if (is_going_.load(std::memory_order_relaxed)) return false;
        if constexpr (handles_here) {
            return wake(drain_is_due_);
        } else {
            if (!anchor_) return false; // made without memory: there is no handle to come by
            auto call = [this] { return work_(anchor_.handle()); };
            return detail::ask_for_a_turn(call);
        }
    }

    // ---- in

    void take(mutable_bytes received, time_point now) {
        if (life_.is_discarding()) return end().on_discarded(received.size());
        if (!is_in_rate(rate_of::bytes, received.size(), now)) return;
        if (extras_.keeps() || is_held_back()) return keep(received, !is_listening_, now);
        if (const mutable_bytes left = read(received, now); !left.empty()) keep(left, false, now);
    }

    /// Reads until it is held back, or has handled its quantum: what is left.
    mutable_bytes read(mutable_bytes received, time_point now) {
        auto run = messages_.begin_read(rules_->handle_quantum);
        mutable_bytes left;
        const auto meet_all = [&](auto&& found) { left = meet_some(found, run, now); };
        if (!in_.read(detail::bounds_for(handler_, rules_->reading), received, meet_all)) {
            left = {};
            stop_reading(errc::out_of_memory, now);
        }
        if (run.is_used_up() && !left.empty()) work_is_due_ = true; // it has a turn of its own
        has_idle_inbox_ = run.end();
        return left;
    }

    /// The events that may be met now: what is left of the input.
    template <class Events>
    mutable_bytes meet_some(Events& found, typename handling::run_type& run, time_point now) {
        for (const event& each : found) {
            each.kind() == event_kind::message ? deliver(each, run, now) : meet(each, now);
            ending_.blame(messages().error()); // before what follows in this read may be to blame
            if (has_stopped_reading_) break;
            if (is_held_back() || run.is_used_up()) return found.unread();
        }
        static_cast<void>(found.unread()); // none, but after stop_reading()
        return {};
    }

    /// Whether nothing is read now: what was read fills the inbox, or is answered faster than the answers leave.
    [[nodiscard]] bool is_held_back() const noexcept { return messages().is_paused() || are_replies_full(); }

    /// No more than one receive() brings, if the loop listens.
    [[gnu::noinline]] void keep(mutable_bytes bytes, bool is_unasked, time_point now) {
        const bool is_too_much = extras_.kept_size() + bytes.size() > messages().max_bytes();
        const errc error = is_unasked && is_too_much ? errc::inbox_overflow
                           : extras_.keep(bytes)     ? errc::none
                                                     : errc::out_of_memory;
        if (error == errc::none) return;
        extras_.keep_last(0);
        stop_reading(error, now);
    }
    /// What follows is not looked at: there is a gap, or no more is wanted.
    [[gnu::noinline]] void stop_reading(errc why, time_point now) {
        has_stopped_reading_ = true;
        end().on_unreadable(now);
        end_messages();
        owe_end(why);
    }
    /// False: it comes faster than it may, and that was the end of reading.
    bool is_in_rate(rate_of which, std::uint64_t count, time_point now) {
        if (extras_.is_in_rate(which, count, now)) return true;
        stop_reading(errc::rate_exceeded, now);
        return false;
    }

    void take_rest(time_point now) {
        if (!extras_.keeps() || is_held_back()) return;
        extras_.keep_last(read(extras_.kept(), now).size());
        if (!extras_.keeps() && input_is_over_) end_reading();
    }

    [[gnu::noinline]] void meet(const event& found, time_point now) {
        switch (found.kind()) {
        case event_kind::message:
        case event_kind::fragment: return; // not with delivery::messages
        case event_kind::ping: return meet_ping(found, now);
        case event_kind::pong: return meet_pong(found, now);
        case event_kind::peer_close: meet_close(found, now); break;
        case event_kind::failure:
            ending_.blame(found.error());
            end().on_unreadable(now);
            if (!found.owes_reply() && !in_.close_sent()) return abort_output(found.error());
            break;
        }
        owe_close(in_.owed_reply(found), now);
        end_messages();
    }

    void meet_ping(const event& found, time_point now) {
        if (!is_in_rate(rate_of::control_frames, 1, now)) return;
        ++received_.pings;
        if (const auto reply = in_.owed_reply(found)) answer(*reply);
        if constexpr (detail::has_on_ping<Handler, endpoint>)
            guard([&] { handler_.on_ping(*this, found.payload()); });
    }
    void meet_pong(const event& found, time_point now) {
        if (!is_in_rate(rate_of::control_frames, 1, now)) return;
        ++received_.pongs;
        [[maybe_unused]] const std::optional<duration> round_trip =
            life_.beat() != nullptr ? life_.beat()->on_pong(now, found.payload()) : std::nullopt;
        if constexpr (detail::has_on_pong<Handler, endpoint>)
            guard([&] { handler_.on_pong(*this, found.payload(), round_trip); });
    }
    void meet_close(const event& found, time_point now) {
        ending_.peer_closed(found.code());
        end().on_peer_close(now);
        if constexpr (detail::has_on_peer_close<Handler, endpoint>)
            guard([&] { handler_.on_peer_close(*this, found.code(), found.reason()); });
    }

    void deliver(const event& found, typename handling::run_type& run, time_point now) {
        if (!is_in_rate(rate_of::messages, 1, now)) return;
        if constexpr (handling::has_short_road && detail::takes_lent<Handler, endpoint> &&
                      !detail::compresses<Handler>) {
            if (run.can_handle()) { // the usual case on its own
                received_.add(found.is_text(), found.payload().size());
                return messages_.lend(*this, found.is_text(), found.payload(), run);
            }
        }
        deliver_own(found, run, now);
    }
    [[gnu::noinline]] void deliver_own(const event& found, typename handling::run_type& run, time_point now) {
        const_bytes payload = found.payload();
        byte_buffer inflated;
        if (const errc error = detail::inflate(handler_, found, inflated, payload); error != errc::none)
            return error == errc::out_of_memory ? lose(error) : stop_reading(error, now);
        received_.add(found.is_text(), payload.size());
        const errc error = messages_.take(*this, found.is_text(), payload, inflated, run);
        if (error != errc::none && error != errc::closed && error != errc::queue_full) lose(error);
    }
    /// The inbox did not let it in.
    void refuse([[maybe_unused]] message&& refused) {
        if constexpr (detail::has_on_refused<Handler, endpoint>)
            guard([&] { handler_.on_refused(*this, std::move(refused)); });
    }

    /// A message could not be queued, so none after it is. Those before it are handled, unless the inbox says otherwise.
    void lose(errc why) {
        handled().close(why);
        end_messages();
        owe_end(why);
    }

    void end_input(errc why, time_point now) {
        if (input_is_over_) return;
        input_is_over_ = true;
        input_error_ = why;
        end().on_input_over(now);
        if (!extras_.keeps()) end_reading();
        if (why != errc::none) abort_output(why);
    }
    /// The stream is over, and all of it was read.
    void end_reading() {
        if (in_.open()) {
            ending_.blame(input_error_ == errc::none ? errc::connection_lost : input_error_);
            // The other direction can still say what is wrong with that.
            if (input_error_ == errc::none) owe_end(errc::connection_lost);
        }
        end_messages();
    }

    void end_messages() { static_cast<void>(messages_.inbox().close()); } // what was pushed is still handled

    // ---- handling

    void handle_here() {
        if constexpr (handles_here) {
            const bool is_idle = std::exchange(has_idle_inbox_, false);
            if (!std::exchange(drain_is_due_, false) && is_idle) return;
            messages_.handle_some(*this);
        }
    }

    [[nodiscard]] bool wants_messages() {
        if constexpr (handling::is_choosy) {
            if (!handler_.wants_message()) return false;
        }
        return !are_replies_full();
    }

    template <class Call>
    void guard(Call call) {
        if (detail::call_hook(call)) return;
        handled().close(errc::handler_failed);
        end_messages();
        fail(errc::handler_failed);
    }

    // ---- out

    [[nodiscard]] bool are_replies_full() const noexcept { return replies_.is_full(rules_->replies); }
    static void on_mark_passed(void* context, errc) noexcept { // in any thread
        auto& whole = *static_cast<endpoint*>(context);
        whole.replies_.pass_mark(whole.rules_->replies);
    }
    /// Counts what this side's user sent.
    errc count(std::size_t bytes, errc answer) {
        bool awaits_room = false;
        if (answer == errc::none && loop_scope::is_inside(&messages_.numbers())) {
            replies_.add(bytes);
            awaits_room = are_replies_full();
        } else if (answer == errc::queue_full) {
            room_.note_refusal();
            awaits_room = detail::has_on_room<Handler, endpoint>;
        }
        if (awaits_room && out_.queued_frames() == 0) wake_or_abort(); // the loop comes no more by itself
        return answer;
    }

    void answer(const control_frame& reply) {
        const errc error = out_.send(reply);
        if (error == errc::none && reply.op() != opcode::close) ++control_frames_;
        if (error == errc::closed || (error == errc::none && reply.op() == opcode::close))
            return in_.note_close_sent();
        if (error != errc::none) fail(error);
    }

    errc begin_close(errc answer) {
        if (answer == errc::none) is_closing_.store(true, std::memory_order_relaxed);
        return answer;
    }
    /// Ends the connection for a reason of this side's: with a Close that says so, if one can still be sent.
    void fail(errc why) {
        ending_.blame(why);
        const close_code known = close_code_for(why);
        const errc error =
            close(known == close_code::no_status ? close_code::internal_error : known, to_string(why));
        if (error != errc::none && error != errc::closed) abort(why);
    }
    void abort_output(errc why) { out_.abort(why, duration::zero()); }

    /// What came before it is answered before it is (RFC 6455 §5.5.1 lets a Close wait).
    void owe_close(const std::optional<control_frame>& reply, time_point now) {
        if (!reply || owed_end_ != errc::none) return;
        if (!extras_.owe(*reply, deadline_after(now, close_timeout()))) answer(*reply);
    }
    void owe_end(errc why) {
        ending_.blame(why);
        if (owed_end_ == errc::none) owed_end_ = why;
    }
    void answer_close(time_point now) {
        if (owed_end_ != errc::none) owe_by(now);
        if (!extras_.is_close_due(messages_.are_over(), now)) return;
        const auto due = extras_.take_close();
        due.reply ? answer(*due.reply) : close_for(due.error);
    }
    [[gnu::noinline]] void owe_by(time_point now) {
        const bool can_wait = extras_.owe(owed_end_, deadline_after(now, close_timeout()));
        if (!can_wait && !messages_.are_over() && now < told_deadline_.told()) return; // tried again
        const errc why = std::exchange(owed_end_, errc::none);
        if (!can_wait) close_for(why);
    }
    void close_for(errc why) {
        if (why != errc::connection_lost) return fail(why);
        static_cast<void>(close(close_code::protocol_error, "the stream ended without a Close frame"));
    }

    // ---- the turn's end

    /// Whether nothing but a quiet heartbeat and the group waits, for times after what the loop was told last: so it is in most reads.
    [[nodiscard]] bool is_nothing_due(time_point now) const noexcept {
        return now < told_deadline_.told() && awaits_only_life() && is_listening_ && !work_is_due_ &&
               !in_.is_unfinished() && !is_closing_.load(std::memory_order_relaxed) &&
               !messages().is_closed(); // as they are once an end is owed
    }
    [[nodiscard]] bool awaits_only_life() const noexcept { return wait_by_ == no_deadline && life_.beat(); }
    [[gnu::noinline]] void do_what_is_due(time_point now) {
        const in_the_turn inside(*this);
        if (const errc error = messages().error(); error != errc::none) fail(error);
        seat_.tick(now);
        if (!is_listening_) in_.note_not_listening(now);
        if (in_.tick(now) <= now) static_cast<void>(read({}, now));
        keep_alive(now);
        answer_close(now);
    }

    endpoint_wants settle(time_point now, bool is_early = false) {
        if (is_finished_) return {.read = false, .finished = true};
        if (!is_early) do_what_is_due(now);
        pump(now);
        if ((writer_is_over_ || life_.is_gone()) && step_end(now)) return finish();
        work_is_due_ |= std::exchange(drain_is_due_, false);
        if (std::exchange(work_is_due_, false) && !detail::ask_for_a_turn(schedule_)) {
            abort(errc::schedule_refused);
            write_is_due_ = true;
            return settle(now);
        }
        is_listening_ =
            life_.wants_input() && (life_.is_discarding() || (!extras_.keeps() && !is_held_back()));
        if (auto* const beat = life_.beat(); beat != nullptr && !is_listening_) beat->on_not_listening();
        const time_point due = is_early && awaits_only_life() ? told_deadline_.told() : earliest(now);
        return {.read = is_listening_, .write = is_blocked_, .deadline = told_deadline_.tell(due, now)};
    }

    void keep_alive(time_point now) {
        auto* const beat = life_.beat();
        if (beat == nullptr) return;
        if (is_closing_.load(std::memory_order_relaxed)) beat->on_closing();
        if (beat->is_awaiting_pong() && has_peer_taken(now)) beat->on_progress(now);
        const heartbeat_actions due = beat->tick(now);
        if (due.send_ping) {
            const errc error = out_.send_ping(due.ping_payload, {&endpoint::on_ping_told, this});
            if (error == errc::none) ++control_frames_;
            if (error == errc::closed) beat->on_closing();
            if (error != errc::none) beat->on_ping_dropped(now);
        }
        if constexpr (detail::has_on_beat<Handler, endpoint>) {
            if (due.send_beat) guard([&] { handler_.on_beat(*this, due.roll_window); });
        }
        if (due.peer_is_dead) {
            ending_.blame(errc::pong_timeout);
            abort_output(errc::pong_timeout);
        }
    }
    [[nodiscard]] bool has_peer_taken(time_point now) {
        return taken_.has_moved(detail::bytes_taken(out_), out_.min_rate(), now - life_.waiting_since());
    }
    /// Written: in the thread that pumps, which is the loop's. Otherwise the writer is over, in whichever thread.
    static void on_ping_told(void* context, errc outcome) noexcept {
        if (outcome != errc::none) return;
        auto& whole = *static_cast<endpoint*>(context);
        auto* const beat = whole.life_.beat();
        if (beat == nullptr) return;
        whole.taken_.start(detail::bytes_taken(whole.out_));
        beat->on_ping_written(Traits::clock::now());
    }

    void pump(time_point now) {
        if (writer_is_over_) return give_room(true); // a reply may be counted after the last one was written
        if (!std::exchange(write_is_due_, false)) return;
        replies_.mark(rules_->replies, out_, {&endpoint::on_mark_passed, this});
        const pump_result left = out_.pump();
        is_blocked_ = !ends_later && left.status == pump_status::blocked;
        wait_by_ = left.deadline;
        if constexpr (ends_later) bound_cancelled(left.status == pump_status::blocked, now);
        writer_is_over_ = left.status == pump_status::finished;
        // Where other threads send replies what is idle now may not be.
        give_room(writer_is_over_ || (handles_here && left.status == pump_status::idle));
        tell_room();
        if (!writer_is_over_) return;
        const drain_report report = out_.report();
        taken_.start(detail::bytes_taken(out_));
        const end_of_write how = end_as(report);
        how == end_of_write::aborted ? end().on_abort()
                                     : end().on_output_over(how == end_of_write::drained, now);
        ending_.blame(report.reason);
    }
    void give_room(bool is_idle) { // to messages that unsent replies hold back
        if (is_idle || out_.queued_frames() == 0) replies_.clear(rules_->replies);
        if (!replies_.take_room()) return;
        const in_the_turn inside(*this);
        messages_.inbox().rouse();
        work_is_due_ = true; // what was kept is read on
    }

    /// A write that was cancelled and stands all the same is ended by the disconnect(), at once if all is aborted.
    void bound_cancelled(bool is_in_flight, time_point now) {
        const bool stands = is_in_flight && out_.is_write_cancelled();
        if (!cancelled_.note(stands, deadline_after(now, close_timeout()))) return;
        const bool is_aborted = out_.report().reason != errc::none; // nothing else names it before the end
        if (now >= cancelled_.cut_by || is_aborted) end().on_abort();
        wait_by_ = life_.is_gone() ? no_deadline : cancelled_.cut_by;
    }

    void tell_room() {
        if constexpr (detail::has_on_room<Handler, endpoint>) {
            if (!room_.is_back(out_)) return;
            const in_the_turn inside(*this);
            guard([&] { handler_.on_room(*this); });
            write_is_due_ = true; // what it sent
            work_is_due_ = true;
        }
    }

    // ---- the end

    /// For an event of the end, which begins with the first one.
    stream_end& end() noexcept { return life_.end(self, rules_->ending); }
    [[nodiscard]] duration close_timeout() const noexcept {
        return detail::short_duration(rules_->ending.close_timeout).get();
    }

    /// True: it is over.
    [[gnu::noinline]] bool step_end(time_point now) {
        if (const errc why = aborted_by_.load(std::memory_order_acquire);
            why != errc::none && !life_.is_gone()) {
            end().on_abort(); // the writer's own abort says so too, but what is over can't be aborted
            ending_.blame(why);
        }
        const auto handled = static_cast<std::uint32_t>(messages().report().messages_handled);
        const bool handles_on = std::exchange(handled_before_, handled) != handled;
        const bool is_held_up = !is_listening_ && !life_.is_discarding() && extras_.keeps();
        if (life_.is_waiting() && (has_peer_taken(now) || (is_held_up && handles_on))) {
            end().on_progress(now); // a handler that is stuck is no progress
            taken_.start(detail::bytes_taken(out_));
        }
        const end_actions due = end().next(now);
        if (life_.missed_close()) ending_.blame(errc::timed_out);
        if (due.end_output) out_.connection().end_output();
        if (due.disconnect) {
            out_.connection().disconnect();
            const in_the_turn inside(*this);
            input_is_over_ = true;
            if (!extras_.keeps()) end_messages();
            handle_here();
            if (extras_.keeps() && !is_held_back()) work_is_due_ = true; // it still has its turn
        }
        if (!life_.is_gone() || !writer_is_over_) return false; // disconnect() ends a write in flight
        if (messages_.are_over()) return true;
        if (handles_on || wait_by_ == no_deadline) wait_by_ = deadline_after(now, close_timeout());
        if (now < wait_by_) return false;
        ending_.handler_still_runs();
        ending_.blame(errc::timed_out);
        static_cast<void>(messages_.inbox().close(errc::timed_out)); // no more of them
        return true;
    }

    endpoint_wants finish() {
        const in_the_turn inside(*this);
        is_finished_ = true;
        aborted_by_.store(errc::closed, std::memory_order_relaxed); // an abort has nothing to end any more
        const ending how = how_it_ended();
        handled().close(how.reason == errc::none ? errc::closed : how.reason);
        if constexpr (detail::has_on_finished<Handler, endpoint>)
            static_cast<void>(detail::call_hook([&] { handler_.on_finished(*this, how); }));
        seat_.leave(how); // those who wait for the last one go on
        return {.read = false, .finished = true};
    }

    [[nodiscard]] time_point earliest(time_point now) const noexcept {
        time_point first = life_.deadline();
        const auto also = [&](time_point next) { first = next < first ? next : first; };
        also(wait_by_);
        also(in_.deadline());
        also(extras_.close_deadline());
        if (owed_end_ != errc::none) also(deadline_after(now, close_timeout()));
        also(seat_.deadline());
        return first;
    }

    shared_rules rules_; ///< what is the same for other endpoints
    // [[no_unique_address]]: the small ones after each of these lie in its tail padding.
    [[no_unique_address]] detail::life<heartbeat_type> life_;
    errc input_error_ = errc::none;
    bool write_is_due_ = false, work_is_due_ = false;
    std::uint32_t handled_before_ = 0; ///< messages, modulo 2^32
    [[no_unique_address]] detail::input_reader<self> in_;
    bool input_is_over_ : 1 = false, has_stopped_reading_ : 1 = false, is_finished_ : 1 = false;
    bool is_blocked_ : 1 = false, writer_is_over_ : 1 = false;
    bool is_listening_ : 1 = true;   ///< what the loop was told last
    bool has_idle_inbox_ = false;    ///< the last read left nothing in it
    bool drain_is_due_ = false;      ///< of the inbox, by this loop
    atomic<bool> is_closing_{false}; ///< our Close is queued, or about to be
    atomic<bool> is_going_{false};   ///< the destructor runs: no thread is asked
    errc owed_end_ = errc::none;     ///< owed from this turn's end on, or when there is memory for it
    detail::received_counts received_;
    detail::extras extras_;
    time_point wait_by_ = no_deadline; ///< of a write that stands or a shut gate; in the end of the handler
    detail::lazy_deadline told_deadline_;
    [[no_unique_address]] std::conditional_t<ends_later, detail::cancelled_write, detail::whole_writes>
        cancelled_{};
    detail::taken_meter taken_;
    detail::room_notice<Traits> room_;
    [[no_unique_address]] detail::unsent_replies<memory_of_replies> replies_;
    atomic<errc> aborted_by_{errc::none}; ///< why all goes at once: the first abort()'s reason
    std::uint32_t control_frames_ = 0; ///< PINGs and PONGs of its own that the writer accepted, modulo 2^32

    [[no_unique_address]] Handler handler_;
    [[no_unique_address]] Schedule schedule_;
    [[no_unique_address]] Work work_;
    [[no_unique_address]] handling messages_;
    detail::ending_record ending_;
    writer_type out_;
    basic_group_seat<Traits> seat_;
    anchor anchor_; ///< the last, so that nothing goes while work() is inside
};

template <class Transport, class Schedule, class Handler>
endpoint(Transport, Schedule, Handler) -> endpoint<Transport, Schedule, Handler>;

} // namespace wsolo::inline WSOLO_ABI
