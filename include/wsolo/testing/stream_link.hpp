// SPDX-License-Identifier: MIT
#pragma once
// One direction of a byte stream on a clock that the caller moves: the sender's kernel, the way, the receiver's kernel,
// and a proxy half way. Half of what testing::pair is made of. Not part of wsolo.hpp.
//
// Laws of this file:
// - Every byte that it took arrives in order, or is counted as lost. Same calls, same times: same arrivals.
// - It reads no clock: every call that depends on the time brings it, and next() says when to come again.
// - The end of the stream follows the last byte. A reset overtakes what has not arrived, and that is lost; what has
//   arrived stays readable.

#include "../core/bytes.hpp"
#include "../core/time.hpp"

#include <deque>
#include <string>
#include <utility>

namespace wsolo::inline WSOLO_ABI::testing {

/// How one direction behaves. A zero means "none".
struct link_options {
    /// From one kernel to the other.
    std::chrono::nanoseconds latency{1'000'000};
    /// Bytes per second; 0: all at once.
    std::uint64_t rate = 0;
    /// Bytes that the sender's kernel takes before the receiver's has them; beyond it a write would block. 0: any number.
    std::size_t send_buffer = std::size_t{256} * 1024;
    /// Bytes that lie in the receiver's kernel or are on their way there; beyond it they wait in the sender's. 0: any number.
    std::size_t receive_buffer = std::size_t{256} * 1024;
    /// The most bytes of one receive(); 0: as many as there are, 64 KiB at most.
    std::size_t cut = 0;
    /// Not 0: each receive() gets from 1 to `cut` bytes, drawn from this seed.
    std::uint64_t seed = 0;
};

/// See the file's laws. Owns the bytes that are on their way. Not thread-safe.
class stream_link {
public:
    /// What happened in a move().
    struct happened {
        bool reset = false;          ///< a reset arrived
        bool refused = false;        ///< bytes arrived at a receiver that is gone
        bool end_passed = false;     ///< the stream's end came to the proxy
        bool refused_midway = false; ///< bytes came to a proxy that has ended
    };

    explicit stream_link(const link_options& how, bool has_proxy = false)
        : how_(how), has_proxy_(has_proxy) {}

    // ---- the sender's

    /// Takes as many of the bytes as the buffer has room for.
    std::size_t take(const_bytes bytes, time_point now) {
        if (is_reset_) { // the sender does not know yet
            taken_ += bytes.size();
            lost_ += bytes.size();
            return bytes.size();
        }
        depart(now);
        const std::size_t room = how_.send_buffer == 0         ? bytes.size()
                                 : unsent() < how_.send_buffer ? how_.send_buffer - unsent()
                                                               : 0;
        const std::size_t count = bytes.size() < room ? bytes.size() : room;
        waiting_.append(text_of(bytes.first(count)));
        ready_at_ = now;
        taken_ += count;
        return count;
    }
    [[nodiscard]] bool has_room() const noexcept {
        return how_.send_buffer == 0 || unsent() < how_.send_buffer;
    }
    /// Bytes that were taken and are not yet in the receiver's kernel.
    [[nodiscard]] std::size_t unsent() const noexcept { return waiting_.size() + on_the_way_; }
    /// Ends the stream after the bytes that were taken.
    void end(time_point now) {
        depart(now);
        if (!std::exchange(has_ended_, true)) ready_at_ = now;
    }
    /// Loses the bytes that have not arrived and those that are taken later, and tells the receiver at `now` + `after`.
    void reset(time_point now, duration after) {
        lose();
        is_reset_ = true;
        way_.push_back(
            {.what = piece::kind::reset, .bytes = {}, .passes = now, .arrives = deadline_after(now, after)});
        has_ended_ = true;
    }
    /// Loses what has not arrived (at the proxy, where there is one).
    void lose() {
        lost_ += waiting_.size();
        waiting_.take(waiting_.size());
        for (std::size_t i = way_.size(); i-- > passed_;) {
            if (way_[i].what == piece::kind::reset) continue;
            lost_ += way_[i].bytes.size();
            on_the_way_ -= way_[i].bytes.size();
            way_.erase(way_.begin() + static_cast<std::ptrdiff_t>(i));
        }
        has_ended_ = is_end_sent_ = true;
    }

