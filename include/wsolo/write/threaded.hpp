// SPDX-License-Identifier: MIT
#pragma once
// The threaded drive: a single_writer and a thread that pumps it, for servers without a loop of their own. Not part of
// wsolo.hpp: it brings <thread>.
//
// Laws of this file:
// - The thread sleeps while there is nothing to write, and ends when the writer is finished.
// - The destructor aborts what is left and joins; for a drain call close() and wait() first.

#include "wait.hpp"

#include <mutex>
#include <thread>

namespace wsolo::inline WSOLO_ABI {

/// Owns the writer and its thread: `out->send_text(...)`, `out->close(...)`. Everything that single_writer offers may be
/// called from any thread. With a transport that waits inside write(), a drain's bound is noticed when the current write
/// has ended; with a waitable_transport within 20 ms. A pump() of your own is allowed, but not needed.
template <transport Transport, class Side = server_side, writer_observer Observer = no_observer,
          class Traits = std_blocking_traits>
class threaded_writer {
    struct wake_hook {
        threaded_writer* self;
        void operator()() const { self->wake(); }
    };

public:
    using writer_type = single_writer<Transport, wake_hook, Side, Observer, Traits>;

    explicit threaded_writer(Transport connection, const writer_options& options = {}, Side side = {},
                             Observer observer = {})
        : writer_(std::move(connection), wake_hook{this}, options, std::move(side), std::move(observer)),
          thread_([this] { run(); }) {}
    /// Gated: `init_gate gate(out.writer());`
    threaded_writer(born_gated_t gated, Transport connection, const writer_options& options = {},
                    Side side = {}, Observer observer = {})
        : writer_(gated, std::move(connection), wake_hook{this}, options, std::move(side),
                  std::move(observer)),
          thread_([this] { run(); }) {}

    threaded_writer(const threaded_writer&) = delete;
    threaded_writer& operator=(const threaded_writer&) = delete;

    ~threaded_writer() {
        writer_.abort(errc::aborted, duration::zero());
        thread_.join();
    }

    [[nodiscard]] writer_type* operator->() noexcept { return &writer_; }
    [[nodiscard]] const writer_type* operator->() const noexcept { return &writer_; }
    /// The writer; it lives as long as this object.
    [[nodiscard]] writer_type& writer() noexcept { return writer_; }

    /// Waits until the writer is finished: closed and drained, aborted, or failed. False when the deadline passed first.
    /// Not from the observer, which runs on the thread that this waits for.
    [[nodiscard]] bool wait(time_point deadline = no_deadline) {
        WSOLO_ASSERT(std::this_thread::get_id() != thread_.get_id(),
                     "wait() from the writer's own thread never returns");
        std::unique_lock hold(mutex_);
        while (!finished_ && sleep_until(hold, deadline)) {}
        return finished_;
    }

private:
    static constexpr std::chrono::milliseconds slice{20};

    void run() {
        for (;;) {
            const pump_result left = writer_.pump();
            switch (left.status) {
            case pump_status::more: break;
            case pump_status::blocked: wait_writable(left.deadline); break;
            case pump_status::idle: sleep(no_deadline); break;
            case pump_status::busy: // a gate wakes the thread; another thread's pump() leaves the rest to it
                sleep(detail::writer_access::drive(writer_).box.state() == turn_state::gated
                          ? left.deadline
                          : deadline_after(Traits::clock::now(), std::chrono::milliseconds(1)));
                break;
            case pump_status::finished: return end();
            }
        }
    }

    void end() {
        const std::lock_guard hold(mutex_);
        finished_ = true;
        changed_.notify_all();
    }

    void wait_writable(time_point deadline) {
        if constexpr (waitable_transport<Transport>) {
            // In slices, because a close() or abort() meanwhile may bring the deadline forward.
            const time_point soon = deadline_after(Traits::clock::now(), slice);
#if WSOLO_HAS_EXCEPTIONS
            try {
                static_cast<void>(writer_.wait_writable(detail::earlier(deadline, soon)));
            } catch (...) { // a transport that throws has failed
                writer_.abort(errc::write_failed, duration::zero());
            }
#else
            static_cast<void>(writer_.wait_writable(detail::earlier(deadline, soon)));
#endif
        } else {
            static_cast<void>(deadline);
            WSOLO_ASSERT(false,
                         "the threaded drive needs a transport that waits in write() or has wait_writable()");
        }
    }

    void wake() {
        const std::lock_guard hold(mutex_);
        awake_ = true;
        changed_.notify_all();
    }

    void sleep(time_point deadline) {
        std::unique_lock hold(mutex_);
        while (!awake_ && sleep_until(hold, deadline)) {}
        awake_ = false;
    }

    /// False: the deadline passed. The clock is asked first: a condition variable may never wake at a time long past.
    bool sleep_until(std::unique_lock<typename Traits::mutex>& hold, time_point deadline) {
        if (deadline == no_deadline) {
            changed_.wait(hold);
            return true;
        }
        if (Traits::clock::now() >= deadline) return false;
        changed_.wait_until(hold, deadline);
        return true;
    }

    typename Traits::mutex mutex_;
    typename Traits::condition_variable changed_;
    bool awake_ = false;
    bool finished_ = false;
    writer_type writer_;
    std::thread thread_;
};

} // namespace wsolo::inline WSOLO_ABI
