// SPDX-License-Identifier: MIT
#pragma once
// The members of a connection_group: a ring, and how a thread walks along it while others join and leave.
//
// Laws of this file:
// - A member lies in its seat, so the ring has no memory of its own. It is looked at under the lock alone: its seat may move
//   or go at any other time.
// - No member is called under the lock, and none is waited for. A walk finds a member, takes a guard of it and lets go of
//   the lock, in this order; its place in the ring is a link of its own.
// - A new member is linked where every walk has passed: a walk ends, however many join meanwhile.
// - The roll is shared by the group, its invitations and its members. The last of them frees it.

#include "../../core/limit.hpp"
#include "../../frame/control_reply.hpp"
#include "../../frame/shared_frame.hpp"
#include "../../sync/rundown.hpp"
#include "../../sync/spin_lock.hpp"
#include "../../sync/weak_session.hpp"
#include "../options.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI {

/// What became of a group's members so far, and of what they accepted: the sum of their endings.
struct group_report {
    std::uint64_t joined = 0;
    std::uint64_t present = 0;         ///< members now
    std::uint64_t closed_in_order = 0; ///< ended without a reason: both sides closed
    std::uint64_t failed = 0;          ///< ended with a reason
    std::uint64_t gone = 0;            ///< left before they ended, or were destroyed
    errc first_failure = errc::none;   ///< the reason of the first that failed
    /// How often a member had no room for what was sent to all.
    std::uint64_t times_full = 0;
    std::uint64_t frames_written = 0;
    std::uint64_t frames_dropped = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_dropped = 0;
    std::uint64_t messages_handled = 0;
    std::uint64_t messages_dropped = 0;
};

namespace detail {

/// The Close with which a group ends its members.
struct group_goodbye {
    close_code code{};
    std::uint8_t reason_size = 0;
    char reason[max_close_reason];
    duration within{};

    template <class T>
    void say(T& to) const {
        const errc error = to.close(code, {reason, reason_size}, within);
        if (error != errc::none && error != errc::closed) to.abort(error); // it ends in any case
    }
};

/// What a group asks of a member of some type, through a weak handle: when the member is gone these do nothing. All but
/// move() and destroy() are called with the roll's lock held, and let go of it before they call the member.
template <class Lock>
struct group_calls {
    /// `is_cut_off`: aborts it when it has no room.
    errc (*send)(const std::byte* to, Lock& held, const shared_frame& frame, bool is_cut_off);
    void (*close)(const std::byte* to, Lock& held, const group_goodbye& words);
    void (*abort)(const std::byte* to, Lock& held, errc why);
    void (*ask_for_turn)(const std::byte* to, Lock& held);
    void (*move)(std::byte* from, std::byte* to) noexcept; ///< with the lock held
    void (*destroy)(std::byte* old) noexcept;
};

template <class Traits>
class group_roll {
public:
    using lock = basic_spin_lock<Traits>;
    using calls = group_calls<lock>;

private:
    /// What the members of one type have in common, so that a member has one word for it.
    struct kind {
        group_roll& roll;
        const calls& by;
        kind* next;
    };
    /// In the ring: the head, members, and walks.
    struct link {
        link* before = this;
        link* after = this;
        const kind* of = nullptr; ///< of a member

        void insert_before(link& place) noexcept {
            before = place.before;
            after = &place;
            before->after = after->before = this;
        }
        void unlink() noexcept {
            before->after = after;
            after->before = before;
            before = after = this;
        }
    };
    using rep = duration::rep;

public:
    /// One membership, or none. It belongs to a seat. What a walk asks of it, with the lock held, lets go of the lock.
    class member : link {
    public:
        member() = default;
        member(const member&) = delete;
        member& operator=(const member&) = delete;

        [[nodiscard]] bool is_in() const noexcept { return this->of != nullptr; }
        /// Precondition of this and all of the following: is_in().
        [[nodiscard]] group_roll& roll() const noexcept { return this->of->roll; }

