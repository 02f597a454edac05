// SPDX-License-Identifier: MIT
#pragma once
// A queued item, apart from its bytes: an entry says what the item is and which sender asked for its outcome, and points to
// bytes in a block that it shares with its neighbours, in memory of its own, or in memory that it was given.
//
// Laws of this file:
// - A frame's bytes are contiguous and never move.
// - An entry that leaves in the order in which it came may lie in a block. An entry that may leave or wait out of turn owns
//   its memory. So a block never has a hole, and is freed as soon as its last entry left.
// - Plain data; the outbox's lock guards the links, the sizes and the blocks. The bytes are written before an entry is
//   queued, or under that lock.

#include "../../core/config.hpp"
#include "../../frame/shared_frame.hpp"
#include "../options.hpp"
#include "../outcome.hpp"

#include <cstring>
#include <new>
#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

/// Memory in which small frames lie back to back, each entry's header right before its bytes.
struct block {
    std::uint32_t capacity;    ///< of the bytes after this header
    std::uint32_t used = 0;    ///< of them, from the front
    std::uint32_t entries = 0; ///< that lie in here
    bool is_placed = false;    ///< in memory of another owner, which frees it
    block* next = nullptr;     ///< for a list of blocks that are to go

    [[nodiscard]] static block* make(std::uint32_t capacity) noexcept {
        void* memory = std::malloc(sizeof(block) + capacity);
        return memory == nullptr ? nullptr : ::new (memory) block{capacity};
    }
    [[nodiscard]] static block* place(void* memory, std::uint32_t capacity) noexcept {
        auto* placed = ::new (memory) block{capacity};
        placed->is_placed = true;
        return placed;
    }
    static void destroy(block* old) noexcept {
        if (old != nullptr && !old->is_placed) std::free(old);
    }

    [[nodiscard]] std::byte* storage() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    [[nodiscard]] std::uint32_t left() const noexcept { return capacity - used; }
};

enum class entry_kind : std::uint8_t {
    run,       ///< frames whose outcomes were not asked for, back to back in a block
    item,      ///< one frame
    encodable, ///< one frame that may be encoded before it leaves
    mark,      ///< no bytes: a flush
};

struct entry {
    enum class memory : std::uint8_t { in_block, own, shared, adopted };

    entry* next = nullptr;
    entry* previous = nullptr;
    const std::byte* bytes = nullptr;
    std::size_t size = 0;
    on_outcome done{};
    union {
        block* home = nullptr; ///< in a block
        std::uint64_t key;     ///< keyed, and so never in a block
        entry* next_mark;      ///< of a mark: the flush after this one
        std::size_t room;      ///< of one frame in memory of its own: the bytes after this header
    };
    std::uint32_t frames = 0; ///< not yet taken to their last byte
    std::uint32_t number = 0; ///< in the order of acceptance, modulo 2^32
    errc fate = errc::none;   ///< of a mark: the first drop before it; of what is displaced: why
    entry_kind kind = entry_kind::item;
    memory where = memory::in_block;
    bool is_keyed = false;
    bool may_drop = false; ///< for newer data

    /// One frame of `size` bytes in memory of its own, which the caller writes before it is queued; in that of `kept`, an
    /// entry with room for it, where there is one. nullptr when there is no memory; so for the next three.
    [[nodiscard]] static entry* make_own(std::size_t size, on_outcome done = {},
                                         entry* kept = nullptr) noexcept {
        if (size > static_cast<std::size_t>(-1) / 2) return nullptr;
        const std::size_t room = kept == nullptr ? size : kept->room;
        entry* made = kept == nullptr ? allocate(size, memory::own, done) : start(kept, memory::own, done);
        if (made == nullptr) return nullptr;
        made->bytes = made->after();
        made->size = size;
        made->room = room;
        return made;
    }
    /// In memory of malloc's: one frame of `size` bytes, which lies where after() is.
    [[nodiscard]] static entry* make_in(void* memory, std::size_t size) noexcept {
        entry* const made = start(memory, memory::own, {});
        made->bytes = made->after();
        made->size = made->room = size;
        return made;
    }
    [[nodiscard]] static entry* make_copy(const_bytes frame, on_outcome done = {},
                                          entry* kept = nullptr) noexcept {
        entry* made = make_own(frame.size(), done, kept);
        if (made != nullptr) std::memcpy(made->after(), frame.data(), frame.size());
        return made;
    }
    /// One reference to a shared frame.
    [[nodiscard]] static entry* make_shared(const shared_frame& frame, on_outcome done) noexcept {
        return make_around(frame, memory::shared, done);
    }
    /// A frame in memory that the caller allocated. give_back() returns it.
    [[nodiscard]] static entry* make_adopted(owned_frame&& frame, on_outcome done) noexcept {
        return make_around(std::move(frame), memory::adopted, done);
    }
    [[nodiscard]] static entry* make_mark(on_outcome done) noexcept {
        entry* made = allocate(0, memory::own, done);
        if (made == nullptr) return nullptr;
        made->kind = entry_kind::mark;
        made->frames = 0;
        made->next_mark = nullptr;
        return made;
    }

