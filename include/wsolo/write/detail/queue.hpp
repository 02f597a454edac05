// SPDX-License-Identifier: MIT
#pragma once
// Everything queued on one connection: four lanes of entries, the blocks of the small frames among them, the data that
// waits for a fragmented message to end, and the senders that wait for room. One heap block, there while the writer is
// busy; the first small frames may lie in it.
//
// Laws of this file:
// - The outbox's lock is held around every call, but for `write_deadline` and `has_slept`, which are the running thread's.
// - judge() changes nothing; displace() and place() can't fail. Between them lies only finding memory.
// - What a write names (the first `planned` entries of a lane) stays until that write is accounted for; but a mark, which
//   has no bytes, may be withdrawn: then one entry more than needed stays.
// - An entry owns its memory when it may leave or wait out of turn; all others lie in their lane's blocks, in order.

#include "../../core/detail/exchange.hpp"
#include "accounts.hpp"
#include "lane.hpp"
#include "spares.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

[[nodiscard]] constexpr time_point earlier(time_point a, time_point b) noexcept { return a < b ? a : b; }

/// Where a frame stands in a fragmented message.
enum class message_part : std::uint8_t { none, part, last };

/// How a close is bounded, and what it says.
struct closing {
    close_code code = close_code::abnormal;
    time_point drain_deadline = no_deadline;
};

/// What is to be queued.
struct offer {
    std::size_t size = 0; ///< wire bytes
    on_outcome done{};
    lane_id to = lane_id::data;
    message_part part = message_part::none;
    bool is_mark = false;
    bool is_encodable = false; ///< it may be encoded before it leaves
    bool is_awaited = false;   ///< a mark for which a thread sleeps: there are no more of them than threads
    bool may_displace = false; ///< whether something queued may give way to it
    room_waiter* waiter = nullptr;  ///< of a sender that waits where there is no room
    const closing* close = nullptr; ///< of a Close frame

    [[nodiscard]] bool is_close() const noexcept { return close != nullptr; }

    /// Whether it comes for room that was granted.
    [[nodiscard]] bool is_granted() const noexcept {
        return waiter != nullptr && waiter->state == room_state::granted;
    }
    [[nodiscard]] bool is_plain_data() const noexcept {
        return to == lane_id::data && part == message_part::none && !is_close();
    }
};

/// How far the entries of one write are encoded.
struct encoding_scan {
    /// The last one that was claimed, or the encoded form in its place. It stays in the lane until the write, because what is claimed
    /// can be neither replaced nor dropped, and only the thread that holds the turn writes.
    entry* last = nullptr;
    std::size_t bytes = 0;   ///< of the write
    std::size_t entries = 0; ///< that it names
    std::size_t plain = 0;   ///< bytes of those that were claimed
    std::size_t growth = 0;  ///< bytes that `last` may grow by: the budget keeps them for it meanwhile

    /// Of messages that are encoded before one write (writer_options::max_gather): what it costs delays the bytes that could leave.
    static constexpr std::size_t quantum = std::size_t{64} * 1024;
};

/// What judge() says.
struct [[nodiscard]] verdict {
    errc error = errc::none;
    bool displaces = false; ///< something is to give way first
};

class queue {
public:
    /// With room for small frames, or, where the first one owns its memory, without: most writers are idle again after it.
    /// nullptr when there is no memory.
    [[nodiscard]] static queue* make(bool with_room = true) noexcept {
        return make_of(with_room ? heap_bytes : 0);
    }
    /// With room for a first frame of `size` bytes, a small one.
    [[nodiscard]] static queue* make_for(std::size_t size) noexcept {
        const std::size_t least = sizeof(queue) + sizeof(block) + sizeof(entry) + size;
        return make_of(least < heap_bytes ? heap_bytes : least);
    }
    static void destroy(queue* old) noexcept {
        if (old == nullptr) return;
        old->~queue();
        std::free(old);
    }
    queue(const queue&) = delete;
    queue& operator=(const queue&) = delete;

