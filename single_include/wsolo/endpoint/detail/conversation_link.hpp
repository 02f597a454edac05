// Written by tools/amalgamate.py from include/wsolo/endpoint/detail/conversation_link.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// What an endpoint and the conversations of its coroutines share: one block, which outlives them all. Not part of wsolo.hpp:
// it brings <coroutine>.
//
// Laws of this file:
// - The endpoint is reached by a weak handle, for the length of a call. The handler's half (give, end) is called by the
//   endpoint, from where messages are handled.
// - A wait is registered as the last thing that its call does with it: it may be over, and its frame gone, before the call
//   returns. Under the lock one thread takes a registered wait out, to resume it or to withdraw it; the others don't touch it.
// - While a thread sends for a wait it is that thread's: a withdrawal that comes then is obeyed if nothing was sent.
// - A wait for the next message is registered here, and one for the writer in a block of its own: the writer may still name it
//   when the coroutine is gone, because what is told together is collected first.
// - No coroutine is resumed with the lock, or a handle's guard, held.

#include "../../wsolo.hpp"
#include "../../write/detail/writer_access.hpp"

#include <coroutine>
#include <new>
#include <optional>

namespace wsolo::inline WSOLO_ABI::detail {

/// A coroutine that wants a message. In its frame.
struct message_wait {
    std::coroutine_handle<> caller{};
    std::optional<result<message>> got{};
};

/// A coroutine that waits for room for what it sends, or until what was sent is written. In its frame.
struct write_wait {
    write_wait() noexcept : flushes(true) {}
    write_wait(opcode kind, const_bytes what) noexcept : payload(what), op(kind) {}

    std::coroutine_handle<> caller;
    const_bytes payload;
    opcode op = opcode::text;
    bool flushes = false; ///< it sends nothing
    errc outcome = errc::closed;
    void* registered = nullptr; ///< by what the writer names it, while it waits. Under the link's lock
};

/// The block, for conversations that don't know their endpoint's type. Any thread.
class conversation_link {
public:
    conversation_link(const conversation_link&) = delete;
    conversation_link& operator=(const conversation_link&) = delete;

    virtual void retain() noexcept = 0;
    virtual void release() noexcept = 0;
    /// A conversation begins, ends. When the last one ends, the endpoint is told that no message will be asked for.
    virtual void join() noexcept = 0;
    virtual void leave() noexcept = 0;

    /// True: it waits, and will be resumed. False: it has its answer.
    [[nodiscard]] virtual bool start(message_wait& asking) = 0;
    [[nodiscard]] virtual bool start(write_wait& asking) = 0;
    /// It waits no more. False: another thread is resuming it (with errc::cancelled, if that is about to send and can't).
    /// Any thread, as long as the wait exists.
    [[nodiscard]] virtual bool withdraw(message_wait& gone) noexcept = 0;
    [[nodiscard]] virtual bool withdraw(write_wait& gone) noexcept = 0;

    [[nodiscard]] virtual errc try_send(opcode op, const_bytes payload, on_outcome on_done) = 0;
    [[nodiscard]] virtual errc close(close_code code, std::string_view reason) = 0;
    virtual void abort(errc why) = 0;

    // ---- the endpoint's

    /// Whether a message is wanted.
    [[nodiscard]] virtual bool is_asked() noexcept = 0;
    /// Resumes the coroutine that asked. False: the message is not for any, and handled.
    [[nodiscard]] virtual bool give(message&& received) = 0;
    /// No message will come.
    virtual void end(errc why) = 0;

protected:
    conversation_link() = default;
    ~conversation_link() = default;
};

/// See the file's laws.
template <class Endpoint>
class conversation_link_to final : public conversation_link {
    using traits = typename Endpoint::barrier_type::traits;
    template <class T>
    using atomic = typename traits::template atomic<T>;

public:
    /// One reference, the endpoint's. nullptr when there is no memory.
    [[nodiscard]] static conversation_link_to* make(const Endpoint& whole) noexcept {
        return new (std::nothrow) conversation_link_to(whole);
    }

