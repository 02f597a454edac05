// SPDX-License-Identifier: MIT
#pragma once
// Holds a writer back during the handshake: data that is sent meanwhile is queued, within the same budget, and leaves in
// order right after the handshake's own answer; or never, when the handshake fails.
//
// Laws of this file:
// - A writer made with born_gated is gated until open() or reject(), exactly one of which happens: destroying the gate
//   rejects. An abort, and a deadline (the gate's, or a close's) that passes first, end the writer without the gate; then
//   open() and reject() have no effect.
// - The answer does not go through the queue: it leaves first, before everything that is queued, PINGs and Close included.
// - Nothing that was queued is ever sent on a rejected handshake; the drain report counts it.

#include "single_writer.hpp"

namespace wsolo::inline WSOLO_ABI {

/// One thread at a time. The writer must outlive it.
template <class Writer>
class [[nodiscard]] init_gate {
public:
    /// Precondition: `writer` was made with born_gated and has no other gate.
    explicit init_gate(Writer& writer) noexcept : writer_(&writer) {}
    init_gate(init_gate&& other) noexcept : writer_(std::exchange(other.writer_, nullptr)) {}
    init_gate& operator=(init_gate&&) = delete;
    ~init_gate() {
        if (writer_ != nullptr) reject(errc::aborted);
    }

    /// Adds bytes (a 101 response, an acknowledgement frame) that leave first, in the order of these calls. They are
    /// copied; each call counts as one frame in the report. errc::out_of_memory; queue_full above 64 KiB; closed when the
    /// writer ended first.
    [[nodiscard]] errc acknowledge(const_bytes bytes) noexcept {
        WSOLO_ASSERT(writer_ != nullptr, "acknowledge() after open() or reject()");
        if (bytes.empty()) return errc::none;
        detail::entry* greeting = detail::entry::make_copy(bytes);
        if (greeting == nullptr) return errc::out_of_memory;
        detail::errands todo;
        const detail::push_result pushed =
            writer_->push_entry({.size = bytes.size(), .to = detail::lane_id::greeting}, greeting, todo);
        detail::entry::destroy(greeting);
        return pushed.error;
    }

    /// Bounds the handshake: the first pump() at `deadline` or later ends the writer with errc::handshake_timeout, and
    /// until then pump() reports it, with pump_status::busy. So the owner's timer does what it does for any other
    /// deadline: it pumps. The hook is called, so that a loop learns of it. The last call counts. Allocates a heap block
    /// of 1 KiB, in which the first small frames then lie. Errors: out_of_memory; closed when the writer has ended already.
    [[nodiscard]] errc set_deadline(time_point deadline) noexcept {
        WSOLO_ASSERT(writer_ != nullptr, "set_deadline() after open() or reject()");
        detail::queue* fresh = detail::queue::make();
        if (fresh == nullptr) return errc::out_of_memory;
        const bool is_bounded = writer_->drive_.box.bound_gate(deadline, fresh);
        detail::queue::destroy(fresh);
        if (!is_bounded) return errc::closed;
        writer_->drive_.rouse(detail::wake::look);
        return errc::none;
    }

    /// Opens the gate: the acknowledgement leaves, then what was queued, in order.
    void open() {
        WSOLO_ASSERT(writer_ != nullptr, "open() after open() or reject()");
        Writer& writer = *std::exchange(writer_, nullptr);
        detail::queue* idle = nullptr;
        const detail::wake owed = writer.drive_.box.open_gate(idle);
        detail::queue::destroy(idle);
        writer.drive_.rouse(owed);
    }

    /// Ends the writer: what was acknowledged (an error response, say) still leaves, what was queued is dropped with this
    /// reason.
    void reject(errc why) {
        WSOLO_ASSERT(writer_ != nullptr, "reject() after open() or reject()");
        std::exchange(writer_, nullptr)->abort(why);
    }

private:
    Writer* writer_;
};

template <class Writer>
init_gate(Writer&) -> init_gate<Writer>;

} // namespace wsolo::inline WSOLO_ABI
