// SPDX-License-Identifier: MIT
#pragma once
// One connection's compressed messages become plain again (RFC 7692 §7.2.2), piece by piece, within bounds.
//
// Laws of this file:
// - Every split of the input, and every size of the output, gives the same bytes and the same end. (But see the back end: zlib
//   notices a reference beyond the agreed window only where it also leaves the output of one call.)
// - Limits are exact: a message of max_message bytes passes, one more is errc::message_too_big, and no byte beyond the limit
//   is kept. What is compressed has a bound too, so that blocks which give nothing end.
// - A block with BFINAL set may stand anywhere, and what came before it can be referred to after it (RFC 7692 §7.2.3.4).
// - Memory is taken at the first compressed message. Without takeover nothing is held between messages; with it trim()
//   leaves what came last, as far as the peer may refer to it.

#include "../core/byte_buffer.hpp"
#include "../core/limit.hpp"
#include "../core/result.hpp"
#include "../text/utf8.hpp"
#include "backend.hpp"
#include "negotiate.hpp"

#include <algorithm>

namespace wsolo::inline WSOLO_ABI {

/// need_more: the input is used up and the message is not over. more: the output is full; call again with what is left of
/// the input, if only nothing. ended: that was the message. failed: for good.
enum class inflate_status : std::uint8_t { need_more, more, ended, failed };

/// What one call made: `made` bytes at the front of the output, whatever the status.
struct inflated {
    inflate_status status = inflate_status::need_more; ///< what to do next
    std::size_t made = 0;                              ///< in bytes
    errc error = errc::none;                           ///< of `failed`
};

/// See the file's laws. Not thread-safe. Movable between messages.
template <decompressor Decompressor>
class message_inflater {
public:
    /// `how` the peer compresses: terms.by(peer_of(self)). `max_message`: the longest message after it was inflated, in
    /// bytes; before, it may have compressed_bound_of(max_message). 0: no limit.
    explicit message_inflater(const deflate_direction& how,
                              std::uint64_t max_message = default_max_message) noexcept
        : max_made_(bound_of(max_message)),
          max_taken_(bound_of(compressed_bound_of(max_message))),
          how_(how) {}

    /// The next piece of a compressed message (one whose first frame had RSV1 set), `ends` with its last one. `piece` is
    /// advanced past what was taken. `to`, not empty, gets what it gives. A message that `is_text`, which counts at its
    /// first piece, is judged as UTF-8. Errors: invalid_compressed_data, invalid_utf8, message_too_big, out_of_memory.
    /// O(piece + made).
    [[nodiscard]] inflated next(const_bytes& piece, bool ends, bool is_text, mutable_bytes to) noexcept {
        WSOLO_ASSERT(!to.empty(), "message_inflater::next() needs room for what it inflates");
        if (!is_open_ && !begin(is_text)) return {inflate_status::failed, 0, error_};
        const inflated result = run(piece, ends, to);
        if (result.status == inflate_status::failed) {
            give_up();
            return result;
        }
        if (result.status == inflate_status::ended) end();
        return result;
    }

    /// The same, appended to `to`, which grows by what is made. errc::none: the message is over if it `ends`. Errors as
    /// next()'s; `to` then holds a part of it.
    [[nodiscard]] errc append(const_bytes piece, bool ends, bool is_text, byte_buffer& to) noexcept {
        for (std::size_t room = first_room(piece.size());; room = std::min(room * 2, most_room)) {
            const std::size_t before = to.size();
            std::byte* const at = to.extend(room);
            if (at == nullptr) {
                give_up();
                return fail(errc::out_of_memory).error;
            }
            const inflated step = next(piece, ends, is_text, {at, room});
            to.truncate(before + step.made);
            if (step.status != inflate_status::more) return step.error;
        }
    }

    /// Gives back what is not needed until the next message; the end of what came before is kept where the peer may refer to
    /// it. Between messages only. Without memory for it everything stays as it is. O(window).
    void trim() noexcept {
        WSOLO_ASSERT(!is_open_, "message_inflater::trim() is for between messages");
        if (is_open_ || !decoder_.is_open()) return;
        byte_buffer end;
        std::byte* const to = end.extend(window_size());
        if (to == nullptr) return;
        end.truncate(decoder_.dictionary({to, window_size()}));
        end.shrink();
        if (end.empty()) end.release();
        before_ = std::move(end);
        decoder_.close();
        at_last_block_ = false;
    }

    /// Whether a message is under way.
    [[nodiscard]] bool is_open() const noexcept { return is_open_; }
    /// What ended it, or none.
    [[nodiscard]] errc error() const noexcept { return error_; }
    /// Bytes that it holds from the heap.
    [[nodiscard]] std::size_t memory() const noexcept { return decoder_.memory() + before_.capacity(); }

private:
    static constexpr std::size_t most_room = std::size_t{64} * 1024;
    static constexpr std::byte tail[4] = {std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};

    /// Text shrinks to a third or a quarter.
    [[nodiscard]] static std::size_t first_room(std::size_t size) noexcept {
        return size >= most_room / 4 ? most_room : size * 4 + 64;
    }
    [[nodiscard]] std::size_t window_size() const noexcept { return std::size_t{1} << how_.window_bits; }

