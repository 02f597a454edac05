// SPDX-License-Identifier: MIT
#pragma once
// A FIFO of messages in blocks of about 1 KiB: the producers' end grows under a lock, the drainer works at
// the other end in place, without it.
//
// Laws of this file:
// - A slot that front() showed is the drainer's until drop_front(): put() never touches it, and blocks stay
//   where they are.
// - Nothing here allocates or frees: blocks come from and go to the caller, which holds no lock then.
// - An empty queue owns no block after release_idle().

#include "../../core/config.hpp"
#include "../../core/detail/exchange.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

/// A message in its place, and what push() said of its size.
template <class Message>
class message_slot {
public:
    void fill(Message&& message, std::size_t bytes) noexcept {
        ::new (static_cast<void*>(storage_)) Message(std::move(message));
        bytes_ = bytes;
    }
    [[nodiscard]] Message& message() noexcept { return *std::launder(reinterpret_cast<Message*>(storage_)); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    void destroy() noexcept { message().~Message(); }

private:
    alignas(Message) std::byte storage_[sizeof(Message)];
    std::size_t bytes_;
};

/// Linked by `next`. Slots from `begin` to `end` are full.
template <class Message>
struct message_block {
    using slot = message_slot<Message>;
    static constexpr std::size_t wanted_size = 1008; // malloc's own header still fits into 1 KiB
    static constexpr std::size_t header_size = 16;
    static constexpr std::size_t fitting = (wanted_size - header_size) / sizeof(slot);
    static constexpr std::uint32_t capacity = fitting < 2 ? 2 : static_cast<std::uint32_t>(fitting);

    message_block* next = nullptr;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    slot places[capacity];

    /// nullptr when there is no memory.
    [[nodiscard]] static message_block* make() noexcept { return new (std::nothrow) message_block; }

    /// Destroys a chain and the messages that are left in it. With no lock held.
    static void destroy(message_block* chain) noexcept {
        while (chain != nullptr) {
            message_block* const gone = detail::exchange(chain, chain->next);
            for (std::uint32_t at = gone->begin; at != gone->end; ++at) gone->places[at].destroy();
            delete gone;
        }
    }
};

/// Some messages in a row, in the drainer's hands.
template <class Message>
struct message_run {
    message_slot<Message>* first = nullptr;
    std::uint32_t count = 0;
};

/// See the file's laws. Not thread-safe: the inbox calls it under its lock. O(1) throughout.
template <class Message>
class message_blocks {
public:
    using block = message_block<Message>;
    using run = message_run<Message>;

    message_blocks() = default;
    message_blocks(const message_blocks&) = delete;
    message_blocks& operator=(const message_blocks&) = delete;
    ~message_blocks() { block::destroy(take_all()); }

    /// Whether there is a block; so it is while a message waits.
    [[nodiscard]] bool has_memory() const noexcept { return tail_ != nullptr; }
    [[nodiscard]] bool empty() const noexcept { return tail_ == nullptr || head().begin == head().end; }

    /// Whether put() has a place; it takes `fresh` over, and makes it null, when it needs it.
    [[nodiscard]] bool find_room(block*& fresh) noexcept {
        if (tail_ != nullptr && tail_->end != block::capacity) return true;
        if (!has_spare()) {
            if (fresh == nullptr) return false;
            block* const made = detail::exchange(fresh, nullptr);
            if (tail_ == nullptr) {
                tail_ = made->next = made;
            } else {
                made->next = detail::exchange(tail_->next, made);
            }
        }
        tail_ = tail_->next;
        return true;
    }

    /// Precondition: find_room() said so.
    void put(Message&& message, std::size_t bytes) noexcept {
        tail_->places[tail_->end++].fill(std::move(message), bytes);
    }

    /// The oldest messages, `most` at most. Precondition: not empty.
    [[nodiscard]] run front(std::uint32_t most) noexcept {
        block& first = head();
        const std::uint32_t full = first.end - first.begin;
        return {first.places + first.begin, full < most ? full : most};
    }

    /// Forgets `count` messages that front() showed and the drainer destroyed. Returns a block to free, or
    /// null.
    [[nodiscard]] block* drop_front(std::uint32_t count) noexcept {
        if (count == 0) return nullptr;
        block& first = head();
        first.begin += count;
        if (first.begin != first.end) return nullptr;
        first.begin = first.end = 0;
        if (&first == tail_ || tail_->next == &first) return nullptr; // the tail, or the spare from now on
        block* const second = detail::exchange(tail_->next, &first);
        second->next = nullptr;
        return second;
    }

    /// Precondition: empty(). Returns the blocks that are left, for the caller to free.
    [[nodiscard]] block* release_idle() noexcept { return take_all(); }

    /// Everything, as a chain for the caller to destroy.
    [[nodiscard]] block* take_all() noexcept {
        block* const last = detail::exchange(tail_, nullptr);
        return last == nullptr ? nullptr : detail::exchange(last->next, nullptr);
    }

private:
    /// A head that is not the tail is never empty.
    [[nodiscard]] bool has_spare() const noexcept {
        return tail_ != nullptr && tail_->next != tail_ && tail_->next->begin == tail_->next->end;
    }
    /// Precondition: there is a block.
    [[nodiscard]] block& head() const noexcept { return has_spare() ? *tail_->next->next : *tail_->next; }

    /// Of a ring: after it comes the spare, an empty block if there is one, and then the head. A steady flow of messages uses the
    /// spare again instead of allocating.
    block* tail_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