        errc send(const shared_frame& frame, bool is_cut_off) {
            return by().send(handle_, roll().lock_, frame, is_cut_off);
        }
        void abort(errc why) { by().abort(handle_, roll().lock_, why); }
        /// Now, as the first begin_close() said, within what is left of the time.
        void close(time_point now) {
            const group_goodbye words = roll().goodbye_at(now);
            close_at_.store(never, std::memory_order_relaxed);
            by().close(handle_, roll().lock_, words);
        }
        /// Leaves it to the member's own loop, unless the group was hurried meanwhile: then it begins now.
        void close_later(time_point at, time_point now) {
            // Otherwise the walk of the call that hurries finds what is set here.
            if (roll().is_hurried_) return close(now);
            if (at == no_deadline) at -= duration(1); // as late as can be: "never" would leave it out
            close_at_.store(at.time_since_epoch().count(), std::memory_order_release);
            by().ask_for_turn(handle_, roll().lock_);
        }
        /// Closes it if that was left to its loop and has not begun.
        void close_if_put_off(time_point now) {
            if (close_at() == no_deadline) return roll().lock_.unlock();
            close(now);
        }

        /// When its own loop is to close it. Without the lock.
        [[nodiscard]] time_point close_at() const noexcept {
            return time_point(duration(close_at_.load(std::memory_order_acquire)));
        }

    private:
        friend group_roll;
        static constexpr rep never = no_deadline.time_since_epoch().count();

        [[nodiscard]] const calls& by() const noexcept { return this->of->by; }

        alignas(void*) std::byte handle_[sizeof(void*)];
        typename Traits::template atomic<rep> close_at_{never}; ///< written under the lock
    };

    /// nullptr when there is no memory. One reference, the caller's.
    [[nodiscard]] static group_roll* make() noexcept { return new (std::nothrow) group_roll; }
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }
    group_roll(const group_roll&) = delete;
    group_roll& operator=(const group_roll&) = delete;

    /// Makes `fresh` a member. Errors: closed, once the group closes; out_of_memory, for the first of its type.
    template <class Handle>
    [[nodiscard]] errc join(member& fresh, Handle handle, const calls& by) noexcept {
        static_assert(sizeof handle == sizeof fresh.handle_ && alignof(Handle) <= alignof(void*));
        const kind* const of = kind_of(by);
        if (of == nullptr) return errc::out_of_memory;
        const scoped_hold hold(lock_);
        if (is_closing_ || !present_.enter()) return errc::closed;
        retain();
        ::new (static_cast<void*>(fresh.handle_)) Handle(std::move(handle));
        fresh.of = of;
        fresh.insert_before(*head_.after);
        ++report_.joined;
        ++report_.present;
        return errc::none;
    }
    /// Puts `to`, which is in no group, in the place of `from`.
    void move(member& from, member& to) noexcept {
        const scoped_hold hold(lock_);
        to.insert_before(from);
        from.unlink();
        to.of = std::exchange(from.of, nullptr);
        to.by().move(from.handle_, to.handle_);
        to.close_at_.store(from.close_at_.exchange(member::never, std::memory_order_relaxed),
                           std::memory_order_relaxed);
    }
    /// The member's own end, with how its connection ended, if it did. This may be gone after it.
    void leave(member& gone, const ending* how) noexcept {
        {
            const scoped_hold hold(lock_);
            gone.unlink();
            --report_.present;
            add(how);
        }
        gone.by().destroy(gone.handle_);
        gone.of = nullptr;
        gone.close_at_.store(member::never, std::memory_order_relaxed);
        present_.leave(); // those who wait for the last one go on
        drop();
    }

    /// Calls visit(member&) for each member, with the lock held: visit lets go of it. One that joins meanwhile is not visited;
    /// one that leaves may still be.
    template <class Visit>
    void for_each(Visit visit) {
        walk steps(*this);
        while (member* next = steps.next()) visit(*next);
    }

    struct closing {
        bool is_first = false;
        std::uint64_t members = 0;
    };
    /// No member can join any more. Only the first call says how the group closes; later ones may make it sooner.
    closing begin_close(close_code code, std::string_view reason, time_point done_by) noexcept {
        closing begun;
        {
            const scoped_hold hold(lock_);
            begun = {!is_closing_, report_.present};
            if (done_by < done_by_) done_by_ = done_by;
            is_hurried_ = is_closing_;
            if (begun.is_first) {
                goodbye_.code = code;
                goodbye_.reason_size =
                    static_cast<std::uint8_t>(reason.copy(goodbye_.reason, max_close_reason));
                is_closing_ = true;
            }
        }
        static_cast<void>(present_.close()); // may run callbacks, so with the lock free
        return begun;
    }
    /// True: no member can join any more.
    [[nodiscard]] bool is_closing() noexcept {
        const scoped_hold hold(lock_);
        return is_closing_;
    }
    /// Closes what came too late to be a member, as it closes members.
    template <class T>
    void close(T& late, time_point now) {
        lock_.lock();
        const group_goodbye words = goodbye_at(now);
        lock_.unlock();
        words.say(late);
    }
    /// For the member's own loop, when close_at() has come. Another close may be first.
    void close_in_turn(member& one, time_point now) {
        lock_.lock();
        one.close_if_put_off(now);
    }

