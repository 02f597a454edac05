// SPDX-License-Identifier: MIT
#pragma once
// The reader's machine without its key source: frames become messages, fragments, control frames, or the end.
//
// Laws of this file:
// - One buffer holds what a read cut: the message so far, and after it the control frame so far. Data cannot
//   come while a control frame is unfinished, so the second is always the tail.
// - The memory that the last event pointed to is given back only when the next event is asked for.

#include "../../frame/decode.hpp"
#include "../../text/utf8.hpp"
#include "../event.hpp"
#include "kept_bytes.hpp"
#include "message_rules.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

enum class read_phase : std::uint8_t { open, peer_closed, failed };

template <role Role>
struct reader_state {
    explicit reader_state(const read_bounds& bounds) noexcept
        : by_fragments_(bounds.by_fragments),
          decoder_({bounds.max_frame_size}, bounds.allowed_rsv),
          rules_(bounds),
          max_age_(bounds.max_age) {
        if (by_fragments_)
            static_cast<void>(kept_.reserve_more(max_control_payload)); // retried when it is needed
    }

    /// The next event in `input`, which is advanced past it. False when the input is used up. The event owes
    /// no reply yet.
    bool next(mutable_bytes& input, event& found) noexcept {
        if (delivered_) forget_delivered();
        while (phase == read_phase::open) {
            mutable_bytes payload;
            if (!rules_.open() && decoder_.next_whole(input, payload, rules_.max_size())) {
                return take_whole(payload, found);
            }
            const decoded part = decoder_.next_masked(input, rules_);
            if (part.status != decode_status::part) {
                if (part.status == decode_status::need_more) return false;
                return fail(part.error, found);
            }
            if (take(part, found)) return true;
        }
        return refuse(input, found);
    }

    /// Whether next() has nothing to do or to tell when there is no input.
    [[nodiscard]] bool has_no_more() const noexcept {
        return phase == read_phase::open && !delivered_ && is_between_messages();
    }
    /// Counts input that is not looked at: the stream has a gap now.
    void give_up(mutable_bytes input) noexcept {
        ignored += input.size();
        if (phase == read_phase::open) fail_untold(errc::aborted);
    }

    /// basic_reader::tick()
    time_point tick(time_point now) noexcept {
        const duration max_age = max_age_.get();
        if (phase != read_phase::open || max_age == (duration::max)() || !is_unfinished()) return no_deadline;
        const time_point from_now = deadline_after(now, max_age);
        if (!is_dated_) begin_age(from_now);
        if (from_now < late_at_) late_at_ = from_now; // heals a time that a clock which ran ahead has set
        if (now < late_at_) return late_at_;
        if (has_looked_) {
            fail_untold(errc::message_timeout);
            return now;
        }
        has_looked_ = true;
        return late_at_ = deadline_after(now, max_age / 4);
    }
    [[nodiscard]] time_point deadline() const noexcept {
        return phase == read_phase::open && is_dated_ && is_unfinished() ? late_at_ : no_deadline;
    }
    void note_not_listening(time_point now) noexcept {
        if (is_dated_) begin_age(deadline_after(now, max_age_.get()));
    }

    /// Whether neither a message nor a frame is under way.
    [[nodiscard]] bool is_between_messages() const noexcept {
        return !rules_.open() && decoder_.at_boundary();
    }

    std::uint64_t ignored = 0;
    read_phase phase = read_phase::open;
    errc error = errc::none;
    bool close_sent = false;

private:
    static constexpr bool masked = masks(peer_of(Role));

    /// The usual case on its own: a message in one frame in one piece.
    [[gnu::always_inline]] bool take_whole(mutable_bytes payload, event& found) noexcept {
        const bool text = decoder_.first_byte() == std::byte{0x81};
        if (text) {
            utf8_validator whole;
            if (!judge(whole, payload) || !whole.complete())
                return fail_text(whole, 0, payload.size(), found);
        } else {
            unmask(payload);
        }
        const event_kind kind = by_fragments_ ? event_kind::fragment : event_kind::message;
        event_access::data(found, kind, payload, {.text = text, .begins = true, .ends = true});
        return true;
    }

    [[gnu::noinline]] bool take(const decoded& part, event& found) noexcept {
        const unsigned first = std::to_integer<unsigned>(decoder_.first_byte());
        const auto op = static_cast<opcode>(first & 0x0Fu);
        if (is_control(op)) {
            if (part.ends && !rules_.open()) is_dated_ = false;
            return take_control(op, part, found);
        }
        if (part.begins) {
            rules_.begin_frame(decoder_.first_byte(), decoder_.payload_size());
            if (op != opcode::continuation) piece_begins_ = true;
        }
        const bool ended = part.ends && rules_.end_frame();
        if (ended) is_dated_ = false;
        const bool validates = rules_.is_text() && rules_.rsv() == 0;
        if (validates) {
            const std::uint64_t before = text_.valid_up_to();
            if (!judge(text_, part.payload) || (ended && !text_.complete())) {
                return fail_text(text_, before, part.payload.size(), found);
            }
        }
        return by_fragments_ ? take_piece(part.payload, ended, validates, found)
                             : gather(part.payload, ended, validates, found);
    }

    bool take_piece(mutable_bytes payload, bool ended, bool unmasked, event& found) noexcept {
        if (!unmasked) unmask(payload);
        if (payload.empty() && !ended) return false;
        event_access::data(found, event_kind::fragment, payload,
                           {rules_.is_text(), piece_begins_, ended, rules_.rsv()});
        piece_begins_ = false;
        return true;
    }

    bool gather(mutable_bytes payload, bool ended, bool unmasked, event& found) noexcept {
        const_bytes message = payload;
        if (ended && kept_.empty()) {
            if (!unmasked) unmask(payload);
        } else {
            if (!keep(payload, unmasked)) return fail(errc::out_of_memory, found);
            if (!ended) return false;
            message = kept_.view();
            deliver_kept_from(0);
        }
        event_access::data(found, event_kind::message, message, {rules_.is_text(), true, true, rules_.rsv()});
        return true;
    }

    bool take_control(opcode op, const decoded& part, event& found) noexcept {
        if (part.begins) kept_.set_mark(kept_.size());
        const_bytes body = part.payload;
        if (part.begins && part.ends) {
            unmask(part.payload);
        } else {
            if (!keep(part.payload, false)) return fail(errc::out_of_memory, found);
            if (!part.ends) return false;
            body = kept_.view().subspan(kept_.mark());
            deliver_kept_from(kept_.mark());
        }
        if (op == opcode::close) return take_close(body, found);
        event_access::control(found, op == opcode::ping ? event_kind::ping : event_kind::pong, body);
        return true;
    }

    bool take_close(const_bytes body, event& found) noexcept {
        const result<close_body> parsed = parse_close_body(unmasked_bytes(body));
        if (!parsed) return fail(parsed.error(), found);
        phase = read_phase::peer_closed;
        // A message that the Close cut off is dropped. If the Close was kept after it, the Close is moved first.
        if (!delivered_) {
            kept_.release();
        } else if (kept_.mark() != 0) {
            kept_bytes alone;
            if (std::byte* const to = alone.extend(body.size())) {
                copy_bytes(to, body.data(), body.size());
                kept_ = std::move(alone);
                body = kept_.view();
            }
            deliver_kept_from(0);
        }
        event_access::close(found, body, parsed->code);
        return true;
    }

    /// `unread`: how many bytes of the part that came last lie after what broke the rule.
    bool fail(errc broken, event& found, std::size_t unread = 0) noexcept {
        ignored += unread;
        phase = read_phase::failed;
        error = broken;
        kept_.release();
        delivered_ = false;
        event_access::failure(found, broken);
        return true;
    }

    /// The same, outside of a read(): the next read() makes the event of it.
    void fail_untold(errc why) noexcept {
        phase = read_phase::failed;
        error = why;
        kept_.release();
        delivered_ = false;
        failure_untold_ = true;
    }

    [[nodiscard]] bool is_unfinished() const noexcept { return !is_between_messages(); }
    void begin_age(time_point late_at) noexcept {
        late_at_ = late_at;
        is_dated_ = true;
        has_looked_ = false;
    }

    /// The bad byte is the first after those that were valid, unless the text only stops too early.
    [[gnu::noinline]] bool fail_text(const utf8_validator& text, std::uint64_t before, std::size_t size,
                                     event& found) noexcept {
        const auto taken = static_cast<std::size_t>(text.valid_up_to() - before);
        return fail(errc::invalid_utf8, found, taken < size ? size - taken - 1 : 0);
    }

    /// What comes after the end of the connection; after give_up() first the failure itself.
    bool refuse(mutable_bytes& input, event& found) noexcept {
        ignored += input.size();
        input = {};
        if (!failure_untold_) return false;
        failure_untold_ = false;
        return fail(error, found);
    }

    /// XORs `payload`, the part that came last, in place; a server's frames need none.
    void unmask(mutable_bytes payload) const noexcept {
        if constexpr (masked) apply_mask(payload, decoder_.key(), offset_of(payload));
    }

    /// The same, and whether the text so far may be UTF-8: one pass.
    [[nodiscard]] bool judge(utf8_validator& text, mutable_bytes payload) const noexcept {
        if constexpr (masked) {
            return text.write_masked(payload, decoder_.key(), offset_of(payload));
        } else {
            return text.write(payload);
        }
    }

    /// Appends `payload` to what is kept, unmasking it on the way unless it was before.
    [[nodiscard]] bool keep(const_bytes payload, bool unmasked) noexcept {
        if (payload.empty()) return true;
        std::byte* to = kept_.extend(payload.size());
        if (to == nullptr) return false;
        if (masked && !unmasked) {
            copy_masked(to, payload, decoder_.key(), offset_of(payload));
        } else {
            copy_bytes(to, payload.data(), payload.size());
        }
        return true;
    }

    [[nodiscard]] std::uint64_t offset_of(const_bytes last_part) const noexcept {
        return decoder_.position() - last_part.size();
    }

    /// The event that is being made points to what is kept from `at` on.
    void deliver_kept_from(std::size_t at) noexcept {
        kept_.set_mark(at);
        delivered_ = true;
    }

    void forget_delivered() noexcept {
        delivered_ = false;
        kept_.truncate(kept_.mark());
        if (kept_.empty() && !by_fragments_) kept_.release(); // an idle connection holds nothing
    }

    bool by_fragments_;
    bool delivered_ = false;
    bool piece_begins_ : 1 = false;
    bool failure_untold_ : 1 = false;
    bool is_dated_ : 1 = false;   ///< what was unfinished at the last tick() still is
    bool has_looked_ : 1 = false; ///< a tick() saw it late
    frame_decoder<Role> decoder_;
    [[no_unique_address]] message_rules rules_; // [[no_unique_address]]: max_age_ lies in its tail padding
    short_duration max_age_;
    utf8_validator text_; // between messages it stands between code points: a text that ended was complete
    kept_bytes kept_;
    time_point late_at_{}; ///< while what is unfinished has a date
};

} // namespace wsolo::inline WSOLO_ABI::detail
