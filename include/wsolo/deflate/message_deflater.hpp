// SPDX-License-Identifier: MIT
#pragma once
// One connection's outgoing messages are compressed (RFC 7692 §7.2.1), with a compressor of its own or with the thread's.
//
// Laws of this file:
// - Called in the order of the wire, after every step that may still drop a message: a message that was deflated is sent.
//   That is how this side knows the contents of the peer's window.
// - A message that is sent uncompressed enters no window.
// - What is compressed is shorter than the message; in a stream of one's own it may be a little longer (most_growth), so that the
//   stream goes on. Uncompressed is always possible: such a stream is then reset, and refers to nothing from before.
// - Memory is taken at the first message that is compressed. Forgetting is always legal, so trim() gives back all of it.

#include "../core/byte_buffer.hpp"
#include "../core/result.hpp"
#include "backend.hpp"
#include "negotiate.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace wsolo::inline WSOLO_ABI {

/// Compressors that many connections use by turns. One thread at a time; this_thread_compressors() are a thread's own.
template <compressor Compressor>
class shared_compressors {
public:
    /// One with nothing remembered; nullptr when there is no memory. Valid until the next call. O(1), but where one of
    /// these settings is made for the first time.
    [[nodiscard]] Compressor* get(const compressor_settings& settings) noexcept {
        for (slot& each : slots_) {
            if (!each.one.is_open() || each.settings != settings) continue;
            each.one.reset();
            return &each.one;
        }
        slot& oldest = slots_[next_];
        next_ = (next_ + 1) % std::size(slots_);
        oldest.one.close();
        oldest.settings = settings;
        return oldest.one.open(settings) ? &oldest.one : nullptr;
    }
    /// Gives back what they hold.
    void release() noexcept {
        for (slot& each : slots_) each.one.close();
    }
    /// Bytes that they hold from the heap.
    [[nodiscard]] std::size_t memory() const noexcept {
        std::size_t sum = 0;
        for (const slot& each : slots_) sum += each.one.memory();
        return sum;
    }

private:
    struct slot {
        compressor_settings settings;
        Compressor one;
    };
    slot slots_[8]; // a size of window each, where all connections have the same options
    std::size_t next_ = 0;
};

/// The compressors of the calling thread, which go with it.
template <compressor Compressor>
[[nodiscard]] shared_compressors<Compressor>& this_thread_compressors() noexcept {
    thread_local shared_compressors<Compressor> all;
    return all;
}

/// See the file's laws. One thread at a time uses it, whichever: the one that writes. Movable.
template <compressor Compressor>
class message_deflater {
public:
    /// `how` this side compresses: terms.by(self).
    explicit message_deflater(const deflate_direction& how, const deflate_options& options = {}) noexcept
        : settings_{how.window_bits, options.level, options.memory_level},
          mode_(how.takeover ? options.mode : deflate_mode::no_takeover),
          min_size_(options.min_size),
          kept_size_(std::min(std::size_t{options.kept_window}, std::size_t{1} << how.window_bits)) {}

    /// What a compressor needs of `to` beyond what it may leave there.
    static constexpr std::size_t work_room = 16;
    /// Bytes by which own_stream makes a message longer that does not shrink, at most: sent uncompressed it would cost the stream all
    /// that it remembers. A message as long as the window does so in any case, and goes uncompressed.
    static constexpr std::size_t most_growth = 128;

    /// Writes the message to the front of `to`, compressed, and remembers it: it is sent next, as one message with RSV1 on its
    /// first frame. How many bytes it has: fewer than the message, in own_stream up to most_growth more, and at most
    /// to.size() - work_room. 0: the message is sent uncompressed, because it is short (deflate_options::min_size) or empty, does
    /// not shrink, does not fit, or there is no memory; or the window that was agreed on is one of 8 bits, which no compressor
    /// has. O(n).
    [[nodiscard]] std::size_t deflate(const_bytes message, mutable_bytes to) noexcept {
        if (!wants(message)) return 0;
        if (mode_ == deflate_mode::own_stream) return deflate_own(message, to);
        Compressor* const one = this_thread_compressors<Compressor>().get(settings_);
        if (one == nullptr) return 0;
        if (mode_ == deflate_mode::no_takeover) return size_of(shrink(*one, message, to));
        if (!kept_.empty()) one->set_dictionary(std::as_const(kept_).view());
        const std::size_t size = size_of(shrink(*one, message, to));
        if (size != 0) remember(message);
        return size;
    }
    /// The same, appended to `out`. False, with `out` as it was: sent uncompressed.
    [[nodiscard]] bool deflate(const_bytes message, byte_buffer& out) noexcept {
        if (!wants(message)) return false;
        const std::size_t before = out.size(), room = message.size() + most_growth + work_room;
        std::byte* const to = out.extend(room);
        if (to == nullptr) return false;
        const std::size_t size = deflate(message, mutable_bytes(to, room));
        out.truncate(before + size);
        return size != 0;
    }

