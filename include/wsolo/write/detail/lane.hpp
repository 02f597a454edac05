// SPDX-License-Identifier: MIT
#pragma once
// One FIFO of a connection: its entries, and the block in which its small frames lie back to back.
//
// Laws of this file:
// - Entries leave from the front, as bytes are taken; only the newest frame can be taken back.
// - A lane fills one block at a time. An older block takes no more frames, and is freed when its last entry left.
// - The outbox's lock is held around every call.

#include "batch.hpp"
#include "entry.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

struct lane {
    lane() noexcept {
    } // NOLINT(modernize-use-equals-default): its zeros are stored one by one, not by a loop of bytes

    entry_list entries;
    block* filling = nullptr;  ///< where the next small frame goes
    std::size_t taken = 0;     ///< bytes of the first entry
    std::size_t last_size = 0; ///< of the newest frame
    std::uint32_t planned = 0; ///< entries from the first that a write names

    /// Whether a frame follows the newest ones in the same entry. A `closed` lane's entries do not grow while a write names
    /// them, so that its newest frame can still be taken back.
    [[nodiscard]] bool extends_run(std::size_t size, const on_outcome& done, bool closed) const noexcept {
        const entry* last = entries.last();
        return !done && last != nullptr && last->kind == entry_kind::run && last->home == filling &&
               filling->left() >= size && (!closed || planned == 0);
    }
    [[nodiscard]] static bool fits(const block* in, std::size_t size) noexcept {
        return in != nullptr && aligned(in->used) + sizeof(entry) + size <= in->capacity;
    }

    /// Where to write a frame that extends_run().
    [[nodiscard]] std::byte* extend(std::size_t size) noexcept {
        entry& run = *entries.last();
        std::byte* const at = filling->storage() + filling->used;
        run.size += size;
        ++run.frames;
        filling->used += static_cast<std::uint32_t>(size);
        last_size = size;
        return at;
    }
    /// A new entry, with its bytes after it, in the block, which has room for it.
    [[nodiscard]] entry* append(std::size_t size, const on_outcome& done) noexcept {
        auto* made = ::new (static_cast<void*>(filling->storage() + aligned(filling->used))) entry;
        made->bytes = made->after();
        made->size = size;
        made->done = done;
        made->home = filling;
        made->frames = 1;
        made->kind = done ? entry_kind::item : entry_kind::run;
        filling->used = aligned(filling->used) + static_cast<std::uint32_t>(sizeof(entry) + size);
        ++filling->entries;
        last_size = size;
        entries.push(made);
        return made;
    }

    /// Whether the newest frame is neither named by a write nor begun. O(entries).
    [[nodiscard]] bool can_take_back(bool is_begun) const noexcept {
        std::uint32_t count = 0;
        for (const entry* at = entries.first(); at != nullptr; at = at->next) ++count;
        return count > planned && !(is_begun && count == 1 && entries.first()->frames == 1);
    }
    /// Takes the newest frame out of its entry. Returns the entry, unlinked, if that was its last frame.
    [[nodiscard]] entry* take_back() noexcept {
        entry& newest = *entries.last();
        newest.size -= last_size;
        newest.home->used -= static_cast<std::uint32_t>(last_size);
        if (--newest.frames != 0) return nullptr;
        // Up to the end of the entry before it, which may be a run that goes on: no gap between its frames.
        const entry* const before = newest.previous;
        const bool goes_on = before != nullptr && before->home == newest.home;
        newest.home->used = static_cast<std::uint32_t>(
            goes_on ? before->bytes + before->size - newest.home->storage()
                    : reinterpret_cast<const std::byte*>(&newest) - newest.home->storage());
        entries.unlink(&newest);
        return &newest;
    }

    /// Names what a write may offer, after the `begun_rest` bytes of a frame that is named already.
    void plan(batch& out, lane_id id, std::size_t begun_rest) noexcept {
        std::size_t offset = taken + begun_rest;
        std::uint32_t frames_begun = begun_rest != 0 ? 1 : 0;
        planned = 0;
        for (const entry* item = entries.first(); item != nullptr && !out.full(); item = item->next) {
            if (item->kind == entry_kind::encodable) break; // it is to be encoded first
            const bool is_one = item->kind != entry_kind::run;
            out.add(id, {item->bytes + offset, item->size - offset}, item->frames - frames_begun, is_one);
            ++planned;
            offset = frames_begun = 0;
        }
        if (begun_rest != 0 && planned == 0) planned = 1;
    }

private:
    [[nodiscard]] static std::uint32_t aligned(std::uint32_t used) noexcept { return (used + 7U) & ~7U; }
};

} // namespace wsolo::inline WSOLO_ABI::detail