    void retain() noexcept override { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept override {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    void join() noexcept override {
        retain();
        conversations_.fetch_add(1, std::memory_order_relaxed);
    }
    void leave() noexcept override {
        if (conversations_.fetch_sub(1, std::memory_order_acq_rel) == 1) abandon();
        release();
    }

    [[nodiscard]] bool start(message_wait& asking) override {
        const auto whole = endpoint_.try_use();
        if (whole && take_held()) whole->message_done(); // before the next one can be
        {
            const scoped_hold hold(lock_);
            WSOLO_ASSERT(asking_ == nullptr, "two coroutines wait for the messages of one endpoint");
            if (kept_) {
                is_held_ = true;
                asking.got.emplace(std::move(*kept_));
                kept_.reset(); // moved from: it frees nothing
            } else if (over_ != errc::none || !whole || asking_ != nullptr) {
                asking.got.emplace(over_ != errc::none ? over_
                                   : !whole            ? errc::aborted
                                                       : errc::would_deadlock);
            } else {
                asking_ = &asking;
            }
            if (asking_ != &asking) return false;
        }
        whole->want_messages();
        return true;
    }
    [[nodiscard]] bool withdraw(message_wait& gone) noexcept override {
        const scoped_hold hold(lock_);
        return asking_ == &gone && std::exchange(asking_, nullptr) != nullptr;
    }

    [[nodiscard]] bool start(write_wait& asking) override {
        const auto whole = endpoint_.try_use();
        if (!whole) return false;
        auto& writer = whole->writer();
        const bool flushes = asking.flushes;
        if (!flushes) {
            asking.outcome = writer_access::send(writer, asking.op, asking.payload, {}, nullptr);
            if (asking.outcome != errc::queue_full) return false;
        }
        registration* const made = registration::make(*this, asking);
        asking.outcome = errc::out_of_memory;
        if (made == nullptr) return false;
        asking.registered = made; // not shared before
        const errc answer = flushes ? writer_access::queue_mark(writer, {&registration::on_flushed, made})
                                    : writer_access::send(writer, asking.op, asking.payload, {}, made);
        if (answer == (flushes ? errc::none : errc::queue_full)) return true;
        asking.registered = nullptr;
        asking.outcome = answer;
        made->drop();
        made->drop();
        return false;
    }
    [[nodiscard]] bool withdraw(write_wait& gone) noexcept override {
        registration* registered = nullptr;
        {
            const scoped_hold hold(lock_);
            registered = static_cast<registration*>(gone.registered);
            if (registered == nullptr || !registered->withdraw()) return false;
            gone.registered = nullptr;
        }
        if (const auto whole = endpoint_.try_use()) {
            auto& drive = writer_access::drive(whole->writer());
            const bool is_out = gone.flushes ? writer_access::withdraw_mark(drive, registered)
                                             : writer_access::withdraw(drive, *registered);
            if (is_out) registered->drop(); // the writer's
        }
        registered->drop();
        return true;
    }

    [[nodiscard]] errc try_send(opcode op, const_bytes payload, on_outcome on_done) override {
        const auto whole = endpoint_.try_use();
        if (!whole) return errc::closed;
        return op == opcode::text ? whole->send_text(text_of(payload), on_done)
                                  : whole->send_binary(payload, on_done);
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason) override {
        const auto whole = endpoint_.try_use();
        return whole ? whole->close(code, reason) : errc::closed;
    }
    void abort(errc why) override {
        if (const auto whole = endpoint_.try_use()) whole->abort(why);
    }

    [[nodiscard]] bool is_asked() noexcept override {
        const scoped_hold hold(lock_);
        return asking_ != nullptr || is_abandoned_;
    }
    [[nodiscard]] bool give(message&& received) override {
        message_wait* due = nullptr;
        {
            const scoped_hold hold(lock_);
            if (is_abandoned_) return false;
            due = std::exchange(asking_, nullptr);
            is_held_ = due != nullptr;
            if (due != nullptr)
                due->got.emplace(std::move(received));
            else
                kept_.emplace(
                    std::move(received)); // the coroutine was destroyed a moment ago: for the next that asks
        }
        if (due != nullptr) due->caller.resume(); // the last touch: the frame may be gone, or wait again
        return true;
    }
    void end(errc why) override {
        message_wait* due = nullptr;
        {
            const scoped_hold hold(lock_);
            over_ = why == errc::none ? errc::closed : why;
            due = std::exchange(asking_, nullptr);
            if (due != nullptr) due->got.emplace(over_);
        }
        if (due != nullptr) due->caller.resume(); // the last touch
    }

private:
    /// A write_wait as the writer knows it. Two references, the writer's and the coroutine's.
    class registration : public room_waiter {
    public:
        [[nodiscard]] static registration* make(conversation_link_to& link, write_wait& whose) noexcept {
            return new (std::nothrow) registration(link, whose);
        }
        /// Under the lock. False: a thread is sending for it, or resumes it.
        [[nodiscard]] bool withdraw() noexcept {
            is_unwanted_ = true;
            return std::exchange(waiting_, nullptr) != nullptr;
        }
        void drop() noexcept {
            if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
        }
        static void on_flushed(void* context, errc how) noexcept {
            auto& self = *static_cast<registration*>(context);
            write_wait* const due = self.take();
            self.drop(); // the writer's
            if (due != nullptr) self.resume(*due, how);
        }

    private:
        registration(conversation_link_to& link, write_wait& whose) noexcept : link_(link), waiting_(&whose) {
            // NOLINTNEXTLINE(cppcoreguidelines-prefer-member-initializer): it is the base's
            wake = [](room_waiter& self) noexcept { static_cast<registration&>(self).on_woken(); };
            link_.retain();
        }
        ~registration() { link_.release(); }

        /// The wait, for the thread that resumes it, or sends for it first.
        [[nodiscard]] write_wait* take() noexcept {
            const scoped_hold hold(link_.lock_);
            return std::exchange(waiting_, nullptr);
        }

        /// There is room, or the writer's end: sends.
        void on_woken() noexcept {
            write_wait* due = nullptr;
            {
                const scoped_hold hold(link_.lock_);
                if (is_sending_) { // the thread that sends looks again
                    is_woken_ = true;
                    return;
                }
                due = std::exchange(waiting_, nullptr);
                is_sending_ = due != nullptr;
            }
            errc how = errc::closed;
            bool is_woken_again = false; // for nothing, and then the writer's reference is that call's
            if (const auto whole = link_.endpoint_.try_use()) {
                auto& drive = writer_access::drive(whole->writer());
                while (due != nullptr && drive.box.state_of(*this) == room_state::granted) {
                    how = writer_access::send(whole->writer(), due->op, due->payload, {}, this);
                    if (how != errc::queue_full) break;
                    // A message was opened meanwhile: it keeps its place.
                    const after_refusal then = wait_on(*due);
                    if (then == after_refusal::waits) return;
                    how = errc::closed;
                    if (then == after_refusal::is_woken) continue;
                    how = errc::cancelled;
                    is_woken_again = !writer_access::withdraw(drive, *this);
                    break;
                }
                if (how != errc::none && !is_woken_again) writer_access::decline(drive, *this);
            }
            if (!is_woken_again) drop(); // the writer's
            if (due != nullptr) resume(*due, how);
        }

        enum class after_refusal : std::uint8_t {
            waits,       ///< it is anyone's again
            is_woken,    ///< there was room, or the end, before it waited
            is_unwanted, ///< it was to be withdrawn: this thread resumes it
        };
        [[nodiscard]] after_refusal wait_on(write_wait& due) noexcept {
            const scoped_hold hold(link_.lock_);
            if (std::exchange(is_woken_, false)) return after_refusal::is_woken;
            is_sending_ = false;
            if (is_unwanted_) return after_refusal::is_unwanted;
            waiting_ = &due;
            return after_refusal::waits;
        }

        void resume(write_wait& due, errc how) noexcept {
            const std::coroutine_handle<> caller = due.caller;
            due.outcome = how;
            {
                const scoped_hold hold(link_.lock_);
                due.registered = nullptr;
            }
            // The last touch: the frame may be gone, or wait again.
            if (!call_hook([&] { caller.resume(); })) link_.fail();
            drop(); // the coroutine's
        }

        conversation_link_to& link_;
        // Under the link's lock.
        write_wait* waiting_;
        bool is_sending_ = false;
        bool is_woken_ = false;    ///< meanwhile
        bool is_unwanted_ = false; ///< to be withdrawn, or withdrawn
        atomic<int> references_{2};
    };

    explicit conversation_link_to(const Endpoint& whole) noexcept : endpoint_(whole.handle()) {}

    /// A coroutine threw.
    void fail() noexcept {
        if (const auto whole = endpoint_.try_use()) whole->fail_messages(errc::handler_failed);
    }
    /// Whether a coroutine has a message that is not handled yet. It has none then.
    [[nodiscard]] bool take_held() noexcept {
        const scoped_hold hold(lock_);
        return std::exchange(is_held_, false);
    }
    void abandon() noexcept {
        const auto whole = endpoint_.try_use();
        while (take_held() || take_kept()) // before another one is thrown away, which would be handled first
            if (whole) whole->message_done();
        if (whole) whole->want_no_more_messages();
    }
    /// Whether there is a message that was kept. There is none then. If there was none, none is kept from now on.
    [[nodiscard]] bool take_kept() noexcept {
        std::optional<message> unread; // outlives the hold
        const scoped_hold hold(lock_);
        unread.swap(kept_);
        is_abandoned_ = !unread;
        return !is_abandoned_;
    }

    const typename Endpoint::weak_handle endpoint_;
    basic_spin_lock<traits> lock_;
    message_wait* asking_ = nullptr;
    std::optional<message> kept_; ///< came for a coroutine that was destroyed
    errc over_ = errc::none;
    bool is_held_ = false;
    bool is_abandoned_ = false;
    atomic<std::uint32_t> conversations_{0};
    atomic<std::uint32_t> references_{1};
};

} // namespace wsolo::inline WSOLO_ABI::detail