    [[nodiscard]] inflated fail(errc why, std::size_t made = 0) noexcept {
        error_ = why;
        return {inflate_status::failed, made, why};
    }

    [[nodiscard]] bool begin(bool is_text) noexcept {
        if (error_ != errc::none) return false;
        if (!decoder_.is_open()) {
            if (!decoder_.open(how_.window_bits)) {
                error_ = errc::out_of_memory;
                return false;
            }
            if (!before_.empty()) decoder_.set_dictionary(std::as_const(before_).view());
            before_.release();
        }
        is_open_ = true;
        is_text_ = is_text;
        in_tail_ = may_hold_ = false;
        tail_taken_ = 0;
        made_ = taken_ = 0;
        text_.reset();
        return true;
    }

    void give_up() noexcept {
        is_open_ = false;
        decoder_.close();
    }
    void end() noexcept {
        is_open_ = false;
        if (how_.takeover) return;
        decoder_.close();
        at_last_block_ = false;
    }

    [[nodiscard]] inflated run(const_bytes& piece, bool ends, mutable_bytes to) noexcept {
        std::size_t made = 0;
        for (;;) {
            const const_bytes from = in_tail_ ? const_bytes(tail).subspan(tail_taken_) : allowed(piece);
            if (from.empty() && !may_hold_) {
                if (in_tail_) return finish(made);
                if (!piece.empty()) return fail(errc::message_too_big, made);
                if (!ends) return {inflate_status::need_more, made};
                // Without the tail: an empty message of no bytes at all, which some peers send, and a last block at the very
                // end, after which nothing can be read.
                if (taken_ == 0 || at_last_block_) return finish_text(made);
                in_tail_ = true;
                continue;
            }
            if (made == to.size()) return {inflate_status::more, made};
            if (const errc error = step(piece, from, to, made); error != errc::none) return fail(error, made);
        }
    }

    /// As much of it as the bound for what is compressed lets in.
    [[nodiscard]] const_bytes allowed(const_bytes piece) const noexcept {
        return piece.first(
            static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), max_taken_ - taken_)));
    }

    /// One call of the back end.
    [[nodiscard]] errc step(const_bytes& piece, const_bytes from, mutable_bytes to,
                            std::size_t& made) noexcept {
        if (at_last_block_ && !from.empty()) {
            if (in_tail_)
                return errc::invalid_compressed_data; // what the tail was to complete had come to its end
            decoder_.restart();
            at_last_block_ = false;
        }
        std::byte beyond; // shows that there is more than the limit
        const std::uint64_t left = max_made_ - made_;
        const bool is_at_limit = left == 0;
        const std::size_t room = static_cast<std::size_t>(std::min<std::uint64_t>(to.size() - made, left));
        const mutable_bytes out = is_at_limit ? mutable_bytes(&beyond, 1) : to.subspan(made, room);
        const codec_step done = decoder_.decompress(from, out);
        if (in_tail_) {
            tail_taken_ = static_cast<std::uint8_t>(tail_taken_ + done.taken);
        } else {
            piece = piece.subspan(done.taken);
            taken_ += done.taken;
        }
        at_last_block_ = done.status == codec_status::last_block;
        if (done.taken + done.made != 0) is_between_blocks_ = done.is_between_blocks;
        may_hold_ = done.made == out.size() && !at_last_block_;
        if (is_at_limit && done.made != 0) return errc::message_too_big;
        made += done.made;
        made_ += done.made;
        if (is_text_ && !text_.write(out.first(is_at_limit ? 0 : done.made))) return errc::invalid_utf8;
        if (done.status == codec_status::out_of_memory) return errc::out_of_memory;
        // Nothing is held back and nothing was taken: it will never be.
        const bool is_stuck = done.taken == 0 && done.made == 0 && !from.empty() && !at_last_block_;
        return done.status == codec_status::invalid || is_stuck ? errc::invalid_compressed_data : errc::none;
    }

    /// The tail was taken: the message ends between two blocks, or it was cut off inside of one.
    [[nodiscard]] inflated finish(std::size_t made) noexcept {
        if (!is_between_blocks_ && !at_last_block_) return fail(errc::invalid_compressed_data, made);
        return finish_text(made);
    }
    [[nodiscard]] inflated finish_text(std::size_t made) noexcept {
        if (is_text_ && !text_.complete()) return fail(errc::invalid_utf8, made);
        return {inflate_status::ended, made};
    }

    std::uint64_t max_made_;
    std::uint64_t max_taken_;
    std::uint64_t made_ = 0;
    std::uint64_t taken_ = 0;
    Decompressor decoder_;
    byte_buffer before_; ///< while the decoder is closed: the end of what came before
    utf8_validator text_;
    deflate_direction how_;
    errc error_ = errc::none;
    std::uint8_t tail_taken_ = 0;
    bool is_open_ = false;
    bool is_text_ = false;
    bool in_tail_ = false;
    bool may_hold_ = false; ///< the output was full: the decoder may have more
    bool at_last_block_ = false;
    bool is_between_blocks_ = false;
};

} // namespace wsolo::inline WSOLO_ABI
