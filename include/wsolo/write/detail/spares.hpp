// SPDX-License-Identifier: MIT
#pragma once
// Memory that frames left, kept for the next ones while the writer is busy. A general allocator gives the top of its heap
// back to the system after each burst, and the next burst pays a page fault for every 4 KiB of its frames.
//
// Laws of this file:
// - Queued and kept memory together stay within the budget: a later push takes the place of kept memory. All of it is freed
//   when the writer is idle.
// - Last in, first out: what left last is still in the cache.
// - The outbox's lock is held around every call: memory that is not kept is handed to the errands.

#include "../../core/detail/exchange.hpp"
#include "errands.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

class spares {
public:
    /// `first`: an empty block, which costs nothing to keep, or nullptr.
    explicit spares(block* first) noexcept : blocks_(first) {}
    spares(const spares&) = delete;
    spares& operator=(const spares&) = delete;
    ~spares() {
        while (block* old = pop(blocks_)) block::destroy(old);
        while (entry* old = pop(entries_)) entry::destroy(old);
    }

    /// Bytes that are kept, but for one block.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    /// Of the blocks; 0 where there is none.
    [[nodiscard]] std::uint32_t block_capacity() const noexcept {
        return blocks_ == nullptr ? 0 : blocks_->capacity;
    }

    /// Precondition: there is one.
    [[nodiscard]] block* take_block() noexcept {
        block* const taken = pop(blocks_);
        if (blocks_ != nullptr) bytes_ -= blocks_->capacity;
        return taken;
    }
    /// An entry with memory for `size` bytes after it, and little more; nullptr where the newest one is none.
    [[nodiscard]] entry* take_entry(std::size_t size) noexcept {
        if (entries_ == nullptr || entries_->room < size || entries_->room - size > size / 8) return nullptr;
        bytes_ -= entries_->room;
        return pop(entries_);
    }

    /// Blocks of one capacity are kept, the greatest that came.
    void keep(block* empty, std::size_t most, errands& todo) noexcept {
        empty->used = 0;
        if (empty->capacity > block_capacity()) {
            while (blocks_ != nullptr) free(take_block(), todo);
        } else if (empty->capacity < block_capacity() || !has_room(empty->capacity, most)) {
            return free(empty, todo);
        }
        if (blocks_ != nullptr) bytes_ += empty->capacity;
        empty->next = detail::exchange(blocks_, empty);
    }
    /// Precondition: in memory of its own, without a key, and unlinked.
    void keep(entry* old, std::size_t most, errands& todo) noexcept {
        if (!has_room(old->room, most)) return todo.free(old);
        bytes_ += old->room;
        old->next = detail::exchange(entries_, old);
    }

    /// Keeps no more than `most`. O(1) where that is so already.
    void shrink(std::size_t most, errands& todo) noexcept {
        while (bytes_ > most && entries_ != nullptr) {
            bytes_ -= entries_->room;
            todo.free(pop(entries_));
        }
        while (bytes_ > most) free(take_block(), todo);
    }

private:
    [[nodiscard]] bool has_room(std::size_t bytes, std::size_t most) const noexcept {
        return bytes <= most && bytes_ <= most - bytes;
    }
    static void free(block* old, errands& todo) noexcept {
        if (!old->is_placed) todo.free(old);
    }
    template <class Node>
    [[nodiscard]] static Node* pop(Node*& first) noexcept {
        Node* const taken = first;
        if (taken != nullptr) first = taken->next;
        return taken;
    }

    block* blocks_;
    entry* entries_ = nullptr;
    std::size_t bytes_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail
