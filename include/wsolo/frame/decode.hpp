#pragma once
// Bytes in, frames out (RFC 6455 §5.2). Incremental: every split of the input gives the same frames, the same
// payload bytes, and the same error after the same number of bytes.
//
// Laws of this file:
// - Nothing is buffered but an unfinished header. Payload leaves as it comes, unmasked, in parts.
// - An error is found at the first byte that proves it, consumes the input up to and with that byte, and is
// final.
// - What depends on earlier frames (fragments, UTF-8, Close) is the reader's, not the decoder's.

#include "../core/role.hpp"
#include "check.hpp"
#include "mask.hpp"
#include "payload.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What one frame may take. A control frame is bound by the RFC's 125 bytes instead.
struct frame_limits {
    /// Longest payload of a data frame, in bytes.
    std::uint64_t max_frame_size = std::uint64_t{16} * 1024 * 1024;
};

/// need_more: the input is used up. part: a piece of a frame, perhaps the whole. failed: see `error`.
enum class decode_status : std::uint8_t { need_more, part, failed };

/// One step of the decoder.
struct [[nodiscard]] decoded {
    decode_status status = decode_status::need_more;
    /// The first part of its frame. It may be empty: a header is reported as soon as it is complete.
    bool begins = false;
    /// The last part of its frame. A frame that lies whole in the input is one part that begins and ends.
    bool ends = false;
    /// The rule that the input broke; none unless `status` is failed.
    errc error = errc::none;
    /// This part of the payload, unmasked, within the input (or the destination) of the call.
    mutable_bytes payload{};

    [[nodiscard]] unmasked_bytes unmasked() const noexcept { return unmasked_bytes(payload); }
};

/// Reads what the peer of `Receiver` sends. 64 bytes, no allocation. Not thread-safe.
template <role Receiver>
class frame_decoder {
public:
    /// `allowed_rsv`: the reserved bits that a negotiated extension uses (rsv1_bit ...).
    explicit frame_decoder(frame_limits limits = {}, std::uint8_t allowed_rsv = 0) noexcept
        : limits_(limits), allowed_rsv_(allowed_rsv) {}

    /// Takes the next part from the front of `input`, which is advanced past it, and unmasks it where it
    /// lies. Call it until it says need_more. The part lives as long as the bytes of `input`. O(part).
    decoded next(mutable_bytes& input) noexcept {
        if (const errc error = read_header(input); error != errc::none) return fail(error);
        if (!in_payload_) return {};
        if (input.empty() && remaining_ > 0 && !begins_) return {};
        return take(input.data(), input.size(), input, input);
    }

    /// The same with the input left as it is: the part is unmasked while it is copied to the front of `to`,
    /// which is advanced past it. need_more with input left over means that `to` is full.
    decoded next_copying(const_bytes& input, mutable_bytes& to) noexcept {
        if (const errc error = read_header(input); error != errc::none) return fail(error);
        if (!in_payload_) return {};
        const std::size_t count = input.size() < to.size() ? input.size() : to.size();
        if (count == 0 && remaining_ > 0 && !begins_) return {};
        return take(input.data(), count, input, to);
    }

    /// The header of the part that next() returned last. Valid from a part that begins to the next one that
    /// does.
    [[nodiscard]] const frame_header& header() const noexcept { return header_; }

    /// Payload bytes of the current frame still to come.
    [[nodiscard]] std::uint64_t remaining() const noexcept { return remaining_; }

    /// Whether the input so far ends with a whole frame.
    [[nodiscard]] bool at_boundary() const noexcept { return !in_payload_ && kept_size_ == 0; }

private:
    /// Moves header bytes from the input until the header is complete and judged, or the input is empty.
    template <class Byte>
    errc read_header(std::span<Byte>& input) noexcept {
        if (error_ != errc::none) return error_;
        while (!in_payload_ && !input.empty()) {
            kept_[kept_size_++] = input.front();
            input = input.subspan(1);
            if (const errc error = judge(); error != errc::none) return error;
        }
        return errc::none;
    }

    errc judge() noexcept {
        if (kept_size_ == 1) return check_first(kept_[0], allowed_rsv_);
        if (kept_size_ == 2) {
            if (const errc error = check_second(kept_[0], kept_[1], Receiver); error != errc::none)
                return error;
        }
        const std::size_t whole = header_size_announced(kept_[1]);
        if (kept_size_ == whole - (masks(peer_of(Receiver)) ? 4 : 0)) {
            detail::read_header(kept_.data(), header_); // the key is not there yet: it is read again below
            const unsigned field = std::to_integer<unsigned>(kept_[1]) & 0x7fU;
            if (const errc error = check_length(field, header_.payload_size); error != errc::none)
                return error;
            if (is_data(header_.op) && header_.payload_size > limits_.max_frame_size)
                return errc::frame_too_big;
        }
        if (kept_size_ == whole) {
            detail::read_header(kept_.data(), header_);
            remaining_ = header_.payload_size;
            in_payload_ = begins_ = true;
            kept_size_ = 0;
        }
        return errc::none;
    }

    template <class Byte>
    decoded take(const std::byte* from, std::size_t available, std::span<Byte>& input,
                 mutable_bytes& to) noexcept {
        const auto count = static_cast<std::size_t>(available < remaining_ ? available : remaining_);
        decoded part{.status = decode_status::part,
                     .begins = begins_,
                     .ends = count == remaining_,
                     .payload = to.first(count)};
        if constexpr (masks(peer_of(Receiver))) {
            copy_masked(part.payload.data(), {from, count}, header_.key, header_.payload_size - remaining_);
        } else if (count > 0 && from != part.payload.data()) {
            std::memcpy(part.payload.data(), from, count);
        }
        remaining_ -= count;
        begins_ = false;
        in_payload_ = !part.ends;
        to = to.subspan(count);
        if (static_cast<const void*>(&input) != static_cast<const void*>(&to)) input = input.subspan(count);
        return part;
    }

    decoded fail(errc error) noexcept {
        error_ = error;
        return {.status = decode_status::failed, .error = error};
    }

    frame_header header_{};
    std::uint64_t remaining_ = 0;
    frame_limits limits_;
    std::array<std::byte, max_header_size> kept_{};
    std::uint8_t kept_size_ = 0;
    std::uint8_t allowed_rsv_;
    bool in_payload_ = false;
    bool begins_ = false;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI
