#pragma once
// interleave::stop_source, stop_token and its callbacks: std's contracts, on the model's lock.
//
// Laws of this file:
// - request_stop() calls each callback once, in the requesting thread, with no lock held.
// - A callback's destructor waits for a call that runs in another thread, and not for one around it.
// - A source outlives its tokens (std's share the state; a scenario makes the source first).

#include "explore.hpp"
#include "traits.hpp"

#include <mutex>
#include <utility>
#include <vector>

namespace interleave {

class stop_source {
public:
    class token;

    [[nodiscard]] token get_token() noexcept;
    [[nodiscard]] bool stop_requested() const noexcept { return requested_.load(std::memory_order_acquire); }

    /// True: this call was the first.
    bool request_stop() {
        std::unique_lock<mutex> held(guard_);
        if (requested_.exchange(true, std::memory_order_acq_rel)) return false;
        runner_ = this_thread();
        while (!waiting_.empty()) {
            hook* const next = waiting_.back();
            waiting_.pop_back();
            running_ = next;
            held.unlock();
            next->call(*next);
            held.lock();
            running_ = nullptr;
            ended_.notify_all();
        }
        return true;
    }

private:
    struct hook {
        void (*call)(hook&);
    };

    bool add(hook& added) {
        const std::lock_guard<mutex> held(guard_);
        if (requested_.load(std::memory_order_relaxed)) return false;
        waiting_.push_back(&added);
        return true;
    }
    void remove(hook& gone) {
        std::unique_lock<mutex> held(guard_);
        std::erase(waiting_, &gone);
        while (running_ == &gone && runner_ != this_thread()) ended_.wait(held);
    }

    atomic<bool> requested_{false};
    mutex guard_;
    condition_variable ended_;
    std::vector<hook*> waiting_;
    hook* running_ = nullptr;
    int runner_ = -1;
};

/// As std::stop_token: copyable, with the callback type that wsolo's stop_hook asks a token for.
class stop_source::token {
public:
    explicit token(stop_source& source) noexcept : source_(&source) {}
    [[nodiscard]] bool stop_requested() const noexcept { return source_->stop_requested(); }

    template <class Function>
    class callback_type : private stop_source::hook {
    public:
        callback_type(const token& from, Function run)
            : hook{[](hook& self) { static_cast<callback_type&>(self).run_(); }},
              source_(*from.source_),
              run_(std::move(run)) {
            if (!source_.add(*this)) run_();
        }
        callback_type(const callback_type&) = delete;
        callback_type& operator=(const callback_type&) = delete;
        ~callback_type() { source_.remove(*this); }

    private:
        stop_source& source_;
        Function run_;
    };

private:
    stop_source* source_;
};

inline stop_source::token stop_source::get_token() noexcept { return token(*this); }
using stop_token = stop_source::token;

} // namespace interleave