    /// Precondition: not in a block; in no list.
    static void destroy(entry* old) noexcept {
        if (old == nullptr) return;
        if (old->where == memory::shared) old->around<shared_frame>().~shared_frame();
        if (old->where == memory::adopted) old->around<owned_frame>().~owned_frame();
        std::free(old);
    }
    /// Destroys the entry, and calls its callback after that: the memory is free again when the callback runs.
    static void destroy_and_tell(entry* old) noexcept {
        const on_outcome done = old->done;
        const errc how = old->fate;
        destroy(old);
        done(how);
    }

    /// Precondition: made by make_own(), not queued.
    [[nodiscard]] mutable_bytes writable() noexcept { return {after(), size}; }
    /// Precondition: made by make_adopted(), not queued.
    [[nodiscard]] owned_frame give_back() noexcept { return std::move(around<owned_frame>()); }

    /// Precondition: made by make_shared().
    [[nodiscard]] const shared_frame& shared() const noexcept {
        return *std::launder(reinterpret_cast<const shared_frame*>(this + 1));
    }

    [[nodiscard]] std::byte* after() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

private:
    static entry* allocate(std::size_t more, memory where, on_outcome done) noexcept {
        void* memory = std::malloc(sizeof(entry) + more);
        return memory == nullptr ? nullptr : start(memory, where, done);
    }
    static entry* start(void* memory, entry::memory where, on_outcome done) noexcept {
        auto* made = ::new (memory) entry;
        made->where = where;
        made->done = done;
        made->frames = 1;
        return made;
    }
    template <class Frame>
    static entry* make_around(Frame&& frame, memory where, on_outcome done) noexcept {
        using kept_type = std::remove_cvref_t<Frame>;
        entry* made = allocate(sizeof(kept_type), where, done);
        if (made == nullptr) return nullptr;
        const auto* kept = ::new (static_cast<void*>(made->after())) kept_type(std::forward<Frame>(frame));
        made->bytes = kept->bytes().data();
        made->size = kept->bytes().size();
        return made;
    }
    template <class Frame>
    [[nodiscard]] Frame& around() noexcept {
        return *std::launder(reinterpret_cast<Frame*>(after()));
    }
};

static_assert(sizeof(entry) + alignof(entry) <= entry_overhead,
              "the budget charges what an entry costs in a block");
static_assert(sizeof(entry) + 16 <= entry_overhead + frame_overhead,
              "and what it costs in memory of its own");

/// A doubly linked FIFO. Owns nothing.
class entry_list {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] entry* first() const noexcept { return first_; }
    [[nodiscard]] entry* last() const noexcept { return last_; }

    void push(entry* added) noexcept {
        added->next = nullptr;
        added->previous = last_;
        (last_ == nullptr ? first_ : last_->next) = added;
        last_ = added;
    }
    /// `made` takes the place of `old`.
    void replace(entry* old, entry* made) noexcept {
        made->next = old->next;
        made->previous = old->previous;
        (old->previous == nullptr ? first_ : old->previous->next) = made;
        (old->next == nullptr ? last_ : old->next->previous) = made;
    }
    void unlink(entry* old) noexcept {
        (old->previous == nullptr ? first_ : old->previous->next) = old->next;
        (old->next == nullptr ? last_ : old->next->previous) = old->previous;
    }
    [[nodiscard]] entry* pop() noexcept {
        entry* old = first_;
        if (old != nullptr) unlink(old);
        return old;
    }
    /// Moves everything of `from` to this list's end. O(1).
    void splice(entry_list& from) noexcept {
        if (from.empty()) return;
        from.first_->previous = last_;
        (last_ == nullptr ? first_ : last_->next) = from.first_;
        last_ = from.last_;
        from.first_ = from.last_ = nullptr;
    }

private:
    entry* first_ = nullptr;
    entry* last_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
