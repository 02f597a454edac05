// SPDX-License-Identifier: MIT
#pragma once
// Bytes in, frames out (RFC 6455 §5.2). Incremental: every split of the input gives the same frames, the same
// payload bytes, and the same error after the same number of bytes.
//
// Laws of this file:
// - Nothing is buffered but an unfinished header. Payload leaves as it comes, unmasked, in parts.
// - An error is found at the first byte that proves it, consumes the input up to and with that byte, and is
// final.
// - What depends on earlier frames (the order of fragments, a message's size) is the caller's to know; it may
// hand its rules in, so that they too are judged byte by byte. UTF-8 and Close bodies are the reader's.

#include "../core/detail/exchange.hpp"
#include "../core/limit.hpp"
#include "../core/role.hpp"
#include "check.hpp"
#include "detail/copy.hpp"
#include "mask.hpp"
#include "payload.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What one frame may take. A control frame is bound by the RFC's 125 bytes instead.
struct frame_limits {
    /// Longest payload of a data frame, in bytes. 0: no limit.
    std::uint64_t max_frame_size = std::uint64_t{16} * 1024 * 1024;
};

/// The rules that earlier frames impose on a data frame: none, for a caller that judges its frames itself. It shows the
/// two functions that `Rules` must have.
struct no_rules {
    /// Judges the header's first byte. An error ends the decoding.
    [[nodiscard]] static constexpr errc check_first(std::byte) noexcept { return errc::none; }
    /// Judges the size, once it is known that the payload has at least `least` bytes. An error ends the decoding.
    [[nodiscard]] static constexpr errc check_size(std::byte, std::uint64_t) noexcept { return errc::none; }
};

/// need_more: the input is used up. part: a piece of a frame, perhaps the whole. failed: see `error`.
enum class decode_status : std::uint8_t { need_more, part, failed };

/// One step of the decoder.
struct [[nodiscard]] decoded {
    /// What this step found. The other members count only where it is `part`, `error` only where it is `failed`.
    decode_status status = decode_status::need_more;
    /// The first part of its frame. It may be empty: a header is reported as soon as it is complete.
    bool begins = false;
    /// The last part of its frame. A frame that lies whole in the input is one part that begins and ends.
    bool ends = false;
    /// The rule that the input broke; none unless `status` is failed.
    errc error = errc::none;
    /// This part of the payload, unmasked: a view of the input (or the destination) of the call.
    mutable_bytes payload{};

    /// The same, as the type that says so. Not for what next_masked() returned.
    [[nodiscard]] unmasked_bytes unmasked() const noexcept { return unmasked_bytes(payload); }
};

/// Reads what the peer of `Receiver` sends. A value of 48 bytes, which refers to nothing; no allocation. Not thread-safe.
template <role Receiver>
class frame_decoder {
public:
    /// `allowed_rsv`: the reserved bits that a negotiated extension uses (rsv1_bit ...).
    explicit frame_decoder(frame_limits limits = {}, std::uint8_t allowed_rsv = 0) noexcept
        : limits_{bound_of(limits.max_frame_size)}, allowed_rsv_(allowed_rsv) {}

    /// Takes the next part from the front of `input`, which is advanced past it, and unmasks it where it
    /// lies. Call it until it does not say part. The part lives as long as the bytes of `input`. O(part).
    decoded next(mutable_bytes& input) noexcept { return step<masked>(input, no_rules()); }

    /// The same with the part left masked, for a caller that unmasks and judges in one pass: it is still to be
    /// XORed with key(), `position() - payload.size()` bytes into the frame's payload.
    /// `rules` judges data frames by those before them, as no_rules shows.
    template <class Rules = no_rules>
    decoded next_masked(mutable_bytes& input, const Rules& rules = {}) noexcept {
        return step<false>(input, rules);
    }

    /// A faster way to take the most common frame: a text or binary message that is not longer than `limit`, nor than
    /// 65,535 bytes, in one frame that lies whole in the input. True: `payload` is that frame's, still masked, as from
    /// next_masked(). False: it is something else, or breaks a rule; nothing has changed. O(1).
    [[gnu::always_inline]] bool next_whole(mutable_bytes& input, mutable_bytes& payload,
                                           std::uint64_t limit) noexcept {
        std::byte* const header = input.data();
        const std::size_t available = input.size();
        std::size_t start = 2 + key_size;
        if (phase_ != phase::boundary || available < start) return false;
        const unsigned first = std::to_integer<unsigned>(header[0]);
        std::size_t size = std::to_integer<std::size_t>(header[1]) - (masked ? 0x80 : 0);
        if (size > 125) {
            start += 2;
            if (size != 126 || available < start) return false;
            size = load_be16(header + 2);
            if (size <= 125) return false; // not minimal
        }
        const bool data = first - (0x80U | static_cast<unsigned>(opcode::text)) <= 1; // FIN, text or binary
        if (!data || size > limit || size > available - start || size > limits_.max_frame_size) return false;
        first_ = header[0];
        payload_size_ = size;
        if constexpr (masked) std::memcpy(&key_, header + start - key_size, key_size);
        payload = {header + start, size};
        input = {header + start + size, available - start - size};
        return true;
    }

