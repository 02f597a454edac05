#pragma once
// How a connection ends, as it becomes known.
//
// Laws of this file:
// - The first reason stays. The peer's status code stands above ours: it is the one that was received.
// - note_close() and count_control() may be called from any thread; the rest by the loop's.

#include "../options.hpp"

#include <atomic>

namespace wsolo::inline WSOLO_ABI::detail {

template <class Traits>
class ending_record {
public:
    void blame(errc why) noexcept {
        if (how_.reason == errc::none) how_.reason = why;
    }
    void peer_closed(close_code code) noexcept {
        how_.peer_closed = true;
        how_.code = code;
    }
    /// Our Close with this code was queued.
    void note_close(close_code code) noexcept {
        std::uint16_t none = 0;
        sent_code_.compare_exchange_strong(none, static_cast<std::uint16_t>(code), std::memory_order_relaxed);
    }
    /// The writer accepted a control frame of the endpoint's own.
    void count_control() noexcept { control_frames_.fetch_add(1, std::memory_order_relaxed); }
    [[nodiscard]] bool close_noted() const noexcept {
        return sent_code_.load(std::memory_order_relaxed) != 0;
    }

    const ending& finish(const drain_report& written, const inbox_report& handled) noexcept {
        how_.control_frames = control_frames_.load(std::memory_order_relaxed);
        how_.written = written;
        how_.handled = handled;
        blame(written.reason);
        blame(handled.reason);
        if (!how_.peer_closed && close_noted())
            how_.code = static_cast<close_code>(sent_code_.load(std::memory_order_relaxed));
        return how_;
    }

    [[nodiscard]] const ending& how() const noexcept { return how_; }

private:
    ending how_;
    typename Traits::template atomic<std::uint16_t> sent_code_{0};
    typename Traits::template atomic<std::uint64_t> control_frames_{0};
};

} // namespace wsolo::inline WSOLO_ABI::detail