    // ---- the receiver's

    /// Bytes in the receiver's kernel.
    [[nodiscard]] std::size_t readable() const noexcept { return arrived_.size(); }
    /// Nothing more comes, and all was read.
    [[nodiscard]] bool is_at_end() const noexcept { return is_over_ && arrived_.empty(); }
    /// Nothing more comes.
    [[nodiscard]] bool is_over() const noexcept { return is_over_; }
    /// The next bytes, `at_most` many.
    [[nodiscard]] std::string read(std::size_t at_most, time_point now) {
        depart(now); // before the window opens
        std::string bytes = arrived_.take(at_most);
        ready_at_ = now;
        read_ += bytes.size();
        return bytes;
    }
    /// How many bytes the next receive() may have, by the options.
    [[nodiscard]] std::size_t next_cut() noexcept {
        if (how_.cut == 0) return std::size_t{64} * 1024;
        if (how_.seed == 0) return how_.cut;
        how_.seed = how_.seed * 6364136223846793005ULL + 1442695040888963407ULL;
        return 1 + static_cast<std::size_t>(how_.seed >> 33) % how_.cut;
    }
    /// The receiver is gone: what lies there is lost, what comes is refused.
    void refuse() {
        lost_ += arrived_.take(arrived_.size()).size();
        is_refusing_ = true;
    }
    /// The receiver wants no more: what lies there is readable, what comes is refused.
    void refuse_more() noexcept { is_refusing_ = true; }

    // ---- the way's

    /// Bytes stop where they are, until resume().
    void stall(time_point now) {
        depart(now);
        is_stalled_ = true;
    }
    void resume(time_point now) noexcept {
        is_stalled_ = false;
        ready_at_ = now;
    }
    [[nodiscard]] bool is_stalled() const noexcept { return is_stalled_; }

    /// The proxy half way ends both its sides: what has passed it arrives, then the end.
    void end_midway(time_point now) {
        is_ended_midway_ = true;
        time_point arrives = deadline_after(now, how_.latency / 2);
        if (passed_ != 0 && arrives < way_[passed_ - 1].arrives) arrives = way_[passed_ - 1].arrives;
        way_.insert(way_.begin() + static_cast<std::ptrdiff_t>(passed_++),
                    {.what = piece::kind::end, .bytes = {}, .passes = now, .arrives = arrives});
    }

    /// Does what is due at `now`.
    happened move(time_point now) {
        happened what;
        depart(now);
        if (is_stalled_) return what;
        if (has_proxy_) pass(now, what);
        while (!way_.empty() && way_.front().arrives <= now) arrive(what);
        return what;
    }
    /// When move() will next have something to do, unless another call changes that.
    [[nodiscard]] time_point next() const noexcept {
        if (is_stalled_) return no_deadline;
        time_point first = way_.empty() ? no_deadline : way_.front().arrives;
        if (can_depart() && departs_at() < first) first = departs_at();
        if (has_proxy_ && passed_ < way_.size() && way_[passed_].passes < first) first = way_[passed_].passes;
        return first;
    }

    /// The configured latency.
    [[nodiscard]] duration latency() const noexcept { return how_.latency; }
    /// Counts of bytes: each byte that was taken was read, was lost, or is still under way or unread.
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
    [[nodiscard]] std::uint64_t was_read() const noexcept { return read_; }
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

private:
    /// Bytes in order; taking some from the front costs no more than these.
    class fifo {
    public:
        [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - from_; }
        [[nodiscard]] bool empty() const noexcept { return size() == 0; }
        void append(std::string_view more) { bytes_ += more; }
        std::string take(std::size_t at_most) {
            std::string front = bytes_.substr(from_, at_most);
            from_ += front.size();
            if (from_ > bytes_.size() / 2) bytes_.erase(0, std::exchange(from_, 0));
            return front;
        }

    private:
        std::string bytes_;
        std::size_t from_ = 0;
    };