    /// The same with the input left as it is: the part is unmasked while it is copied to the front of `to`,
    /// which is advanced past it. need_more with input left over means that `to` is full.
    decoded next_copying(const_bytes& input, mutable_bytes& to) noexcept {
        if (const std::size_t start = whole_header_in(input, no_rules()); start != 0) {
            begin();
            input = input.subspan(start);
        } else if (!reach_payload(input, no_rules())) {
            return stopped();
        }
        const std::size_t count = limited_by(input.size() < to.size() ? input.size() : to.size());
        if (count == 0 && remaining_ > 0 && !begins_) return {};
        const mutable_bytes payload = to.first(count);
        if constexpr (masked) {
            copy_masked(payload.data(), input.first(count), key_, payload_size_ - remaining_);
        } else {
            detail::copy_bytes(payload.data(), input.data(), count);
        }
        input = input.subspan(count);
        to = to.subspan(count);
        return advance(payload);
    }

    /// The header of the part that came last. Meaningful from the first part on, until the decoder fails.
    [[nodiscard]] frame_header header() const noexcept {
        frame_header header{.masked = masked, .key = key_, .payload_size = payload_size_};
        detail::read_first(first_, header);
        return header;
    }

    /// Parts of header() that cost no more than a load: its first byte, its key, its payload size.
    [[nodiscard]] std::byte first_byte() const noexcept { return first_; }
    [[nodiscard]] masking_key key() const noexcept { return key_; }
    [[nodiscard]] std::uint64_t payload_size() const noexcept { return payload_size_; }

    /// Payload bytes of the current frame that have arrived so far.
    [[nodiscard]] std::uint64_t position() const noexcept { return payload_size_ - remaining_; }
    /// Payload bytes of the current frame still to come.
    [[nodiscard]] std::uint64_t remaining() const noexcept { return remaining_; }

    /// Whether the input so far ended with a whole frame (or was empty).
    [[nodiscard]] bool at_boundary() const noexcept { return phase_ == phase::boundary; }

private:
    enum class phase : std::uint8_t { boundary, header, payload, failed };

    static constexpr bool masked = masks(peer_of(Receiver));
    static constexpr std::size_t key_size = masked ? 4 : 0;

    template <bool Unmask, class Rules>
    decoded step(mutable_bytes& input, const Rules& rules) noexcept {
        const std::size_t start = whole_header_in(input, rules);
        if (start == 0) return reach_payload(input, rules) ? next_part<Unmask>(input) : stopped();
        if (payload_size_ > input.size() - start) {
            begin();
            input = input.subspan(start);
            return next_part<Unmask>(input);
        }
        const mutable_bytes payload = input.subspan(start, static_cast<std::size_t>(payload_size_));
        input = input.subspan(start + payload.size());
        if constexpr (Unmask) apply_mask(payload, key_);
        return {.status = decode_status::part, .begins = true, .ends = true, .payload = payload};
    }

    /// The fast path: a header that is due, lies whole in the input and keeps all rules is taken over, and
    /// its size returned. Otherwise 0, nothing has changed, and reach_payload() finds out what is the matter.
    template <class Rules>
    [[gnu::always_inline]] std::size_t whole_header_in(const_bytes input, const Rules& rules) noexcept {
        if (phase_ != phase::boundary || input.size() < 2) return 0;
        const std::byte* header = input.data();
        const std::size_t size = header_size_announced(header[1]);
        if (size > input.size()) return 0;
        if (check_first_two(header[0], header[1], Receiver, allowed_rsv_) != errc::none) return 0;
        const std::uint64_t payload_size = detail::read_length(header);
        if (is_data_frame(header[0]) && rules.check_first(header[0]) != errc::none) return 0;
        if (judge_length(header, payload_size, payload_size, rules) != errc::none) return 0;
        take_over(header, size, payload_size);
        return size;
    }