    /// Which of the two kinds of deflate_alone()'s messages the peer can read: 0 with the widest window, 1 with the narrowest,
    /// 2: neither.
    [[nodiscard]] std::size_t shared_form() const noexcept {
        return settings_.window_bits == 15 ? 0 : settings_.window_bits >= detail::min_send_bits ? 1 : 2;
    }
    /// A message for all peers of the same form: referring to nothing before it, and not remembered until note_sent(). As
    /// deflate(), but want of memory is an error (out_of_memory): another time it may be possible. O(n).
    [[nodiscard]] result<std::size_t> deflate_alone(const_bytes message, mutable_bytes to) noexcept {
        if (message.empty() || shared_form() > 1) return std::size_t{0};
        compressor_settings settings = settings_;
        if (shared_form() == 1) settings.window_bits = detail::min_send_bits;
        Compressor* const one = this_thread_compressors<Compressor>().get(settings);
        if (one == nullptr) return errc::out_of_memory;
        return shrink(*one, message, to);
    }

    /// A message was sent that was compressed elsewhere, referring to nothing before it (frames for many connections): the
    /// peer's window has it now. O(kept_window), or O(1).
    void note_sent(const_bytes message) noexcept {
        if (mode_ == deflate_mode::shared_compressor) remember(message);
        if (mode_ == deflate_mode::own_stream && own_.is_open()) own_.reset(); // it would refer to too near
    }

    /// Forgets what was sent, and gives all memory back. Any time between messages. The next message compresses less.
    void trim() noexcept {
        own_.close();
        kept_.release();
    }
    /// Bytes that it holds from the heap. A thread's compressors are none of them.
    [[nodiscard]] std::size_t memory() const noexcept { return own_.memory() + kept_.capacity(); }

private:
    /// Of the empty block that a flush ends with; it is not sent (RFC 7692 §7.2.1).
    static constexpr std::size_t tail_size = 4;

    [[nodiscard]] bool wants(const_bytes message) const noexcept {
        return !message.empty() && message.size() >= min_size_ &&
               settings_.window_bits >= detail::min_send_bits;
    }
    [[nodiscard]] static std::size_t size_of(const result<std::size_t>& made) noexcept {
        return made ? *made : 0;
    }

    [[nodiscard]] std::size_t deflate_own(const_bytes message, mutable_bytes to) noexcept {
        if (!own_.is_open() && !own_.open(settings_)) return 0;
        const bool fills_window = message.size() >> settings_.window_bits != 0;
        const std::size_t most = fills_window ? message.size() - 1 : message.size() + most_growth;
        const std::size_t size = size_of(run(own_, message, first_of(to, most)));
        if (size == 0) own_.reset(); // it has seen what the peer will not
        return size;
    }

    /// run(), to fewer bytes than the message has.
    [[nodiscard]] static result<std::size_t> shrink(Compressor& one, const_bytes message,
                                                    mutable_bytes to) noexcept {
        return run(one, message, first_of(to, message.size() - 1));
    }
    /// Of `to` what `most` bytes need.
    [[nodiscard]] static mutable_bytes first_of(mutable_bytes to, std::size_t most) noexcept {
        return to.first(std::min(to.size(), most + work_room));
    }
    /// Compresses to the front of `to`: how many bytes, at most to.size() - work_room. 0: it would be more.
    [[nodiscard]] static result<std::size_t> run(Compressor& one, const_bytes message,
                                                 mutable_bytes to) noexcept {
        std::size_t made = 0;
        while (to.size() - made >= work_room) { // with less a compressor need not make progress
            const codec_step step = one.compress(message, to.subspan(made));
            message = message.subspan(step.taken);
            made += step.made;
            if (step.status == codec_status::done) {
                WSOLO_ASSERT(made > tail_size, "a compressor's flush ends with an empty block");
                const std::size_t size = made - tail_size;
                return size <= to.size() - work_room ? size : 0;
            }
            if (step.status == codec_status::out_of_memory) return errc::out_of_memory;
            if (step.status != codec_status::more) break;
        }
        return std::size_t{0};
    }

    /// The end of what the peer's window has, as the next message's dictionary. Without memory it is forgotten.
    void remember(const_bytes message) noexcept {
        const const_bytes added = message.last(std::min(message.size(), kept_size_));
        const std::size_t old = std::min(kept_.size(), kept_size_ - added.size());
        const std::size_t size = old + added.size();
        if (kept_.capacity() < size &&
            !kept_.reserve(std::min(kept_size_, std::max(size, 2 * kept_.capacity())))) {
            kept_.release();
            return;
        }
        if (old != 0) std::memmove(kept_.data(), kept_.data() + (kept_.size() - old), old);
        kept_.truncate(old);
        static_cast<void>(kept_.append(added)); // it has the room
    }

    compressor_settings settings_;
    deflate_mode mode_;
    std::uint32_t min_size_;
    std::size_t kept_size_;
    byte_buffer kept_; ///< shared_compressor
    Compressor own_;   ///< own_stream
};

} // namespace wsolo::inline WSOLO_ABI