    struct piece {
        enum class kind : std::uint8_t { data, end, reset };
        kind what = kind::data;
        std::string bytes;
        time_point passes, arrives;
    };

    [[nodiscard]] time_point departs_at() const noexcept {
        return free_at_ < ready_at_ ? ready_at_ : free_at_;
    }
    /// Bytes that may leave now.
    [[nodiscard]] std::size_t window() const noexcept {
        const std::size_t used = arrived_.size() + on_the_way_;
        if (how_.receive_buffer == 0) return waiting_.size();
        return used < how_.receive_buffer ? how_.receive_buffer - used : 0;
    }
    [[nodiscard]] bool can_depart() const noexcept {
        return waiting_.empty() ? has_ended_ && !is_end_sent_ : window() != 0;
    }
    /// The bytes of a hundredth of a second, so that a rate is steady.
    [[nodiscard]] std::size_t longest_piece() const noexcept {
        constexpr std::uint64_t most = 16 * 1024;
        const std::uint64_t part = how_.rate / 100;
        return static_cast<std::size_t>(how_.rate == 0 || part > most ? most : part == 0 ? 1 : part);
    }

    void depart(time_point now) {
        while (!is_stalled_ && can_depart() && departs_at() <= now) {
            std::size_t count = window() < waiting_.size() ? window() : waiting_.size();
            if (count > longest_piece()) count = longest_piece();
            const auto needs = how_.rate == 0 ? duration::zero()
                                              : std::chrono::duration_cast<duration>(std::chrono::nanoseconds(
                                                    count * std::uint64_t{1'000'000'000} / how_.rate));
            free_at_ = deadline_after(departs_at(), needs);
            is_end_sent_ = waiting_.empty();
            const time_point passes = deadline_after(free_at_, how_.latency / 2);
            const time_point arrives = deadline_after(free_at_, how_.latency);
            const bool joins = way_.size() > passed_ && way_.back().what == piece::kind::data &&
                               !is_end_sent_ && way_.back().arrives == arrives;
            if (joins) // many single bytes would be many pieces
                way_.back().bytes += waiting_.take(count);
            else
                way_.push_back({.what = is_end_sent_ ? piece::kind::end : piece::kind::data,
                                .bytes = waiting_.take(count),
                                .passes = passes,
                                .arrives = arrives});
            on_the_way_ += count;
        }
    }

    void pass(time_point now, happened& what) {
        while (passed_ < way_.size() && way_[passed_].passes <= now) {
            const piece& next = way_[passed_];
            if (!is_ended_midway_) {
                what.end_passed |= next.what == piece::kind::end;
                ++passed_;
                continue;
            }
            what.refused_midway |= next.what == piece::kind::data;
            lost_ += next.bytes.size();
            on_the_way_ -= next.bytes.size();
            way_.erase(way_.begin() + static_cast<std::ptrdiff_t>(passed_));
        }
    }

    void arrive(happened& what) {
        const piece first = std::move(way_.front());
        way_.pop_front();
        if (passed_ != 0) --passed_;
        on_the_way_ -= first.bytes.size();
        what.reset |= first.what == piece::kind::reset;
        if (first.what != piece::kind::data) {
            is_over_ = true;
        } else if (is_refusing_) {
            lost_ += first.bytes.size();
            what.refused = true;
        } else {
            arrived_.append(first.bytes);
        }
    }

    link_options how_;
    fifo waiting_; ///< in the sender's kernel
    std::deque<piece> way_;
    std::size_t passed_ = 0; ///< the first of them, which are past the proxy
    fifo arrived_;           ///< in the receiver's kernel
    std::size_t on_the_way_ = 0;
    std::uint64_t taken_ = 0, read_ = 0, lost_ = 0;
    time_point free_at_ = (time_point::min)();  ///< the last piece has wholly left
    time_point ready_at_ = (time_point::min)(); ///< since when the next may leave
    bool has_proxy_;
    bool has_ended_ = false, is_end_sent_ = false, is_over_ = false, is_refusing_ = false, is_reset_ = false,
         is_stalled_ = false, is_ended_midway_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::testing
