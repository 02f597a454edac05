#pragma once
// One message in several frames, written as its parts become known (RFC 6455 §5.4).
//
// Laws of this file:
// - While it is open, other data waits and control does not: frames of two messages are never interleaved.
// - Others may fill half of the budget meanwhile, bytes and frames, so that it can end: a part of up to half
//   of it is refused (errc::queue_full) only until the transport took what was accepted before.
// - It ends exactly once: by finish(), or, when it is destroyed unfinished, as its owner chose.

#include "../frame/close_code.hpp"
#include "../frame/encode.hpp"
#include "detail/backlog.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What happens to a message that is destroyed unfinished.
enum class unfinished : std::uint8_t {
    fail,     ///< the connection is closed with 1011: the peer must not take it for whole
    truncate, ///< an empty final frame ends it: for peers that can tell by other means
};

/// Made by single_writer::begin_message(). Move-only, one thread at a time; the writer must outlive it.
/// Empty, with error() saying why, when the writer was closed, another message is open (errc::message_open),
/// or `op` is neither text nor binary (errc::raw_frame_malformed).
template <class Writer>
class [[nodiscard]] fragmented_message {
public:
    fragmented_message(Writer& writer, opcode op) noexcept : writer_(&writer), next_(op) {
        WSOLO_ASSERT(op == opcode::text || op == opcode::binary, "a fragmented message is text or binary");
        error_ = op == opcode::text || op == opcode::binary ? writer.box_.begin_message()
                                                            : errc::raw_frame_malformed;
        if (error_ != errc::none) writer_ = nullptr;
    }
    fragmented_message(fragmented_message&& other) noexcept
        : writer_(std::exchange(other.writer_, nullptr)),
          next_(other.next_),
          error_(other.error_),
          if_unfinished_(other.if_unfinished_) {}
    fragmented_message& operator=(fragmented_message&&) = delete;
    ~fragmented_message() {
        if (writer_ != nullptr) abandon();
    }

    /// Whether parts may be written.
    [[nodiscard]] explicit operator bool() const noexcept { return writer_ != nullptr; }
    /// Why not.
    [[nodiscard]] errc error() const noexcept { return error_; }

    void if_destroyed(unfinished choice) noexcept { if_unfinished_ = choice; }

    /// Queues one frame that is not the last. Text may be cut anywhere, also inside a character. Errors as
    /// send_text's; after queue_full the part may be tried again. `told` is called once with what became of
    /// this part.
    [[nodiscard]] errc write(const_bytes part, on_outcome told = {}) { return push(part, false, told); }

    /// Queues the last frame and lets the waiting data follow. On an error the message is still open. `told`
    /// is called once with what became of the last part, and so of the message: parts leave in order and none
    /// of them gives way, so errc::none says that the transport took them all.
    [[nodiscard]] errc finish(const_bytes part = {}, on_outcome told = {}) {
        const errc error = push(part, true, told);
        if (error == errc::none) release();
        return error;
    }

private:
    errc push(const_bytes part, bool last, on_outcome told) {
        if (writer_ == nullptr) return error_ == errc::none ? errc::closed : error_;
        detail::segment* frame =
            writer_->encode_whole({next_, last}, part, {.outcome = told, .fragment = true});
        if (frame == nullptr) return errc::out_of_memory;
        const errc error = writer_->own(frame, writer_->box_.push_whole({.of_message = true}, frame));
        if (error == errc::none) next_ = opcode::continuation;
        return error;
    }

    void abandon() noexcept {
        if (next_ == opcode::continuation) {
            const bool truncated = if_unfinished_ == unfinished::truncate && push({}, true, {}) == errc::none;
            const errc closed =
                truncated ? errc::closed : writer_->close(close_code::internal_error, "message abandoned");
            if (closed != errc::none && closed != errc::closed) writer_->abort(errc::message_unfinished);
        }
        release(); // nothing of it was sent: as if it had never begun
    }

    void release() noexcept {
        Writer* writer = std::exchange(writer_, nullptr);
        detail::waiter_list due;
        const bool must_drive = writer->box_.end_message(due);
        due.wake_all();
        if (must_drive) writer->schedule();
    }

    Writer* writer_;
    opcode next_;
    errc error_ = errc::none;
    unfinished if_unfinished_ = unfinished::fail;
};

} // namespace wsolo::inline WSOLO_ABI