    /// The slow path: a header that comes in pieces or breaks a rule. Each byte is judged as it comes. False
    /// when there is no payload to take (see stopped()).
    template <class Byte, class Rules>
    [[gnu::noinline]] bool reach_payload(std::span<Byte>& input, const Rules& rules) noexcept {
        while (phase_ <= phase::header && !input.empty()) {
            kept_[kept_size_++] = input.front();
            input = input.subspan(1);
            phase_ = phase::header;
            error_ = judge_last(rules);
            if (error_ != errc::none) {
                phase_ = phase::failed;
            } else if (kept_size_ >= 2 && kept_size_ == header_size_announced(kept_[1])) {
                take_over(kept_.data(), kept_size_, detail::read_length(kept_.data()));
                begin();
                return true;
            }
        }
        return phase_ == phase::payload && !input.empty();
    }

    template <bool Unmask>
    [[gnu::noinline]] decoded next_part(mutable_bytes& input) noexcept {
        const mutable_bytes payload = input.first(limited_by(input.size()));
        input = input.subspan(payload.size());
        if constexpr (Unmask) apply_mask(payload, key_, payload_size_ - remaining_);
        return advance(payload);
    }

    static constexpr bool is_data_frame(std::byte first) noexcept {
        return (std::to_integer<unsigned>(first) & 0x08U) == 0;
    }

    template <class Rules>
    [[nodiscard]] errc judge_last(const Rules& rules) const noexcept {
        if (kept_size_ == 1) {
            const errc error = check_first(kept_[0], allowed_rsv_);
            return error == errc::none && is_data_frame(kept_[0]) ? rules.check_first(kept_[0]) : error;
        }
        if (kept_size_ == 2) {
            const errc error = check_second(kept_[0], kept_[1], Receiver);
            if (error != errc::none) return error;
        }
        const std::size_t length_end = header_size_announced(kept_[1]) - key_size;
        if (kept_size_ > length_end) return errc::none; // the key can break no rule
        // The bytes of a length that have arrived bound the value that it can still have.
        std::uint64_t least = length_end == 2 ? std::to_integer<unsigned>(kept_[1]) & 0x7fU : 0;
        std::uint64_t most = least;
        for (std::size_t i = 2; i < length_end; ++i) {
            const bool came = i < kept_size_;
            least = least << 8 | (came ? std::to_integer<unsigned>(kept_[i]) : 0);
            most = most << 8 | (came ? std::to_integer<unsigned>(kept_[i]) : 0xff);
        }
        return judge_length(kept_.data(), least, most, rules);
    }

    /// By the bounds of the length, which are equal once all of it has come.
    template <class Rules>
    [[nodiscard]] errc judge_length(const std::byte* header, std::uint64_t least, std::uint64_t most,
                                    const Rules& rules) const noexcept {
        const errc error = check_length(std::to_integer<unsigned>(header[1]) & 0x7fU, least, most);
        if (error != errc::none) return error;
        // A control frame was held to 125 bytes by its second byte, whatever the limit for data.
        if (!is_data_frame(header[0])) return errc::none;
        return least > limits_.max_frame_size ? errc::frame_too_big : rules.check_size(header[0], least);
    }

    void take_over(const std::byte* header, std::size_t size, std::uint64_t payload_size) noexcept {
        first_ = header[0];
        payload_size_ = payload_size;
        if constexpr (masked) std::memcpy(&key_, header + size - key_size, key_size);
    }

    void begin() noexcept {
        remaining_ = payload_size_;
        phase_ = phase::payload;
        begins_ = true;
        kept_size_ = 0;
    }

    [[nodiscard]] std::size_t limited_by(std::size_t available) const noexcept {
        return available < remaining_ ? available : static_cast<std::size_t>(remaining_);
    }

    decoded advance(mutable_bytes payload) noexcept {
        remaining_ -= payload.size();
        const bool ends = remaining_ == 0;
        if (ends) phase_ = phase::boundary;
        return {.status = decode_status::part,
                .begins = detail::exchange(begins_, false),
                .ends = ends,
                .payload = payload};
    }

    [[nodiscard]] decoded stopped() const noexcept {
        if (phase_ == phase::failed) return {.status = decode_status::failed, .error = error_};
        return {};
    }

    std::uint64_t payload_size_ = 0;
    std::uint64_t remaining_ = 0;
    frame_limits limits_;
    masking_key key_{};
    std::byte first_{};
    std::uint8_t allowed_rsv_;
    phase phase_ = phase::boundary;
    bool begins_ = false;
    errc error_ = errc::none;
    std::uint8_t kept_size_ = 0;
    std::array<std::byte, max_header_size> kept_{};
};

} // namespace wsolo::inline WSOLO_ABI
