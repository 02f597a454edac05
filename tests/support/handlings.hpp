#pragma once
// Who handles a session's messages in S1: wsolo's inbox with one drainer, or what services have instead.
// The handler may sleep, in virtual time, and may fail.
//
// Laws of this file:
// - take() belongs to the thread that reads; the thread that handles is an actor (step_traits.hpp) of its own, but
//   where the mistake is that it isn't.
// - `told` is called when it is over, with the first error.

#include "virtual_time.hpp"

#include <wsolo/sync/inbox.hpp>

#include <deque>
#include <functional>
#include <string>

namespace support {

using handle_message = std::function<wsolo::errc(const std::string&)>;
using told_of_the_end = std::function<void(wsolo::errc)>;

/// wsolo: reading pushes, a thread drains.
class through_the_inbox {
    struct hook {
        through_the_inbox* self;
        void operator()() const { self->is_owed_ = true; }
        void on_resume() const {}
        void on_finished(const wsolo::inbox_report& report) const { self->told_(report.reason); }
    };

public:
    through_the_inbox(handle_message handle, told_of_the_end told)
        : handle_(std::move(handle)), told_(std::move(told)), inbox_(hook{this}, limits()) {}
    ~through_the_inbox() {
        for (actor& each : drainers_) each.join();
    }

    void take(std::string message) {
        const std::size_t size = message.size();
        static_cast<void>(inbox_.push(std::move(message), size));
    }
    /// Every actor comes as far as it can.
    void settle() {
        if (is_owed_.exchange(false)) drainers_.emplace_back([this] { drain(); });
        for (actor& each : drainers_) each.run();
    }
    void lose(wsolo::errc why) { static_cast<void>(inbox_.close(why)); }
    [[nodiscard]] wsolo::inbox_report report() const { return inbox_.report(); }

private:
    static wsolo::inbox_limits limits() { return {.max_bytes = 8 * 1024 * 1024, .max_messages = 4096}; }
    void drain() {
        try {
            inbox_.drain([this](std::string&& message) { return handle_(message); });
        } catch (const std::exception&) {
            ++caught_;
        }
    }

    handle_message handle_;
    told_of_the_end told_;
    std::atomic<bool> is_owed_{false};
    int caught_ = 0;
    wsolo::inbox<std::string, hook> inbox_;
    std::deque<actor> drainers_;
};

/// In the receive loop itself.
class in_the_receive_loop {
public:
    in_the_receive_loop(handle_message handle, told_of_the_end) : handle_(std::move(handle)) {}
    void take(const std::string& message) { static_cast<void>(handle_(message)); }
    void settle() {}
    void lose(wsolo::errc) {}

private:
    handle_message handle_;
};

/// A thread for each message.
class a_thread_each {
public:
    a_thread_each(handle_message handle, told_of_the_end) : handle_(std::move(handle)) {}
    ~a_thread_each() {
        for (actor& each : threads_) each.join();
    }
    void take(const std::string& message) {
        threads_.emplace_back([this, message] { static_cast<void>(handle_(message)); });
        threads_.back().run();
    }
    void settle() {
        for (actor& each : threads_) each.run();
    }
    void lose(wsolo::errc) {}

private:
    handle_message handle_;
    std::deque<actor> threads_;
};

/// One drainer and in order; but what the handler throws or answers is logged, and that is all.
class logs_errors {
public:
    logs_errors(const handle_message& handle, told_of_the_end told)
        : under_(
              [handle](const std::string& message) {
                  try {
                      static_cast<void>(handle(message));
                  } catch (const std::exception&) {}
                  return wsolo::errc::none;
              },
              std::move(told)) {}
    void take(std::string message) { under_.take(std::move(message)); }
    void settle() { under_.settle(); }
    void lose(wsolo::errc why) { under_.lose(why); }

private:
    through_the_inbox under_;
};

/// The owner is told of each error, so the last one stands.
class tells_each_error {
public:
    tells_each_error(handle_message handle, told_of_the_end told)
        : told_(told), under_(std::move(handle), told) {}
    void take(std::string message) { under_.take(std::move(message)); }
    void settle() { under_.settle(); }
    void lose(wsolo::errc why) {
        told_(why);
        under_.lose(why);
    }

private:
    told_of_the_end told_;
    through_the_inbox under_;
};

} // namespace support