    void count_full(std::uint64_t times) noexcept {
        if (times == 0) return;
        const scoped_hold hold(lock_);
        report_.times_full += times;
    }
    [[nodiscard]] group_report report() noexcept {
        const scoped_hold hold(lock_);
        return report_;
    }
    template <class StopToken>
    [[nodiscard]] errc wait(time_point deadline, const StopToken& stop) noexcept {
        return present_.wait(deadline, stop);
    }

private:
    static constexpr duration shortest = std::chrono::milliseconds(1); // zero would be no bound

    /// A place in the ring, between the members that were visited and those that were not.
    class walk : link {
    public:
        explicit walk(group_roll& roll) noexcept : roll_(roll) {
            const scoped_hold hold(roll_.lock_);
            this->insert_before(*roll_.head_.after);
        }
        walk(const walk&) = delete;
        walk& operator=(const walk&) = delete;
        ~walk() {
            const scoped_hold hold(roll_.lock_);
            this->unlink();
        }

        /// The next member, with the lock held; nullptr at the end, without it.
        [[nodiscard]] member* next() noexcept {
            roll_.lock_.lock();
            link* place = this->after;
            while (place != &roll_.head_ && place->of == nullptr) place = place->after; // another walk
            this->unlink();
            if (place != &roll_.head_) {
                this->insert_before(*place->after);
                return static_cast<member*>(place);
            }
            this->insert_before(*place);
            roll_.lock_.unlock();
            return nullptr;
        }

    private:
        group_roll& roll_;
    };

    group_roll() = default;
    ~group_roll() {
        while (kinds_ != nullptr) delete std::exchange(kinds_, kinds_->next);
    }

    /// Lives as long as the roll. Two threads that come at once may make two of a type.
    [[nodiscard]] const kind* kind_of(const calls& by) noexcept {
        {
            const scoped_hold hold(lock_);
            for (const kind* each = kinds_; each != nullptr; each = each->next)
                if (&each->by == &by) return each;
        }
        auto* const fresh = new (std::nothrow) kind{*this, by, nullptr};
        if (fresh == nullptr) return nullptr;
        const scoped_hold hold(lock_);
        fresh->next = std::exchange(kinds_, fresh);
        return fresh;
    }

    /// What is said at `now`. With the lock held.
    [[nodiscard]] group_goodbye goodbye_at(time_point now) const noexcept {
        group_goodbye words = goodbye_;
        words.within = done_by_ == no_deadline                    ? duration::zero() // no bound
                       : done_by_ < deadline_after(now, shortest) ? shortest
                                                                  : done_by_ - now;
        return words;
    }

    void add(const ending* how) noexcept {
        if (how == nullptr) {
            ++report_.gone;
            return;
        }
        if (how->reason == errc::none) {
            ++report_.closed_in_order;
        } else {
            if (report_.failed++ == 0) report_.first_failure = how->reason;
        }
        report_.frames_written += how->written.frames_written;
        report_.frames_dropped += how->written.frames_dropped;
        report_.bytes_written += how->written.bytes_written;
        report_.bytes_dropped += how->written.bytes_dropped;
        report_.messages_handled += how->handled.messages_handled;
        report_.messages_dropped += how->handled.messages_dropped;
    }

    lock lock_;
    bool is_closing_ = false;
    bool is_hurried_ = false; ///< a second begin_close() came
    group_goodbye goodbye_;
    time_point done_by_ = no_deadline;
    link head_;
    kind* kinds_ = nullptr;
    group_report report_;
    basic_rundown<Traits> present_;
    typename Traits::template atomic<std::uint32_t> references_{1};
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