    [[nodiscard]] bool has_entries() const noexcept {
        for (const lane& each : lanes_) {
            if (!each.entries.empty()) return true;
        }
        return false;
    }
    /// Data that waits for the open message to end.
    [[nodiscard]] bool has_deferred() const noexcept { return !after_message_.empty(); }
    /// Whether the wire ends inside a frame: nothing but that frame's rest may follow.
    [[nodiscard]] bool mid_frame() const noexcept { return begun_rest_ != 0; }
    /// What even an abort lets out: the rest of a frame that was begun, and what the handshake wrote.
    [[nodiscard]] bool must_finish() const noexcept {
        return mid_frame() || !of(lane_id::greeting).entries.empty();
    }
    /// Room that was granted is kept here until its sender comes for it.
    [[nodiscard]] bool is_unused() const noexcept {
        return !has_entries() && !has_deferred() && waiters.empty() && held.reserved_frames == 0;
    }

    /// Whether all that is queued is one entry of data, with nothing beside it that waits for room or for its turn.
    [[nodiscard]] bool has_one_entry() const noexcept {
        return held.entries == 1 && held.control_bytes == 0 && held.greeting_bytes == 0 && waiters.empty() &&
               held.reserved_frames == 0;
    }
    /// That entry, where its outcome was not asked for and nothing of it was written; nullptr otherwise.
    [[nodiscard]] const entry* sole() const noexcept {
        const lane& data = of(lane_id::data);
        const entry* const item = data.entries.first(); // nullptr: it waits for the open message to end
        const bool is_sole = has_one_entry() && item != nullptr && data.taken == 0;
        return is_sole && !item->done && item->kind < entry_kind::encodable ? item : nullptr;
    }

    // ---- in

    /// Whether other data than the open message's own waits for that message's end, and leaves it half of the budget.
    [[nodiscard]] static bool is_deferred(const offer& what, const auto& books) noexcept {
        return books.in_message() && what.is_plain_data();
    }

    /// Whether a small frame follows the lane's newest ones in the same entry.
    [[nodiscard]] bool extends_run(const offer& what) const noexcept {
        return of(what.to).extends_run(what.size, what.done, what.to != lane_id::data);
    }

    /// Whether a plain data frame is accepted without more ado: it follows the newest ones in the same entry, fits, and
    /// overtakes nothing.
    [[nodiscard]] bool follows(std::size_t size, const on_outcome& done, const auto& books) const noexcept {
        return of(lane_id::data).extends_run(size, done, false) && books.is_inline(size) &&
               books.keeps_order() && waiters.empty() && books.admits_next(held, size);
    }
    /// Where to write it.
    [[nodiscard]] std::byte* follow(std::size_t size) noexcept {
        held.add(lane_id::data, size, 1);
        return of(lane_id::data).extend(size);
    }

    /// Whether it fits: errc::none, queue_full or too_large; and whether displace() is to make its room. `same`: the queued
    /// item that it would replace. Changes nothing. O(1); O(entries) where items would give way.
    [[nodiscard]] verdict judge(const offer& what, std::size_t charge, const entry* same,
                                const auto& books) const noexcept {
        if (what.to != lane_id::data || what.is_close() || what.is_mark) return judge_other(what, books);
        const bool half = is_deferred(what, books);
        const bool is_granted = what.is_granted();
        relief leaving;
        if (same != nullptr) leaving = {charge_of(*same), 1};
        if (is_granted) leaving = {leaving.charge + what.waiter->charge, leaving.frames + 1};
        // First come, first served: a newcomer gets no room but what it brings along.
        const bool overtakes = !waiters.empty() && !is_granted && what.part == message_part::none;
        if (overtakes && charge > leaving.charge)
            return {books.admit({}, charge, half) == errc::too_large ? errc::too_large : errc::queue_full};
        const errc now = books.admit(held, charge, half, leaving);
        if (now != errc::queue_full) return {now, leaving.frames != 0};
        if (books.when_full() != overflow::drop_oldest) return {now};
        return {judge_dropping(charge, half, same, leaving, books), true};
    }

    /// The queued item of this key that a write does not name, or nullptr. O(entries).
    [[nodiscard]] entry* find(std::uint64_t key) const noexcept {
        entry* found = nullptr;
        const auto is_same = [&](entry& old) {
            if (old.is_keyed && old.key == key) found = &old;
            return found == nullptr;
        };
        for_each_waiting(is_same);
        return found;
    }

    /// Makes the room that judge() found: what gives way goes to `todo`.
    void displace(const offer& what, std::size_t charge, entry* same, auto& books, errands& todo) noexcept {
        if (what.is_granted()) give_back(*what.waiter);
        if (what.to == lane_id::pong) return replace_newest_pong(books, todo);
        if (same != nullptr) drop(same, errc::conflated, books, todo);
        while (books.admit(held, charge, is_deferred(what, books)) == errc::queue_full) {
            entry* oldest = nullptr;
            for_each_droppable([&](entry& old) { return (oldest = &old) == nullptr; });
            if (oldest == nullptr) return;
            drop(oldest, errc::dropped_oldest, books, todo);
        }
    }

    /// A block with room for a small frame, from the lane's own, the spare one, or `fresh`. False when that takes memory:
    /// a fresh block of wanted_block() bytes.
    [[nodiscard]] bool find_room(const offer& what, block*& fresh, const auto& books,
                                 errands& todo) noexcept {
        lane& to = of(what.to);
        if (lane::fits(to.filling, what.size)) return true;
        // A control lane holds little: it takes no large block.
        const bool may_take = sizeof(entry) + what.size <= spares_.block_capacity() &&
                              (what.to == lane_id::data || spares_.block_capacity() <= accounts::least_block);
        block* next = may_take ? spares_.take_block() : nullptr;
        if (next == nullptr && lane::fits(fresh, what.size)) {
            next = detail::exchange(fresh, nullptr);
            spares_.shrink(books.most_kept(held), todo);
            if (what.to == lane_id::data && block_size_ < accounts::most_block) block_size_ *= 4;
        }
        if (next == nullptr) return false;
        if (what.to == lane_id::data && to.filling != nullptr) full_bytes_ += to.filling->used;
        if (to.filling != nullptr && to.filling->entries == 0)
            spares_.keep(to.filling, books.most_kept(held), todo);
        to.filling = next;
        return true;
    }
    /// Memory that a large frame left, for another one. nullptr: there is none of that size.
    [[nodiscard]] entry* take_kept(std::size_t size) noexcept { return spares_.take_entry(size); }

    /// Blocks grow while traffic lasts, and start small again after an idle moment.
    [[nodiscard]] std::uint32_t wanted_block(const offer& what, const auto& books) const noexcept {
        if (what.to != lane_id::data) return accounts::least_block;
        return block_size_ < books.largest_block() ? block_size_ : books.largest_block();
    }

    /// Bytes that small data took of its blocks while the writer was busy.
    [[nodiscard]] std::size_t small_bytes() const noexcept {
        const block* const last = of(lane_id::data).filling;
        return full_bytes_ + (last == nullptr || last->used < most_filled_ ? most_filled_ : last->used);
    }

    /// Where to write a small frame, which extends_run() or has found room.
    [[nodiscard]] std::byte* place_small(const offer& what, bool extends) noexcept {
        if (!extends) return append_small(what.to, what.size, what.done);
        held.add(what.to, what.size, 1);
        return of(what.to).extend(what.size);
    }
    /// Where to write the first one. Precondition: made with room for it, and not used yet.
    [[nodiscard]] std::byte* place_first(std::size_t size, const on_outcome& done) noexcept {
        of(lane_id::data).filling = spares_.take_block();
        return append_small(lane_id::data, size, done);
    }

