// SPDX-License-Identifier: MIT
#pragma once
// One encoded frame for any number of connections: encoded once, queued everywhere by pointer.
//
// Laws of this file:
// - Immutable once made, so any number of threads may read it; only the count is written, atomically.
// - One allocation holds count and bytes. The last holder frees it, whichever thread that is.
// - Unmasked, hence for servers only: a client's frames each need a key of their own (RFC 6455 §5.3).

#include "../core/detail/exchange.hpp"
#include "detail/frame_memory.hpp"
#include "encode.hpp"

#include <atomic>
#include <new>

namespace wsolo::inline WSOLO_ABI {

class shared_frame;
namespace detail {
template <class Make>
[[nodiscard]] result<shared_frame> make_shared_form(frame_spec spec, std::size_t most, std::size_t spare,
                                                    Make make) noexcept;
} // namespace detail

/// A counted reference to an encoded server frame. One pointer wide. As with std::shared_ptr, different
/// copies may be used from different threads, one copy may not.
class shared_frame {
public:
    /// Refers to nothing; bytes() is empty.
    shared_frame() noexcept = default;
    shared_frame(const shared_frame& other) noexcept : block_(other.block_) {
        // relaxed: the thread that copies already holds a reference, so nothing needs to be ordered
        if (block_ != nullptr) block_->count.fetch_add(1, std::memory_order_relaxed);
    }
    shared_frame(shared_frame&& other) noexcept : block_(detail::exchange(other.block_, nullptr)) {}
    shared_frame& operator=(const shared_frame& other) noexcept { return *this = shared_frame(other); }
    // Not by value: clang 14 does not destroy a parameter that was made of {} in a template.
    shared_frame& operator=(shared_frame&& other) noexcept {
        shared_frame fresh(std::move(other));
        std::swap(block_, fresh.block_);
        return *this;
    }
    ~shared_frame() { drop(); }

    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }

    /// The encoded frame. Valid while any copy of this reference lives.
    [[nodiscard]] const_bytes bytes() const noexcept {
        if (block_ == nullptr) return {};
        return {reinterpret_cast<const std::byte*>(block_ + 1), block_->size};
    }

    /// Whether it is a whole text or binary message, and not a control frame or a part of a message.
    [[nodiscard]] bool is_message() const noexcept { return block_ != nullptr && block_->is_message; }

    /// The same message in another form (compressed, say, by itself), made by the first caller that asks for it and kept with
    /// the frame: `make()` returns it; or an empty reference: there is none, for all; or why it has none now (out_of_memory), and
    /// then the next caller asks again. Two threads at once may both make it; one is kept. Its memory is the frame's: no connection
    /// counts it. Precondition: refers to a frame; form < forms.
    template <class Make>
    [[nodiscard]] shared_frame other_form(std::size_t form, Make make) const noexcept {
        std::atomic<block*>& place = block_->others[form];
        block* known = place.load(std::memory_order_acquire);
        if (known == nullptr) {
            result<shared_frame> answer = make();
            if (!answer) return {};
            shared_frame made = *std::move(answer);
            block* const mine = made.block_ == nullptr ? block_ : made.block_; // itself: there is none
            if (place.compare_exchange_strong(known, mine, std::memory_order_acq_rel)) {
                known = mine;
                made.block_ = nullptr; // the frame's now
            }
        }
        if (known == block_) return {};
        known->count.fetch_add(1, std::memory_order_relaxed);
        return shared_frame(known);
    }
    /// How many other forms a frame can have.
    static constexpr std::size_t forms = 2;

    /// Whether both refer to the same frame.
    friend bool operator==(const shared_frame& left, const shared_frame& right) noexcept {
        return left.block_ == right.block_;
    }

private:
    struct block {
        std::atomic<std::uint32_t> count; ///< cannot wrap: 2^32 references take 32 GiB
        bool is_message;
        std::size_t size;
        std::atomic<block*> others[forms] = {};
    };

    explicit shared_frame(block* made) noexcept : block_(made) {}

    void drop() noexcept {
        if (block_ == nullptr) return;
        // acq_rel: every other holder's last read comes before the memory is freed
        if (block_->count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        for (const std::atomic<block*>& other : block_->others) {
            block* const form = other.load(std::memory_order_relaxed);
            if (form != nullptr && form != block_)
                static_cast<void>(shared_frame(form)); // gives its reference back
        }
        block_->~block();
        std::free(block_);
    }

    friend result<shared_frame> make_shared_frame(frame_spec, const_bytes) noexcept;
    template <class Make>
    friend result<shared_frame> detail::make_shared_form(frame_spec, std::size_t, std::size_t, Make) noexcept;

    block* block_ = nullptr;
};

namespace detail {
[[nodiscard]] constexpr bool is_whole_message(frame_spec spec) noexcept {
    const bool is_final = (spec.first_byte() & std::byte{0x80}) != std::byte{};
    return is_final && (spec.op() == opcode::text || spec.op() == opcode::binary);
}
} // namespace detail

/// Encodes a server's frame that any number of connections can send. Errors as encode_frame's, and out_of_memory. O(n), one allocation.
[[nodiscard]] inline result<shared_frame> make_shared_frame(frame_spec spec, const_bytes payload) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    const std::size_t size = encoded_size<role::server>(payload.size());
    void* memory = std::malloc(sizeof(shared_frame::block) + size);
    if (memory == nullptr) return errc::out_of_memory;
    auto* block = ::new (memory) shared_frame::block{1, detail::is_whole_message(spec), size};
    detail::write_frame<role::server>(reinterpret_cast<std::byte*>(block + 1), spec, payload);
    return shared_frame(block);
}

/// A whole message whose payload `make` writes: see make_frame_memory(). An empty reference: there is none. Errors: out_of_memory.
template <class Make>
result<shared_frame> detail::make_shared_form(frame_spec spec, std::size_t most, std::size_t spare,
                                              Make make) noexcept {
    const bool is_compressed = (spec.first_byte() & std::byte{rsv1_bit}) != std::byte{};
    const frame_memory made = make_frame_memory(
        sizeof(shared_frame::block), {.rsv1 = is_compressed, .op = spec.op()}, most, spare, std::move(make));
    if (made.is_short) return errc::out_of_memory;
    if (made.memory == nullptr) return shared_frame();
    return shared_frame(::new (made.memory) shared_frame::block{1, true, made.size});
}

} // namespace wsolo::inline WSOLO_ABI
