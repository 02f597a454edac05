// SPDX-License-Identifier: MIT
#pragma once
// The threaded drive: an inbox and a thread that handles its messages, for servers without a loop of their
// own, and for handlers that block. Not part of wsolo.hpp: it brings <thread>.
//
// Laws of this file:
// - The thread sleeps while nothing is queued, and ends when the inbox is finished.
// - An exception of the handler does not leave the thread: it closes the inbox, and exception() returns it.
// - The destructor drops what is left and joins; for an orderly end call close() and wait() first.

#include "blocking_traits.hpp"
#include "inbox.hpp"

#include <exception>
#include <mutex>
#include <thread>

namespace wsolo::inline WSOLO_ABI {

/// Owns the inbox, the handler and the thread that it runs in; `Observer` is called in that thread. Any thread may call any
/// member. The destructor must not run in the handler, and no other thread may be in a call then.
template <class Message, inbox_handler<Message> Handler, inbox_observer Observer = no_inbox_observer,
          class Traits = std_blocking_traits>
class threaded_inbox {
    struct wake_hook {
        threaded_inbox* self;
        void operator()() const { self->wake(); }
        void on_resume() const { self->observer_.on_resume(); }
        void on_finished(const inbox_report& report) const { self->observer_.on_finished(report); }
    };

public:
    using inbox_type = inbox<Message, wake_hook, Traits>;

    explicit threaded_inbox(Handler handler, const inbox_limits& limits = {}, Observer observer = {})
        : handler_(std::move(handler)),
          observer_(std::move(observer)),
          inbox_(wake_hook{this}, limits),
          thread_([this] { run(); }) {}
    threaded_inbox(const threaded_inbox&) = delete;
    threaded_inbox& operator=(const threaded_inbox&) = delete;
    ~threaded_inbox() {
        WSOLO_ASSERT(!is_own_thread(), "a threaded_inbox is destroyed by its own handler");
        static_cast<void>(inbox_.close(errc::aborted));
        thread_.join();
    }

    /// See inbox::push().
    inbox_push push(Message&& message, std::size_t bytes) { return inbox_.push(std::move(message), bytes); }
    /// See inbox::close().
    bool close(errc why = errc::none) { return inbox_.close(why); }

    /// Waits until the inbox is finished: errc::none, whatever its reason. timed_out; would_deadlock in the
    /// handler.
    [[nodiscard]] errc wait(time_point deadline = no_deadline) {
        if (is_own_thread()) return errc::would_deadlock;
        std::unique_lock<mutex> hold(mutex_);
        while (!finished_) {
            if (deadline == no_deadline) {
                changed_.wait(hold);
            } else if (Traits::clock::now() >= deadline) { // asked first: see parker.hpp
                return errc::timed_out;
            } else {
                static_cast<void>(changed_.wait_until(hold, deadline));
            }
        }
        return errc::none;
    }

    /// See inbox's functions of these names. Any thread.
    [[nodiscard]] bool is_paused() const noexcept { return inbox_.is_paused(); }
    [[nodiscard]] inbox_report report() const noexcept { return inbox_.report(); }
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return inbox_.queued_bytes(); }
    [[nodiscard]] std::size_t queued_messages() const noexcept { return inbox_.queued_messages(); }

    /// The handler's exception, or null. Final once wait() said errc::none.
    [[nodiscard]] std::exception_ptr exception() const {
        const std::lock_guard<mutex> hold(mutex_);
        return thrown_;
    }

private:
    using mutex = typename Traits::mutex;

    [[nodiscard]] bool is_own_thread() const noexcept {
        return std::this_thread::get_id() == thread_.get_id();
    }

    void run() {
        std::exception_ptr thrown;
        while (!drain(thrown)) sleep();
        const std::lock_guard<mutex> hold(mutex_);
        thrown_ = thrown;
        finished_ = true;
        changed_.notify_all();
    }

    /// True: finished.
    [[nodiscard]] bool drain([[maybe_unused]] std::exception_ptr& thrown) {
#if WSOLO_HAS_EXCEPTIONS
        try {
            return inbox_.drain(handler_).status == inbox_status::finished;
        } catch (...) {
            thrown = std::current_exception();
            return true;
        }
#else
        return inbox_.drain(handler_).status == inbox_status::finished;
#endif
    }

    void wake() {
        const std::lock_guard<mutex> hold(mutex_);
        is_awake_ = true;
        changed_.notify_all();
    }

    void sleep() {
        std::unique_lock<mutex> hold(mutex_);
        while (!is_awake_) changed_.wait(hold);
        is_awake_ = false;
    }

    mutable mutex mutex_;
    typename Traits::condition_variable changed_;
    bool is_awake_ = false;
    bool finished_ = false;
    std::exception_ptr thrown_;
    Handler handler_;
    [[no_unique_address]] Observer observer_;
    inbox_type inbox_;
    std::thread thread_;
};

} // namespace wsolo::inline WSOLO_ABI
