// SPDX-License-Identifier: MIT
#pragma once
// The members of a connection_group: a ring, and how a thread walks along it while others join and leave.
//
// Laws of this file:
// - No member is called under the lock, and none is waited for: a walk takes references to a few members at a time, and
//   its place in the ring is a link of its own.
// - A new member is linked where every walk has passed: a walk ends, however many join meanwhile.
// - The roll is shared by the group, its invitations and its members' seats. The last of them frees it.

#include "../../core/limit.hpp"
#include "../../frame/control_reply.hpp"
#include "../../frame/shared_frame.hpp"
#include "../../sync/rundown.hpp"
#include "../../sync/spin_lock.hpp"
#include "../../sync/weak_session.hpp"
#include "../options.hpp"

#include <cstring>
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

/// What a group asks of a member, through a weak handle: when the member is gone these do nothing.
struct group_calls {
    errc (*send)(const std::byte* to, const shared_frame& frame);
    errc (*close)(const std::byte* to, close_code code, std::string_view reason, duration within);
    void (*abort)(const std::byte* to, errc why);
    void (*ask_for_turn)(const std::byte* to);
    void (*destroy)(std::byte* old) noexcept;
};

template <class Traits>
class group_roll {
    /// In the ring: the head, members, and walks.
    struct link {
        link* before = this;
        link* after = this;
        const bool is_member = false;

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
    /// One membership. Its seat has a reference, and each walk that is about to call it.
    class member : link {
    public:
        template <class Handle>
        member(group_roll& roll, Handle handle, const group_calls& calls) noexcept
            : link{.is_member = true}, roll_(roll), calls_(calls) {
            static_assert(sizeof handle == sizeof handle_ && alignof(Handle) <= alignof(void*));
            ::new (static_cast<void*>(handle_)) Handle(std::move(handle));
        }
        member(const member&) = delete;
        member& operator=(const member&) = delete;

        [[nodiscard]] group_roll& roll() const noexcept { return roll_; }

        errc send(const shared_frame& frame) { return calls_.send(handle_, frame); }
        void abort(errc why) { calls_.abort(handle_, why); }
        void ask_for_turn() { calls_.ask_for_turn(handle_); }
        errc close(close_code code, std::string_view reason, duration within) {
            return calls_.close(handle_, code, reason, within);
        }

        /// When its own loop is to close it.
        [[nodiscard]] time_point close_at() const noexcept {
            return time_point(duration(close_at_.load(std::memory_order_acquire)));
        }
        /// True: it was to be closed, and the caller does it.
        [[nodiscard]] bool take_close() noexcept {
            return close_at_.exchange(never, std::memory_order_acq_rel) != never;
        }

        void drop() noexcept {
            if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
        }

    private:
        friend group_roll;
        static constexpr rep never = no_deadline.time_since_epoch().count();

        ~member() { calls_.destroy(handle_); }

        typename Traits::template atomic<std::uint32_t> references_{1}; // first: in the link's tail padding
        group_roll& roll_;
        const group_calls& calls_;
        alignas(void*) std::byte handle_[sizeof(void*)];
        typename Traits::template atomic<rep> close_at_{never};
    };

    /// nullptr when there is no memory. One reference, the caller's.
    [[nodiscard]] static group_roll* make() noexcept { return new (std::nothrow) group_roll; }
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }
    group_roll(const group_roll&) = delete;
    group_roll& operator=(const group_roll&) = delete;

    /// Links `fresh`, which has a reference to this from now on. False: the group closes.
    [[nodiscard]] bool join(member& fresh) noexcept {
        const scoped_hold hold(lock_);
        if (is_closing_ || !present_.enter()) return false;
        retain();
        fresh.insert_before(*head_.after);
        ++report_.joined;
        ++report_.present;
        return true;
    }
    /// The member's own end, with how its connection ended, if it did. Drops its references; this may be gone after it.
    void leave(member& gone, const ending* how) noexcept {
        {
            const scoped_hold hold(lock_);
            gone.unlink();
            --report_.present;
            add(how);
        }
        gone.drop();
        present_.leave(); // those who wait for the last one go on
        drop();
    }

    /// Calls visit(member&) for each member, without a lock. One that joins meanwhile is not visited; one that leaves may
    /// still be.
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
                code_ = code;
                reason_size_ = reason.copy(reason_, max_close_reason);
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
    /// Closes a member, or one that came too late to be a member, as the first begin_close() said, within what is left of the
    /// time.
    template <class T>
    void close(T& one, time_point now) {
        char reason[max_close_reason];
        std::size_t reason_size = 0;
        close_code code{};
        duration within{};
        {
            const scoped_hold hold(lock_);
            code = code_;
            reason_size = reason_size_;
            std::memcpy(reason, reason_, reason_size);
            within = done_by_ == no_deadline                    ? duration::zero() // no bound
                     : done_by_ < deadline_after(now, shortest) ? shortest
                                                                : done_by_ - now;
        }
        const errc error = one.close(code, {reason, reason_size}, within);
        if (error != errc::none && error != errc::closed) one.abort(error); // it ends in any case
    }

    /// Leaves it to the member's own loop, unless the group was hurried meanwhile: then it begins now.
    void close_later(member& one, time_point at, time_point now) {
        if (at == no_deadline) at -= duration(1); // as late as can be: "never" would leave it out
        bool is_late = false;
        {
            const scoped_hold hold(lock_);
            is_late = is_hurried_; // otherwise the walk of the call that hurries finds what is set here
            if (!is_late) one.close_at_.store(at.time_since_epoch().count(), std::memory_order_release);
        }
        if (is_late) return close(one, now);
        one.ask_for_turn();
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
            drop_last();
            while (at_ < count_) some_[at_++]->drop();
            const scoped_hold hold(roll_.lock_);
            this->unlink();
        }

        /// The next member, which is kept until the next call; nullptr at the end.
        [[nodiscard]] member* next() noexcept {
            drop_last();
            if (at_ == count_) fetch();
            return at_ == count_ ? nullptr : last_ = some_[at_++];
        }

    private:
        /// How many are looked at in one go: the lock is held for no more than that.
        static constexpr std::size_t most = 16;

        void fetch() noexcept {
            at_ = count_ = 0;
            const scoped_hold hold(roll_.lock_);
            link* place = this->after;
            for (; place != &roll_.head_ && count_ < most; place = place->after) {
                if (!place->is_member) continue; // another walk
                some_[count_] = static_cast<member*>(place);
                some_[count_++]->references_.fetch_add(1, std::memory_order_relaxed);
            }
            this->unlink();
            this->insert_before(*place);
        }
        void drop_last() noexcept {
            if (last_ != nullptr) std::exchange(last_, nullptr)->drop();
        }

        group_roll& roll_;
        member* last_ = nullptr;
        member* some_[most];
        std::size_t at_ = 0;
        std::size_t count_ = 0;
    };

    group_roll() = default;
    ~group_roll() = default;

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

    basic_spin_lock<Traits> lock_;
    bool is_closing_ = false;
    bool is_hurried_ = false; ///< a second begin_close() came
    close_code code_{};
    char reason_[max_close_reason];
    std::size_t reason_size_ = 0;
    time_point done_by_ = no_deadline;
    link head_;
    group_report report_;
    basic_rundown<Traits> present_;
    typename Traits::template atomic<std::uint32_t> references_{1};
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
