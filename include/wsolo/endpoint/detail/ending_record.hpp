#pragma once
// How a connection ends, as it becomes known.
//
// Laws of this file:
// - The first reason stands. The peer's status code stands above ours, and ours counts when it was written.
// - All of it is the loop's. What other threads may cause, a Close, is read from the writer, which knows it in one step.

#include "../options.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

class ending_record {
public:
    void blame(errc why) noexcept {
        if (how_.reason == errc::none) how_.reason = why;
    }
    void peer_closed(close_code code) noexcept {
        how_.peer_closed = true;
        how_.code = code;
    }
    void handler_still_runs() noexcept { how_.handler_still_runs = true; }
    /// The writer accepted a PING or a PONG of the endpoint's own.
    void count_control() noexcept { ++how_.control_frames; }

    const ending& finish(const drain_report& written, const inbox_report& handled) noexcept {
        how_.written = written;
        how_.handled = handled;
        blame(written.reason);
        blame(handled.reason);
        if (written.close != close_code::abnormal) ++how_.control_frames;
        if (!how_.peer_closed) how_.code = written.ends_with_close() ? written.close : close_code::abnormal;
        return how_;
    }

    [[nodiscard]] const ending& how() const noexcept { return how_; }

private:
    ending how_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
