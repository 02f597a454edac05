// SPDX-License-Identifier: MIT
#pragma once
// One message in several frames, written as its parts become known (RFC 6455 §5.4).
//
// Laws of this file:
// - While it is open, other data waits and control does not: frames of two messages are never interleaved.
// - Other data may fill half of the budget meanwhile, bytes and frames, so that the message can end: a part of up to half
//   of the budget is refused (errc::queue_full) only until the transport took what was accepted before.
// - It ends exactly once: by finish(), or, when it is destroyed unfinished, as its owner chose.
// - Its own state is complete before a part is queued, and it is not touched after that: the part's outcome may write the
//   next part, or end the message, in another thread and before write() returns.

#include "../core/detail/exchange.hpp"
#include "../frame/close_code.hpp"
#include "../frame/encode.hpp"
#include "detail/outbox.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What happens to a message that is destroyed unfinished.
enum class unfinished : std::uint8_t {
    fail,     ///< the connection is closed with 1011: the peer must not take it for whole
    truncate, ///< an empty final frame ends it: for peers that can tell by other means
};

/// Made by single_writer::begin_message(). Move-only, one thread at a time; the writer must outlive it. Empty, with error()
/// saying why, when the writer was closed, another message is open (errc::message_open), or `op` is neither text nor
/// binary (errc::raw_frame_malformed).
template <class Writer>
class [[nodiscard]] fragmented_message {
public:
    fragmented_message(Writer& writer, opcode op) noexcept : writer_(&writer), next_(op) {
        WSOLO_ASSERT(op == opcode::text || op == opcode::binary, "a fragmented message is text or binary");
        error_ = op == opcode::text || op == opcode::binary ? writer.drive_.box.open_message()
                                                            : errc::raw_frame_malformed;
        if (error_ != errc::none) writer_ = nullptr;
    }
    fragmented_message(fragmented_message&& other) noexcept
        : writer_(detail::exchange(other.writer_, nullptr)),
          size_(other.size_),
          next_(other.next_),
          error_(other.error_),
          if_unfinished_(other.if_unfinished_) {}
    fragmented_message& operator=(fragmented_message&&) = delete;
    ~fragmented_message() {
        if (writer_ != nullptr) abandon();
    }

    /// Whether parts may be written.
    [[nodiscard]] explicit operator bool() const noexcept { return writer_ != nullptr; }
    /// Why no parts can be written; none if they can.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Chooses what the destructor does with a message that was not ended. Call it at any time before that.
    void if_destroyed(unfinished choice) noexcept { if_unfinished_ = choice; }

    /// Queues one frame that is not the last. Text may be cut anywhere, also inside a character. Errors as send_text's;
    /// after queue_full the part may be tried again, after too_large only a shorter one. `on_done` is called once with what
    /// became of this part.
    [[nodiscard]] errc write(const_bytes part, on_outcome on_done = {}) { return push(part, false, on_done); }

    /// Queues the last frame and lets the waiting data follow. On an error the message is still open. `on_done` is called
    /// once with what became of the last part, and so of the message: parts leave in order and none of them gives way, so
    /// errc::none says that the transport took them all.
    [[nodiscard]] errc finish(const_bytes part = {}, on_outcome on_done = {}) {
        return push(part, true, on_done);
    }

private:
    errc push(const_bytes part, bool is_last, on_outcome on_done) {
        if (writer_ == nullptr) return error_ == errc::none ? errc::closed : error_;
        Writer& writer = *writer_;
        if (const errc error = writer.drive_.box.judge_length(size_ + part.size()); error != errc::none)
            return error;
        size_ += part.size();
        const frame_spec spec(next_, is_last);
        const opcode before = detail::exchange(next_, opcode::continuation);
        if (is_last) writer_ = nullptr;
        detail::errands todo;
        const detail::push_result pushed = writer.push_part(
            spec, part, is_last ? detail::message_part::last : detail::message_part::part, on_done, todo);
        if (pushed.error != errc::none) { // it was not queued, so it had no effect
            size_ -= part.size();
            next_ = before;
            writer_ = &writer;
        }
        return writer.finish_data(pushed, todo);
    }

    void abandon() noexcept {
        Writer& writer = *writer_;
        if (next_ != opcode::continuation) { // no part was sent: as if the message had never begun
            detail::errands todo;
            const detail::wake owed = writer.drive_.box.drop_message(todo);
            static_cast<void>(writer.drive_.after({errc::none, owed}, todo));
            return;
        }
        if (if_unfinished_ == unfinished::truncate && push({}, true, {}) == errc::none) return;
        const errc closed = writer.close(close_code::internal_error, "message abandoned");
        if (closed != errc::none && closed != errc::closed) writer.abort(errc::message_unfinished);
    }

    Writer* writer_;
    std::uint64_t size_ = 0; ///< of the parts so far
    opcode next_;
    errc error_ = errc::none;
    unfinished if_unfinished_ = unfinished::fail;
};

} // namespace wsolo::inline WSOLO_ABI
