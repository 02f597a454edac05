#pragma once
// What services wait with where wsolo has its sequence_barrier: the shims of S2, each with the mistake that
// its name tells. They have sequence_barrier's functions, so that the same scenario runs on them.
//
// Law of this file: apart from its one mistake a shim is sound: every touch is under its lock, and no
// wake-up is lost. So what fails is the mistake.

#include "step_traits.hpp"

#include <wsolo/sync/sequence_barrier.hpp>

#include <set>
#include <string>
#include <vector>

namespace support {

/// A lock, and sleepers who look again whenever something under it changed.
class wakeful {
public:
    using traits = step_traits;
    using time_point = step_clock::time_point;

protected:
    template <class Change>
    auto change(Change make) {
        const std::lock_guard hold(mutex_);
        for (wsolo::basic_parker<step_traits>* each : std::exchange(sleepers_, {})) each->release();
        return make();
    }
    template <class Condition>
    wsolo::errc sleep_until(Condition holds, time_point deadline) {
        for (;;) {
            wsolo::basic_parker<step_traits> parker;
            {
                const std::lock_guard hold(mutex_);
                if (holds()) return wsolo::errc::none;
                if (step_clock::now() >= deadline) return wsolo::errc::timed_out;
                sleepers_.push_back(&parker);
            }
            parker.park_until(deadline);
            const std::lock_guard hold(mutex_);
            std::erase(sleepers_, &parker);
        }
    }

private:
    std::mutex mutex_;
    std::vector<wsolo::basic_parker<step_traits>*> sleepers_;
};

/// The response wakes its caller, and that is all.
class waits_for_nothing : public wakeful {
public:
    std::uint64_t issue() { return ++issued_; }
    void abandon(std::uint64_t) {}
    [[nodiscard]] std::uint64_t snapshot() const { return issued_; }
    int handle(std::uint64_t) { return 0; }
    wsolo::errc wait_up_to(std::uint64_t, time_point) { return wsolo::errc::none; }
    void close(wsolo::errc) {}

private:
    std::uint64_t issued_ = 0;
};

/// A count of what is pending: it cannot say "what came before this response", so it waits for everything.
class counts_pending : public wakeful {
public:
    class handling {
    public:
        explicit handling(counts_pending& of) : of_(of) {}
        handling(const handling&) = delete;
        ~handling() { of_.abandon(0); }

    private:
        counts_pending& of_;
    };

    std::uint64_t issue() {
        return change([this] { return ++pending_, ++issued_; });
    }
    void abandon(std::uint64_t) {
        change([this] { return zeroes_ += --pending_ == 0; });
    }
    [[nodiscard]] std::uint64_t snapshot() const { return issued_; }
    handling handle(std::uint64_t) { return handling(*this); }
    wsolo::errc wait_up_to(std::uint64_t, time_point deadline) {
        return sleep_until([this] { return pending_ == 0; }, deadline);
    }
    void close(wsolo::errc) {}

protected:
    int pending_ = 0;
    int zeroes_ = 0; // how often nothing was pending
    std::uint64_t issued_ = 0;
};

/// The same as a wait group: woken at zero, a waiter looks once more on its way out, and a count that is no
/// longer zero is the end of the program. Where the original met the next notification by preemption, the
/// waiter takes its time to leave until one came.
class wait_group : public counts_pending {
public:
    wsolo::errc wait_up_to(std::uint64_t mark, time_point deadline) {
        const int zeroes = change([this] { return zeroes_; });
        const wsolo::errc woken = sleep_until([&] { return pending_ == 0 || zeroes_ != zeroes; }, deadline);
        static_cast<void>(sleep_until([&] { return issued_ != mark; }, deadline));
        change([this] {
            if (pending_ != 0) panic = "panic: wait group is reused before the previous wait has returned";
            return 0;
        });
        return woken;
    }
    std::string panic;
};

/// Sound for handlers that run in threads of their own, which is the mistake: the order is theirs.
class any_order : public wakeful {
public:
    class handling {
    public:
        handling(any_order& of, std::uint64_t n) : of_(of), number_(n) {}
        handling(const handling&) = delete;
        ~handling() { of_.complete(number_); }

    private:
        any_order& of_;
        std::uint64_t number_;
    };

    std::uint64_t issue() {
        return change([this] { return open_.insert(open_.end(), ++issued_), issued_; });
    }
    void complete(std::uint64_t n) {
        change([this, n] { return open_.erase(n); });
    }
    void abandon(std::uint64_t n) { complete(n); }
    [[nodiscard]] std::uint64_t snapshot() {
        return change([this] { return issued_; });
    }
    handling handle(std::uint64_t n) { return {*this, n}; }
    wsolo::errc wait_up_to(std::uint64_t mark, time_point deadline) {
        const auto is_over = [&] {
            return open_.empty() || *open_.begin() > mark || why_ != wsolo::errc::none;
        };
        const wsolo::errc woken = sleep_until(is_over, deadline);
        return woken != wsolo::errc::none ? woken : change([&] {
            return open_.empty() || *open_.begin() > mark ? wsolo::errc::none : why_;
        });
    }
    void close(wsolo::errc why) {
        change([&] { return why_ = why; });
    }

private:
    std::set<std::uint64_t> open_;
    std::uint64_t issued_ = 0;
    wsolo::errc why_ = wsolo::errc::none;
};

/// A notification that was dropped keeps its number, and no thread ever completes it. (Not a sequence_barrier
/// below: that one's assertion names this mistake.)
class forgets_the_dropped : public any_order {
public:
    void abandon(std::uint64_t) {}
};

/// Handled is when it was taken off the queue.
class done_when_taken : public wsolo::basic_sequence_barrier<step_traits> {
public:
    int handle(std::uint64_t n) {
        begin(n);
        complete(n);
        return 0;
    }
};

/// Waits as long as it takes.
class waits_for_ever : public wsolo::basic_sequence_barrier<step_traits> {
public:
    wsolo::errc wait_up_to(std::uint64_t mark, time_point) {
        return wsolo::basic_sequence_barrier<step_traits>::wait_up_to(mark);
    }
};

/// One for all connections: a new one starts it again, under those who still wait for the old one's
/// numbers.
class starts_again : public wakeful {
public:
    class handling {
    public:
        handling(starts_again& of, std::uint64_t n) : of_(of), number_(n) {}
        handling(const handling&) = delete;
        ~handling() {
            of_.change([this] { return of_.done_ = number_; });
        }

    private:
        starts_again& of_;
        std::uint64_t number_;
    };

    void reconnect() {
        change([this] { return issued_ = done_ = 0; });
    }
    std::uint64_t issue() { return ++issued_; }
    void abandon(std::uint64_t) {}
    [[nodiscard]] std::uint64_t snapshot() const { return issued_; }
    handling handle(std::uint64_t n) { return {*this, n}; }
    wsolo::errc wait_up_to(std::uint64_t mark, time_point deadline) {
        return sleep_until([&] { return done_ >= mark; }, deadline);
    }
    void close(wsolo::errc) {}

private:
    std::uint64_t issued_ = 0;
    std::uint64_t done_ = 0;
};

} // namespace support