    /// Queues an entry that owns its memory.
    void place(const offer& what, entry* owned, const auto& books, errands& todo) noexcept {
        held.add(what.to, owned->size, owned->frames);
        if (what.to == lane_id::data) {
            owned->number = next_number_++;
            ++held.entries;
            owned->may_drop =
                books.when_full() == overflow::drop_oldest && what.is_plain_data() && !what.is_mark;
            spares_.shrink(books.most_kept(held), todo);
        }
        if (what.is_mark) add_mark(owned);
        // A mark stands after what was accepted before it, and waits for nothing later.
        const bool waits = is_deferred(what, books) && !(what.is_mark && after_message_.empty());
        (waits ? after_message_ : of(what.to).entries).push(owned);
    }

    /// Takes the mark back whose outcome goes to `context`. False: it has left. O(marks).
    [[nodiscard]] bool withdraw_mark(const void* context, errands& todo) noexcept {
        entry* before = nullptr;
        entry* mark = first_mark_;
        for (; mark != nullptr && mark->done.context != context; mark = mark->next_mark) before = mark;
        if (mark == nullptr) return false;
        (before == nullptr ? first_mark_ : before->next_mark) = mark->next_mark;
        if (last_mark_ == mark) last_mark_ = before;
        list_of(*mark).unlink(mark);
        if (held.entries != 0) --held.entries; // after drop_all() the books hold nothing
        todo.free(mark);
        return true;
    }

    /// The open message is over: what waited for that follows it.
    void end_message() noexcept { of(lane_id::data).entries.splice(after_message_); }

    // ---- senders that wait

    void wait(room_waiter& waiter, std::size_t charge) noexcept {
        if (waiter.state == room_state::granted)
            give_back(waiter); // it came before those that wait
        else
            waiter.number = next_waiter_++;
        waiters.insert(waiter);
        waiter.charge = charge;
        waiter.state = room_state::waits;
    }
    /// Room for those who wait, in their order.
    void grant(const auto& books, room_queue& due) noexcept {
        while (!waiters.empty() &&
               books.admit(held, waiters.first()->charge, books.in_message()) == errc::none) {
            room_waiter& next = waiters.pop();
            next.state = room_state::granted;
            held.reserved_bytes += next.charge;
            ++held.reserved_frames;
            due.push(next);
        }
    }
    void end_waits(room_queue& due) noexcept {
        while (!waiters.empty()) {
            room_waiter& next = waiters.pop();
            next.state = room_state::ended;
            due.push(next);
        }
    }
    /// What was granted and is taken now, or not wanted any more.
    void give_back(room_waiter& waiter) noexcept {
        held.reserved_bytes -= waiter.charge;
        --held.reserved_frames;
        waiter.state = room_state::none;
    }

    // ---- out

    /// The next frame, after those of `scan`, that the next write would name and that is to be encoded first, or nullptr. It gives
    /// way to nothing any more. `max_bytes`: of one write. Over all calls for one write O(its entries).
    [[nodiscard]] entry* claim_encodable(encoding_scan& scan, std::size_t max_bytes,
                                         const auto& books) noexcept {
        entry* item = scan.last == nullptr ? of(lane_id::data).entries.first() : scan.last->next;
        for (; item != nullptr; item = item->next) {
            if (scan.entries == batch::max_entries || scan.bytes >= max_bytes ||
                scan.plain >= encoding_scan::quantum)
                return nullptr;
            ++scan.entries;
            if (item->kind == entry_kind::encodable) break;
            scan.bytes += item->size;
        }
        if (item == nullptr) return nullptr;
        if (detail::exchange(item->is_keyed, false)) item->room = item->size; // the key's place
        item->may_drop = false;
        scan.plain += item->size;
        scan.growth =
            item->where == entry::memory::shared ? 0 : books.encoding_growth(held); // a form is shorter
        held.reserved_bytes += scan.growth;
        return scan.last = item;
    }
    /// What was claimed last is encoded: `made` takes its place, or it leaves as it is where that is null.
    void settle_encoded(encoding_scan& scan, entry* made, const auto& books, errands& todo) noexcept {
        entry* const plain = scan.last;
        plain->kind = entry_kind::item;
        held.reserved_bytes -= scan.growth;
        scan.bytes += made == nullptr ? plain->size : made->size;
        if (made == nullptr) return;
        scan.last = made;
        made->number = plain->number;
        made->done = detail::exchange(plain->done, {});
        held.data_bytes += made->size - plain->size;
        of(lane_id::data).entries.replace(plain, made);
        if (plain->where == entry::memory::own)
            spares_.keep(plain, books.most_kept(held), todo);
        else
            todo.free(plain);
    }

