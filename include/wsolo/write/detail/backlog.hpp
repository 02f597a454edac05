#pragma once
// Everything queued on one connection, and the rules for queueing more: budget, policy, lanes, fragmented
// messages.
//
// Laws of this file:
// - Not thread-safe, and no decision about ownership: the outbox calls it under its lock and decides who
// drives.
// - judge_x() changes nothing but what the policy evicts; put_x() can't fail. Between them lies only finding
// room.

#include "ledger.hpp"
#include "supplies.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Where a frame goes and what it costs.
struct placement {
    lane_id to = lane_id::data;
    std::size_t size = 0;            ///< wire bytes
    bool whole = false;              ///< in a segment of its own
    bool mark = false;               ///< no frame at all
    bool of_message = false;         ///< passes what waits for a fragmented message to end
    budget_waiter* waiter = nullptr; ///< linked when the answer is queue_full

    /// What a sender who waits must wait for: for a mark any room will do.
    [[nodiscard]] std::size_t charge() const noexcept { return mark ? 1 : ledger::charge_of(size, whole); }
};

class backlog {
public:
    explicit backlog(const writer_limits& limits) noexcept : accounts(limits) {}
    backlog(const backlog&) = delete;
    backlog& operator=(const backlog&) = delete;
    ~backlog() { workload::destroy(work); }

    /// By the budget; makes room where the policy says so, and links a sender that would wait for it.
    errc judge(const placement& where, supplies& out) noexcept {
        errc full = admit(where);
        if (full == errc::queue_full && where.to == lane_id::data && !where.mark && can_evict(where)) {
            while (full == errc::queue_full && evict_oldest(out)) full = admit(where);
        }
        if (full == errc::queue_full && where.waiter != nullptr) { // for whom there is a workload
            where.waiter->charge = where.charge();
            where.waiter->waits = true;
            work->waiters.push(*where.waiter);
        }
        return full;
    }

    /// By the budget as it stands once the queued frame of the same key, `same`, has left.
    errc judge_keyed(std::uint64_t key, std::size_t size, segment*& same, supplies& out) noexcept {
        const placement where{.size = size, .whole = true};
        errc full = admit_keyed(key, size, same);
        if (full != errc::queue_full || !can_evict(where)) return full;
        while (full == errc::queue_full && evict_oldest(out)) full = admit_keyed(key, size, same);
        return full;
    }

    errc admit_keyed(std::uint64_t key, std::size_t size, segment*& same) noexcept {
        const auto matches = [key](const segment& other) {
            return other.tag().keyed && other.tag().key == key;
        };
        same = work == nullptr ? nullptr : work->queue(lane_id::data).find(matches);
        if (same == nullptr && work != nullptr) same = work->held.find(matches);
        const relief gone = same == nullptr ? relief{} : relief{ledger::charge_of(same->size(), true), 1};
        return accounts.admit(lane_id::data, size, true, accounts.in_message(), gone);
    }

    /// Whether there is a workload to queue in. False when that takes memory: fresh.fetch(), then judge
    /// again.
    [[nodiscard]] bool find_work(supplies& fresh) noexcept {
        if (work == nullptr) work = std::exchange(fresh.work, nullptr);
        fresh.wanted_block = 0;
        return work != nullptr;
    }

    /// Where to put a small frame; nullptr when that takes memory.
    [[nodiscard]] segment* find_room(const placement& where, supplies& fresh) noexcept {
        segment* room = work->make_room(target(where), where.size, fresh.block);
        fresh.wanted_block = work->block_size;
        return room;
    }

    [[nodiscard]] mutable_bytes put_small(const placement& where, segment& room, supplies& out) noexcept {
        if (where.to == lane_id::pong && accounts.pongs_full()) drop_newest_pong(out);
        accounts.accept(where.to, where.size);
        return room.append(where.size);
    }

    /// A frame with a segment of its own, or a mark.
    void put_whole(const placement& where, segment* frame, supplies& out) noexcept {
        if (where.to == lane_id::pong && accounts.pongs_full()) drop_newest_pong(out);
        if (frame->frames() != 0) accounts.accept(where.to, where.size);
        if (where.to == lane_id::data) accounts.accept_block();
        target(where).push(frame);
    }

    void put_keyed(segment* frame, segment* same, supplies& out) noexcept {
        if (same != nullptr) {
            if (!work->queue(lane_id::data).unlink(same)) static_cast<void>(work->held.unlink(same));
            out.replaced.push(same);
            accounts.drop_one(lane_id::data, same->size(), true);
        }
        put_whole({.size = frame->size()}, frame, out);
    }

    /// What waited for the message follows it. True when there was something.
    [[nodiscard]] bool end_message() noexcept {
        accounts.close_message();
        if (work == nullptr || work->held.empty()) return false;
        work->queue(lane_id::data).splice(work->held);
        return true;
    }

