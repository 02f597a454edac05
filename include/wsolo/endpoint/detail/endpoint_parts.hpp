#pragma once
// What an endpoint is made of, and what may be asked of it from any thread: close, abort, handling, and a turn of its
// loop.
//
// Laws of this file:
// - The hooks only ask for a turn. Inside one (a scope of `this` in the loop's thread) they leave a mark, and the turn's
//   end does what they ask for: no loop wakes itself.
// - What a turn looks at is set before the turn is asked for: the loop may come at once.
// - What the handler answers ends the connection or does not; it never unwinds a loop.

#include "../../core/limit.hpp"
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
class endpoint_parts {
    using anchor = basic_session_anchor<Whole, Traits>;

    struct writer_hook {
        endpoint_parts* self;
        bool operator()() const { return self->wake(self->write_is_due_); }
    };
    struct inbox_hook {
        endpoint_parts* self;
        bool operator()() const { return self->ask_for_work(); }
        void on_resume() const noexcept { self->wake_or_abort(); }
        void on_finished(const inbox_report& report) const noexcept {
            // What was dropped stays open in the barrier, so whoever waits for it is told why.
            if (!report.is_clean()) self->handled_.close(report.reason);
            if constexpr (requires { self->handler_.on_messages_over(report.reason); })
                static_cast<void>(call_hook([&] { self->handler_.on_messages_over(report.reason); }));
            self->messages_are_over_.store(true, std::memory_order_release);
            self->wake_or_abort();
        }
    };

protected:
    using loop_scope = basic_handler_scope<Traits>;
    using writer = single_writer<Transport, writer_hook, Side, no_observer, Traits>;
    using barrier = basic_sequence_barrier<Traits>;
    using item = received_item<barrier>;
    using message_inbox = inbox<item, inbox_hook, Traits>;

    /// The loop's thread runs this endpoint: what it waited for here, of the endpoint or of its writer, would never come.
    struct in_the_turn {
        explicit in_the_turn(endpoint_parts& self) noexcept : whole(&self), writing(self.out_.loop_scope()) {}
        loop_scope whole, writing;
    };

    static constexpr bool handles_here = std::same_as<Work, in_the_loop>;

    template <class... Gated>
    endpoint_parts(Transport connection, Schedule hook, Handler handler, const endpoint_options& options,
                   Side side, Work work, Gated... gated)
        : beat_(options.beating, Traits::clock::now()),
          in_(whole_messages(options.reading)),
          close_timeout_(bound_of(options.close_timeout)),
          handle_quantum_(bound_of(options.handle_quantum)),
          max_unsent_(bound_of(options.max_unsent)),
          max_unsent_frames_(bound_of(options.max_unsent_frames)),
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
    endpoint_parts(const endpoint_parts&) = delete;
    endpoint_parts& operator=(const endpoint_parts&) = delete;
    ~endpoint_parts() {
        WSOLO_ASSERT(!loop_scope::is_inside(this) && !loop_scope::is_inside(&handled_),
                     "an endpoint is destroyed by one of its own callbacks");
        is_going_.store(true, std::memory_order_relaxed);
        abort(errc::aborted);           // a handler that waits for messages, or for room, is told so
        static_cast<void>(out_.pump()); // not but by the writer's end
        anchor_ = {};                   // waits for work(), and for what handles have in progress
    }

    [[nodiscard]] Whole& whole() noexcept { return static_cast<Whole&>(*this); }

    static read_limits whole_messages(read_limits limits) noexcept {
        limits.deliver = delivery::messages;
        return limits;
    }

    errc begin_close(close_code code, std::string_view reason) {
        const errc error = out_.close(code, reason);
        if (error == errc::none) is_closing_.store(true, std::memory_order_relaxed);
        return error;
    }
    /// The same when there must be an end, whatever happens.
    void close_or_abort(close_code code, std::string_view reason, errc why) {
        const errc error = begin_close(code, reason);
        if (error != errc::none && error != errc::closed) abort(why);
    }

    void abort(errc why) {
        if (why == errc::none) why = errc::aborted; // none is for an end in order
        out_.abort(why, duration::zero());          // first, so that nothing says goodbye for what follows
        handled_.close(why);
        static_cast<void>(inbox_.close(why));
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
            static_cast<void>(
                inbox_.drain_while(handle, [this] { return handler_.wants_message(); }, handle_quantum_));
        } else {
            static_cast<void>(inbox_.drain(handle, handle_quantum_));
        }
    }

    /// Has run() called soon: by this turn's own end where the loop itself asks.
    bool wake(bool& is_due) {
        if (loop_scope::is_inside(this)) return is_due = true;
        return is_going_.load(std::memory_order_relaxed) || ask_for_a_turn(schedule_);
    }
    void wake_or_abort() {
        if (!wake(work_is_due_)) abort(errc::schedule_refused);
    }

    heartbeat beat_;
    basic_reader<default_side<Side::self>> in_;
    byte_buffer rest_; ///< bytes behind a pause
    ending_record end_;
    time_point write_deadline_ = no_deadline;
    time_point give_up_at_ = no_deadline;
    time_point close_by_ = no_deadline; ///< while owed_close_ waits for the messages before it
    std::optional<control_frame> owed_close_;
    const duration close_timeout_;
    const std::uint32_t handle_quantum_;
    const std::size_t max_unsent_;
    const std::uint32_t max_unsent_frames_;
    bool write_is_due_ = false;
    bool work_is_due_ = false;
    bool is_blocked_ = false;
    bool writer_is_over_ = false;
    bool input_is_over_ = false;
    bool is_finished_ = false;
    bool is_listening_ = true;                                        ///< what the loop was told last
    typename Traits::template atomic<bool> messages_are_over_{false}; ///< no handler runs, or ever will
    typename Traits::template atomic<bool> is_closing_{false};        ///< our Close is queued, or about to be
    typename Traits::template atomic<bool> is_going_{false}; ///< the destructor runs: nobody is asked

    Handler handler_;
    [[no_unique_address]] Schedule schedule_;
    [[no_unique_address]] Work work_;
    barrier handled_;
    message_inbox inbox_;
    writer out_;
    anchor anchor_; ///< the last, so that nothing goes while work() is inside

private:
    /// False: nobody will come.
    bool ask_for_work() {
        if (is_going_.load(std::memory_order_relaxed)) return false;
        if constexpr (handles_here) {
            return wake(work_is_due_);
        } else {
            if (!anchor_) return false; // made without memory: there is no handle to come by
            auto call = [this] { return work_(anchor_.handle()); };
            return ask_for_a_turn(call);
        }
    }
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