    /// The next write; with `only_what_must`, just what an abort still lets out.
    void plan(batch& out, bool only_what_must) noexcept {
        out.clear();
        if (begun_rest_ != 0) {
            const lane& from = of(begun_);
            out.add(begun_, {from.entries.first()->bytes + from.taken, begun_rest_}, 1, true);
        }
        for (const lane_id id : all_lanes) {
            lane& from = of(id);
            if (from.entries.empty()) continue; // it names none
            const std::size_t begun_rest = begun_ == id ? begun_rest_ : 0;
            if (only_what_must && id != lane_id::greeting)
                from.planned = begun_rest != 0 ? 1 : 0;
            else
                from.plan(out, id, begun_rest);
        }
    }

    /// A write names the one entry that there is.
    void note_planned_sole() noexcept { of(lane_id::data).planned = 1; }

    /// The write is over, or there was none: what it took leaves, and so do the marks that have nothing before them.
    void account(const taken& done, auto& books, errands& todo) noexcept {
        for (const lane_id id : all_lanes) {
            lane& from = of(id);
            if (from.entries.empty()) continue;
            from.planned = 0;
            books.settle(held, id, done[id]);
            consume(from, done[id], books.most_kept(held), todo);
        }
        const lane& data = of(lane_id::data);
        const entry* oldest = data.entries.first();
        const bool lingers = oldest != nullptr && oldest->where != entry::memory::in_block;
        held.lingering = lingers ? data.taken : 0;
        if (done.bytes() != 0) {
            begun_ = done.begun;
            begun_rest_ = done.begun_rest;
        }
    }

    // ---- the end

    /// Everything leaves, unwritten; but what a write in flight still names only loses its outcome. The books were told
    /// before. True when there is more than `todo` has place for.
    [[nodiscard]] bool drop_some(errc why, errands& todo) noexcept {
        for (lane& from : lanes_) {
            entry* item = from.entries.first();
            for (std::uint32_t at = 0; at != from.planned && item != nullptr; ++at, item = item->next) {
                if (!item->done) continue;
                if (!todo.has_place()) return true;
                todo.tell(detail::exchange(item->done, {}), outcome_of(*item, why));
            }
            while (item != nullptr) {
                if (!todo.has_place()) return true;
                entry* const next = item->next;
                from.entries.unlink(item);
                todo.tell(item->done, outcome_of(*item, why));
                release(&from, item, 0, todo);
                item = next;
            }
        }
        while (!after_message_.empty()) {
            if (!todo.has_place()) return true;
            entry* const item = after_message_.pop();
            todo.tell(item->done, outcome_of(*item, why));
            release(nullptr, item, 0, todo);
        }
        return false;
    }

    /// When a parked writer must be looked at again.
    [[nodiscard]] time_point deadline() const noexcept { return earlier(write_deadline, close_deadline); }

    holdings held;
    room_queue waiters;
    time_point close_deadline = no_deadline;
    time_point gate_deadline = no_deadline;  ///< of the handshake
    time_point write_deadline = no_deadline; ///< of the write that stands; the running thread's own
    bool has_slept = false; ///< through that deadline, without progress since; the same thread's

private:
    explicit queue(std::size_t heap) noexcept : spares_(heap > sizeof(queue) ? first_block(heap) : nullptr) {}
    ~queue() {
        for (lane& each : lanes_) {
            for (entry* item = each.entries.first(); item != nullptr;) {
                entry* const next = item->next;
                if (item->where != entry::memory::in_block) {
                    entry::destroy(item);
                } else if (--item->home->entries == 0 && item->home != each.filling) {
                    block::destroy(item->home);
                }
                item = next;
            }
            block::destroy(each.filling);
        }
        while (entry* item = after_message_.pop()) entry::destroy(item);
    }