    /// The workload, where nothing is in it and nobody waits.
    [[nodiscard]] workload* take_unused() noexcept {
        const bool used =
            work != nullptr && (has_incoming() || has_held() || has_flight() || !work->waiters.empty());
        return used ? nullptr : std::exchange(work, nullptr);
    }

    [[nodiscard]] bool has_incoming() const noexcept { return work != nullptr && work->has_incoming(); }
    [[nodiscard]] bool has_held() const noexcept { return work != nullptr && !work->held.empty(); }
    [[nodiscard]] bool has_flight() const noexcept { return work != nullptr && !work->in_flight.empty(); }
    [[nodiscard]] bool mid_frame() const noexcept { return work != nullptr && work->in_flight.mid_frame(); }
    [[nodiscard]] bool must_finish() const noexcept {
        return work != nullptr && work->in_flight.must_finish();
    }

    /// Unlinks the senders, in their order, for whom there is room now; everybody when `nobody_may_stay`.
    void grant(waiter_list& due, bool nobody_may_stay) noexcept {
        if (work == nullptr) return;
        std::size_t room = accounts.room(accounts.in_message());
        waiter_list& waiting = work->waiters;
        while (!waiting.empty() && (nobody_may_stay || waiting.first()->charge <= room)) {
            if (!nobody_may_stay) room -= waiting.first()->charge;
            waiting.first()->waits = false;
            due.push(waiting.pop());
        }
    }

    [[nodiscard]] bool evicts() const noexcept { return accounts.when_full() == overflow::drop_oldest; }

    workload* work = nullptr; ///< while busy
    [[no_unique_address]] ledger accounts;

private:
    /// Beyond the reserve the newest PING's answer will do (RFC 6455 §5.5.3): the one before it, where it was
    /// not taken for the flight yet, leaves. O(1), but for a newest one that somebody asked about.
    void drop_newest_pong(supplies& out) noexcept {
        lane& pongs = work->queue(lane_id::pong);
        segment* newest = pongs.back();
        if (newest != nullptr && newest->frames() == 0) // the room for the next one
            newest = pongs.before_last();
        if (newest == nullptr || newest->frames() == 0) return;
        if (!newest->is_whole()) {
            accounts.drop_one(lane_id::pong, newest->drop_last(), false);
        } else {
            accounts.drop_one(lane_id::pong, newest->size(), false);
            static_cast<void>(pongs.unlink(newest));
            out.replaced.push(newest);
        }
    }

    /// While a fragmented message is open, other data waits for it and leaves half of the budget to it: it must
    /// be able to end.
    [[nodiscard]] bool yields(const placement& where) const noexcept {
        return accounts.in_message() && where.to == lane_id::data && !where.of_message;
    }

    [[nodiscard]] errc admit(const placement& where) const noexcept {
        return where.mark ? accounts.admit_mark(yields(where))
                          : accounts.admit(where.to, where.size, where.whole, yields(where));
    }

    [[nodiscard]] lane& target(const placement& where) noexcept {
        return yields(where) ? work->held : work->queue(where.to);
    }

    /// Whether dropping what may be dropped would make room: nothing is dropped in vain.
    [[nodiscard]] bool can_evict(const placement& where) const noexcept {
        if (!evicts() || work == nullptr) return false;
        relief gain;
        for (const lane* queued : {&work->queue(lane_id::data), &work->held}) {
            for (const segment* item = queued->front(); item != nullptr; item = item->next) {
                if (item->tag().fragment || item->rest().empty()) continue;
                gain.frames += item->frames_left();
                gain.bytes += item->rest().size() + item->frames_left() * frame_overhead +
                              (item->is_whole() ? block_overhead : 0);
                if (accounts.admit(lane_id::data, where.size, where.whole, yields(where), gain) == errc::none)
                    return true;
            }
        }
        return false;
    }

    /// Drops the oldest whole message that is not being written. False when there is none, or the policy is
    /// another.
    [[nodiscard]] bool evict_oldest(supplies& out) noexcept {
        if (!evicts() || work == nullptr) return false;
        const auto droppable = [](const segment& item) {
            return !item.rest().empty() && !item.tag().fragment;
        };
        for (lane* queued : {&work->queue(lane_id::data), &work->held}) {
            segment* oldest = queued->find(droppable);
            if (oldest == nullptr) continue;
            const std::size_t size = oldest->first_size();
            accounts.drop_one(lane_id::data, size, oldest->is_whole());
            if (!oldest->is_whole()) oldest->take(size);
            if (!oldest->is_whole() && !oldest->rest().empty()) return true;
            if (oldest == queued->back() && !oldest->is_whole()) {
                oldest->reset(); // to be filled again
            } else {
                static_cast<void>(queued->unlink(oldest));
                out.evicted.push(oldest);
            }
            return true;
        }
        return false;
    }
};

} // namespace wsolo::inline WSOLO_ABI::detail
