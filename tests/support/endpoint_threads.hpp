#pragma once
// An endpoint among real threads: one loop, a pool that handles, others that send, close and abort.
//
// Laws of this file:
// - What a handler writes is plain memory: two handlers at once, or an end told beside one, are a data race.
// - The loop destroys the endpoint as soon as it is finished; every other thread has handles.

#include "catch.hpp"
#include "sockets.hpp"
#include "strict_parser.hpp"

#include <wsolo/endpoint/endpoint.hpp>
#include <wsolo/wsolo.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <poll.h>
#include <thread>

namespace support {

/// Threads that run what is posted, until it goes.
class thread_pool {
public:
    explicit thread_pool(int count) {
        for (int i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
    }
    ~thread_pool() {
        {
            const std::lock_guard hold(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        for (std::thread& each : threads_) each.join();
    }
    void post(std::function<void()> job) {
        const std::lock_guard hold(mutex_);
        jobs_.push_back(std::move(job));
        changed_.notify_one();
    }

private:
    void run() {
        std::unique_lock hold(mutex_);
        for (;;) {
            changed_.wait(hold, [this] { return over_ || !jobs_.empty(); });
            if (jobs_.empty()) return;
            const std::function<void()> job = std::move(jobs_.front());
            jobs_.pop_front();
            hold.unlock();
            job();
            hold.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool over_ = false;
    std::vector<std::thread> threads_;
};

/// What the handler and the end left behind. Read it when all threads are joined.
struct seen_by_handler {
    std::vector<std::string> messages;
    std::vector<wsolo::ending> endings;
    std::uint64_t echoes = 0;
    int fail_at = -1; ///< the message that the handler answers with an error
    int abort_at = -1;
};

struct pool_handler {
    seen_by_handler* seen;
    wsolo::errc on_message(auto& e, const wsolo::message& received) const {
        const int at = static_cast<int>(seen->messages.size());
        seen->messages.emplace_back(received.text());
        if (at == seen->fail_at) return wsolo::errc::message_too_big;
        if (at == seen->abort_at) e.abort();
        if (e.send_text(received.text()) == wsolo::errc::none) ++seen->echoes;
        return wsolo::errc::none;
    }
    void on_finished(auto&, const wsolo::ending& how) const {
        seen->messages.shrink_to_fit(); // touches what handlers touch
        seen->endings.push_back(how);
    }
};

/// A pipe that wakes a loop.
class pipe_bell {
public:
    pipe_bell() {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        read_ = descriptor(ends[0]);
        write_ = descriptor(ends[1]);
        for (const int end : ends) ::fcntl(end, F_SETFL, O_NONBLOCK);
    }
    void ring() const { static_cast<void>(!::write(write_.get(), "!", 1)); } // full: it rings already
    [[nodiscard]] int to_poll() const noexcept { return read_.get(); }
    /// Whether it rang since.
    [[nodiscard]] bool take() const {
        char heard[64];
        bool any = false;
        while (::read(read_.get(), heard, sizeof heard) > 0) any = true;
        return any;
    }

private:
    descriptor read_;
    descriptor write_;
};

struct pipe_schedule {
    const pipe_bell* bell;
    void operator()() const { bell->ring(); }
};
struct pool_work {
    thread_pool* pool;
    void operator()(auto handle) const {
        pool->post([handle] {
            if (auto live = handle.try_use()) live->work();
        });
    }
};

template <class Transport>
using pooled_endpoint =
    wsolo::endpoint<Transport, pipe_schedule, pool_handler, wsolo::server_side, pool_work>;

/// The loop. `bytes(to)` reads some, 0 at the end, -1: none now; `socket` is polled for them when it is one.
template <class Endpoint, class Read>
void serve(std::optional<Endpoint>& whole, const pipe_bell& bell, int socket, Read bytes) {
    std::byte buffer[777];
    wsolo::endpoint_wants wants = whole->run();
    while (!wants.finished) {
        const auto left = wants.deadline == wsolo::no_deadline
                              ? std::chrono::steady_clock::duration(std::chrono::seconds(20))
                              : wants.deadline - std::chrono::steady_clock::now();
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        pollfd ready[2] = {
            {bell.to_poll(), POLLIN, 0},
            {socket, static_cast<short>((wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0)), 0}};
        const bool is_script = socket < 0;
        const int now = is_script && (wants.read || wants.write) ? 0 : wait > 0 ? static_cast<int>(wait) : 0;
        ::poll(ready, is_script || (!wants.read && !wants.write) ? 1 : 2, now);
        const bool may_read = is_script || (ready[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
        if (wants.read && may_read) {
            const long count = bytes(std::span(buffer));
            if (count == 0) wants = whole->end_of_input();
            if (count > 0) wants = whole->receive(std::span(buffer).first(static_cast<std::size_t>(count)));
        }
        if (bell.take() || wants.write || std::chrono::steady_clock::now() >= wants.deadline)
            wants = whole->run();
    }
    whole.reset(); // at once: every thread inside is waited for
}

} // namespace support