    static constexpr std::size_t heap_bytes =
        1024; // the first small frames lie in what this object leaves of it

    [[nodiscard]] static queue* make_of(std::size_t heap) noexcept {
        void* memory = std::malloc(heap < sizeof(queue) ? sizeof(queue) : heap);
        return memory == nullptr ? nullptr : ::new (memory) queue(heap);
    }
    [[nodiscard]] block* first_block(std::size_t heap) noexcept {
        return block::place(this + 1, static_cast<std::uint32_t>(heap - sizeof(queue) - sizeof(block)));
    }
    [[nodiscard]] std::byte* append_small(lane_id to, std::size_t size, const on_outcome& done) noexcept {
        held.add(to, size, 1);
        entry* const made = of(to).append(size, done);
        if (to == lane_id::data) {
            made->number = next_number_++;
            ++held.entries;
        }
        return made->after();
    }

    [[nodiscard]] lane& of(lane_id id) noexcept { return lanes_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const lane& of(lane_id id) const noexcept { return lanes_[static_cast<std::size_t>(id)]; }

    [[nodiscard]] static std::size_t charge_of(const entry& item) noexcept {
        return accounts::charge_of(item.size);
    }

    [[nodiscard]] verdict judge_other(const offer& what, const auto& books) const noexcept {
        if (what.is_mark)
            return {what.is_awaited ? errc::none : books.admit_mark(held, is_deferred(what, books))};
        if (what.to == lane_id::pong && books.pongs_full(held))
            return {what.may_displace ? errc::none : errc::queue_full, true};
        return {what.is_close() ? errc::none : books.admit_control(held, what.to, what.size)};
    }
    /// With the oldest items gone, as many as it takes.
    [[nodiscard]] errc judge_dropping(std::size_t charge, bool half, const entry* same, relief leaving,
                                      const auto& books) const noexcept {
        errc fits_then = errc::queue_full;
        for_each_droppable([&](const entry& old) {
            if (&old == same) return true;
            leaving = {leaving.charge + charge_of(old), leaving.frames + 1};
            fits_then = books.admit(held, charge, half, leaving);
            return fits_then == errc::queue_full;
        });
        return fits_then;
    }

    /// Calls visit(entry&) for the data that no write has named or begun, oldest first, until it answers false.
    template <class Visit>
    void for_each_waiting(Visit visit) const noexcept {
        const lane& data = of(lane_id::data);
        std::uint32_t skip = data.planned;
        if (skip == 0 && begun_rest_ != 0 && begun_ == lane_id::data) skip = 1;
        for (entry* item = data.entries.first(); item != nullptr; item = item->next) {
            if (skip != 0)
                --skip;
            else if (!visit(*item))
                return;
        }
        for (entry* item = after_message_.first(); item != nullptr; item = item->next) {
            if (!visit(*item)) return;
        }
    }
    template <class Visit>
    void for_each_droppable(Visit visit) const noexcept {
        for_each_waiting([&](entry& item) { return !item.may_drop || visit(item); });
    }

    /// The list that `item`, data, is in. (Where it is neither first nor last, unlinking it from either is the same.)
    [[nodiscard]] entry_list& list_of(const entry& item) noexcept {
        const bool is_deferred = &item == after_message_.first() || &item == after_message_.last();
        return is_deferred ? after_message_ : of(lane_id::data).entries;
    }

    /// One item gives way to a newer one. Each flush after it says so.
    void drop(entry* old, errc why, auto& books, errands& todo) noexcept {
        books.drop(held, old->size);
        list_of(*old).unlink(old);
        for (entry* mark = first_mark_; mark != nullptr; mark = mark->next_mark) {
            const bool is_after = static_cast<std::int32_t>(mark->number - old->number) > 0;
            if (is_after && mark->fate == errc::none) mark->fate = why;
        }
        // A flush that had only this to wait for waits for the message no more.
        while (after_message_.first() != nullptr && after_message_.first()->kind == entry_kind::mark)
            of(lane_id::data).entries.push(after_message_.pop());
        old->fate = why;
        if (old->done)
            todo.displace(old);
        else
            todo.free(old);
    }

    /// RFC 6455 §5.5.3: the newest PING's answer will do. The one before it leaves, unless a write names it.
    void replace_newest_pong(auto& books, errands& todo) noexcept {
        lane& pongs = of(lane_id::pong);
        if (!pongs.can_take_back(begun_rest_ != 0 && begun_ == lane_id::pong)) return;
        books.replace_pong(held, pongs.last_size);
        entry* const empty = pongs.take_back();
        if (empty == nullptr) return;
        todo.tell(empty->done, errc::conflated);
        release(&pongs, empty, books.most_kept(held), todo);
    }

    void consume(lane& from, const taken::share& done, std::size_t may_keep, errands& todo) noexcept {
        std::uint32_t frames = done.frames;
        from.taken += done.bytes;
        while (entry* item = from.entries.first()) {
            if (from.taken < item->size || !todo.has_place()) break;
            from.taken -= item->size;
            frames -= item->frames;
            from.entries.unlink(item);
            todo.tell(item->done, outcome_of(*item, errc::none));
            if (&from == &of(lane_id::data)) --held.entries;
            release(&from, item, may_keep, todo);
        }
        if (!from.entries.empty()) from.entries.first()->frames -= frames;
    }

    /// What became of an entry that leaves for `why`; a flush remembers the first drop before it.
    [[nodiscard]] static errc outcome_of(const entry& item, errc why) noexcept {
        return item.kind == entry_kind::mark && item.fate != errc::none ? item.fate : why;
    }

    void add_mark(entry* mark) noexcept {
        (last_mark_ == nullptr ? first_mark_ : last_mark_->next_mark) = mark;
        last_mark_ = mark;
    }

    /// Gives the memory of an unlinked entry back, or keeps it. `from`: its lane, if it may lie in one of its blocks.
    void release(lane* from, entry* old, std::size_t may_keep, errands& todo) noexcept {
        if (old->kind == entry_kind::mark) { // marks leave in the order in which they came
            first_mark_ = old->next_mark;
            if (first_mark_ == nullptr) last_mark_ = nullptr;
            return todo.free(old);
        }
        if (old->where == entry::memory::own && !old->is_keyed) return spares_.keep(old, may_keep, todo);
        if (old->where != entry::memory::in_block) return todo.free(old);
        block* const home = old->home;
        if (--home->entries != 0) return;
        if (from == nullptr || home != from->filling) return spares_.keep(home, may_keep, todo);
        if (from == &of(lane_id::data) && home->used > most_filled_) most_filled_ = home->used;
        home->used = 0;
    }

    lane lanes_[lane_count];
    entry_list after_message_; ///< data that waits for a fragmented message to end
    spares spares_;
    entry* first_mark_ = nullptr;
    entry* last_mark_ = nullptr;
    std::size_t begun_rest_ = 0; ///< bytes of the frame in which the wire ends
    std::uint32_t next_number_ = 0;
    std::uint32_t next_waiter_ = 0;
    std::uint32_t block_size_ = accounts::least_block;
    std::uint32_t most_filled_ = 0; ///< bytes of a block of data that was emptied, and goes on being filled
    std::size_t full_bytes_ = 0;    ///< bytes of the blocks that data filled before the one that it fills
    lane_id begun_ = lane_id::data;
};

static_assert(batch::max_entries <= errands::max_outcomes, "what one write took is told at once");

} // namespace wsolo::inline WSOLO_ABI::detail
