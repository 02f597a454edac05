// SPDX-License-Identifier: MIT
#pragma once
// How a connection ended, collected while it ends.
//
// Laws of this file:
// - The first reason stands. The peer's status code stands above ours, and ours counts when it was written.
// - All of it belongs to the loop. Other threads can cause only a Close, which is read from the writer in one step.

#include "../options.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

class ending_record {
public:
    void blame(errc why) noexcept {
        if (reason_ == errc::none) reason_ = why;
    }
    void peer_closed(close_code code) noexcept {
        peer_closed_ = true;
        code_ = code;
    }
    void handler_still_runs() noexcept { handler_still_runs_ = true; }

    /// `control_frames`: without the Close.
    [[nodiscard]] ending how(std::uint64_t control_frames, const drain_report& written,
                             const inbox_report& handled) const noexcept {
        ending how{.reason = reason_,
                   .code = code_,
                   .peer_closed = peer_closed_,
                   .handler_still_runs = handler_still_runs_,
                   .control_frames = control_frames,
                   .written = written,
                   .handled = handled};
        if (how.reason == errc::none)
            how.reason = written.reason != errc::none ? written.reason : handled.reason;
        if (written.close != close_code::abnormal) ++how.control_frames;
        if (!peer_closed_ && written.ends_with_close()) how.code = written.close;
        return how;
    }

private:
    close_code code_ = close_code::abnormal;
    errc reason_ = errc::none;
    bool peer_closed_ : 1 = false;
    bool handler_still_runs_ : 1 = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail
