// SPDX-License-Identifier: MIT
#pragma once
// The head of an HTTP/1.1 message, read byte by byte as it arrives: start line, field lines, empty line.
//
// Laws of this file:
// - Any split of the input gives the same result, and every error stands at one byte, so nothing after it
//   counts.
// - Not a byte after the head is taken: what is left of the input belongs to the next reader.
// - Lines end in CR LF and nothing else; no control characters, no space before a colon, no folding in a
//   request. These are the places where two parsers that disagree let a request be smuggled (RFC 9112 §11.2).
//   A folded field of a response is unfolded, as RFC 9112 §5.2 demands of a user agent.
// - Memory follows the bytes that arrived, up to the limits.

#include "../core/byte_buffer.hpp"
#include "../core/limit.hpp"
#include "header_list.hpp"
#include "start_line.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What a peer may send before it is refused. A zero means "none": no limit.
struct handshake_limits {
    /// Bytes of one line, its CR LF included. A request's first line: errc::handshake_target_too_long.
    std::size_t max_line_size = 8 * 1024;
    /// Header fields of the head.
    std::size_t max_headers = 100;
    /// Bytes of the whole head, its last CR LF included.
    std::size_t max_size = 16 * 1024;
};

/// Where a handshake stands. `complete` and `failed` are final.
enum class handshake_status : std::uint8_t { need_more, complete, failed };

namespace detail {

enum class head_kind : std::uint8_t { request, response };

/// How far a head has come.
struct head_progress {
    std::size_t line_begin_ = 0;   // in the buffer
    std::size_t fields_begin_ = 0; // in the buffer; 0 until the start line is whole
    std::size_t line_size_ = 0;
    std::size_t total_size_ = 0;
    std::size_t header_count_ = 0;
    char previous_ = '\0';
    bool skipped_empty_line_ = false;
    handshake_status status_ = handshake_status::need_more;
    errc error_ = errc::none;
};

/// Collects one head. Movable; the object that was moved from can read another head. Views of the head stay valid when it is
/// moved, until restart() or destruction. Not thread-safe.
class http_head : head_progress {
public:
    http_head(head_kind kind, const handshake_limits& limits) noexcept
        : limits_{bound_of(limits.max_line_size), bound_of(limits.max_headers), bound_of(limits.max_size)},
          kind_(kind) {}
    http_head(http_head&& other) noexcept
        : head_progress(other.take_progress()),
          limits_(other.limits_),
          buffer_(std::move(other.buffer_)),
          kind_(other.kind_) {}
    http_head& operator=(http_head&& other) noexcept {
        static_cast<head_progress&>(*this) = other.take_progress();
        limits_ = other.limits_;
        buffer_ = std::move(other.buffer_);
        kind_ = other.kind_;
        return *this;
    }
    ~http_head() = default;

    /// Takes bytes from the front of `input` until the head is complete, an error stands, or the input is
    /// used up. O(bytes taken). May allocate, at most twice limits.max_size.
    template <class Byte>
    handshake_status feed(std::span<Byte>& input) noexcept {
        while (status_ == handshake_status::need_more && !input.empty()) {
            input = input.subspan(take_line_part(input));
        }
        return status_;
    }

    [[nodiscard]] handshake_status status() const noexcept { return status_; }
    /// The reason for `failed`, errc::none otherwise.
    [[nodiscard]] errc error() const noexcept { return error_; }
    /// Whether the start line was read and found legal; later lines may have failed since.
    [[nodiscard]] bool has_start_line() const noexcept { return fields_begin_ != 0; }
    /// Whether a byte of the head has come; an empty line in front of a request does not count.
    [[nodiscard]] bool has_begun() const noexcept { return !buffer_.empty(); }
    /// The start line without its CR LF. Precondition: has_start_line().
    [[nodiscard]] std::string_view start_line() const noexcept { return text().substr(0, fields_begin_ - 2); }
    /// The fields. Precondition: the head is complete.
    [[nodiscard]] header_list headers() const noexcept {
        return header_list(text().substr(fields_begin_, line_begin_ - fields_begin_));
    }

    /// The peer will send no more bytes: a head that is not complete fails.
    handshake_status end_of_input() noexcept {
        if (status_ == handshake_status::need_more) fail(errc::handshake_incomplete);
        return status_;
    }

    /// Forgets the head and is ready for the next one. With `count_anew` the bytes counted against `max_size` begin at 0
    /// again.
    void restart(bool count_anew) noexcept {
        buffer_.clear();
        const std::size_t counted = count_anew ? 0 : total_size_;
        take_progress();
        total_size_ = counted;
    }

private:
    head_progress take_progress() noexcept {
        head_progress& all = *this;
        const head_progress made = all;
        all = head_progress();
        return made;
    }

    /// Takes bytes up to the end of the line at most, and judges the line when it is whole.
    std::size_t take_line_part(const_bytes input) noexcept {
        errc error = errc::none;
        std::size_t count = take_plain(input);
        bool line_ended = false;
        while (count < input.size() && !line_ended && error == errc::none) {
            const char c = static_cast<char>(input[count++]);
            error = check_char(c);
            line_ended = c == '\n';
        }
        if (!buffer_.append(input.first(count))) error = errc::out_of_memory;
        if (error == errc::none && line_ended) error = end_line();
        if (error != errc::none) fail(error);
        return count;
    }

    /// Takes the front as far as check_char() would find nothing to say: value characters within the limits.
    std::size_t take_plain(const_bytes input) noexcept {
        if (previous_ == '\r') return 0;
        const std::size_t line_room = limits_.max_line_size - line_size_;
        const std::size_t room = limits_.max_size - total_size_;
        std::size_t most = input.size() < room ? input.size() : room;
        if (line_room < most) most = line_room;
        std::size_t count = 0;
        while (count < most && is_value_char(static_cast<char>(input[count]))) ++count;
        line_size_ += count;
        total_size_ += count;
        return count;
    }

    void fail(errc error) noexcept {
        error_ = error;
        status_ = handshake_status::failed;
    }

    errc check_char(char c) noexcept {
        ++line_size_;
        ++total_size_;
        const bool in_target =
            kind_ == head_kind::request && fields_begin_ == 0; // a long request line has a status of its own
        if (line_size_ > limits_.max_line_size) {
            return in_target ? errc::handshake_target_too_long : errc::handshake_line_too_long;
        }
        if (total_size_ > limits_.max_size) {
            return in_target ? errc::handshake_target_too_long : errc::handshake_too_large;
        }
        const bool after_cr = previous_ == '\r';
        previous_ = c;
        if (after_cr != (c == '\n')) return errc::handshake_invalid_line_end;
        const bool legal = c == '\r' || c == '\n' || is_value_char(c);
        return legal ? errc::none : errc::handshake_invalid_character;
    }

    errc end_line() noexcept {
        const std::string_view line = text().substr(line_begin_, line_size_ - 2);
        if (fields_begin_ == 0) return end_start_line(line);
        if (line.empty()) {
            status_ = handshake_status::complete; // line_begin_ stays at the end of the fields
            return errc::none;
        }
        const errc error = is_space(line.front()) ? unfold() : check_field_line(line);
        next_line();
        return error;
    }

    static constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

    /// obs-fold: spaces in place of the line end before this line (RFC 9112 §5.2). Before the first field there
    /// is nothing to continue (§2.2).
    errc unfold() noexcept {
        if (kind_ == head_kind::request || header_count_ == 0) return errc::handshake_obsolete_folding;
        buffer_.view()[line_begin_ - 2] = std::byte{' '};
        buffer_.view()[line_begin_ - 1] = std::byte{' '};
        return errc::none;
    }

    errc end_start_line(std::string_view line) noexcept {
        // One empty line may precede a request (RFC 9112 §2.2).
        if (line.empty() && kind_ == head_kind::request && !skipped_empty_line_) {
            skipped_empty_line_ = true;
            buffer_.clear();
            next_line();
            return errc::none;
        }
        const errc error =
            kind_ == head_kind::request ? parse_request_line(line).error() : parse_status_line(line).error();
        next_line();
        if (error == errc::none) fields_begin_ = line_begin_;
        return error;
    }

    /// field-name ":" OWS field-value OWS (RFC 9112 §5); the value's characters were checked as they came.
    errc check_field_line(std::string_view line) noexcept {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
            return errc::handshake_invalid_field_line;
        }
        return ++header_count_ > limits_.max_headers ? errc::handshake_too_many_headers : errc::none;
    }

    void next_line() noexcept {
        line_begin_ = buffer_.size();
        line_size_ = 0;
        previous_ = '\0';
    }

    [[nodiscard]] std::string_view text() const noexcept { return text_of(buffer_.view()); }

    handshake_limits limits_;
    byte_buffer buffer_;
    head_kind kind_;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
