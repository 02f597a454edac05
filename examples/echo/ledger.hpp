#pragma once
// What all connections came to: their own reports beside what was counted by those who handled and sent.

#include "../console.hpp"

#include <wsolo/endpoint/options.hpp>

/// The loop's.
class ledger {
public:
    explicit ledger(bool says_each) : says_each_(says_each) {}

    /// One that ended. `handled`, messages, and `sent`, frames, as its handler counted them.
    void enter(unsigned port, const wsolo::ending& how, std::uint64_t handled, std::uint64_t sent) {
        const wsolo::drain_report& out = how.written;
        const std::uint64_t accepted = sent + how.control_frames;
        if (says_each_) {
            report_line("end")
                .with("peer", port)
                .with("reason", name_of(how.reason))
                .with("code", static_cast<unsigned>(how.code))
                .with("received", how.handled.messages_accepted())
                .with("handled", handled)
                .with("unhandled", how.handled.messages_dropped)
                .with("accepted", accepted)
                .with("written", out.frames_written)
                .with("dropped", out.frames_dropped)
                .with("replaced", out.pongs_replaced)
                .with("bytes", out.bytes_written)
                .with("partial", out.partial_frame ? "yes" : "no");
        }
        ++connections_;
        received_ += how.handled.messages_accepted();
        handled_ += handled;
        unhandled_ += how.handled.messages_dropped;
        accepted_ += accepted;
        written_ += out.frames_written;
        dropped_ += out.frames_dropped;
        replaced_ += out.pongs_replaced;
        each_adds_up_ =
            each_adds_up_ && handled == how.handled.messages_handled && accepted <= out.frames_accepted();
    }
    void enter_refused(unsigned port, wsolo::errc why) {
        wsolo::ending how;
        how.reason = why;
        enter(port, how, 0, 0);
        ++refused_;
    }

    /// `broadcast`: frames that were sent to all. Whether it adds up.
    bool close(std::uint64_t broadcast) const {
        const std::uint64_t accepted = accepted_ + broadcast;
        const bool adds_up = each_adds_up_ && received_ == handled_ + unhandled_ &&
                             accepted == written_ + dropped_ + replaced_;
        report_line("total")
            .with("connections", connections_)
            .with("refused", refused_)
            .with("received", received_)
            .with("handled", handled_)
            .with("unhandled", unhandled_)
            .with("accepted", accepted)
            .with("written", written_)
            .with("dropped", dropped_)
            .with("replaced", replaced_)
            .with("adds_up", adds_up ? "yes" : "no");
        return adds_up;
    }

private:
    const bool says_each_;
    bool each_adds_up_ = true;
    std::uint64_t connections_ = 0;
    std::uint64_t refused_ = 0; ///< handshakes
    std::uint64_t received_ = 0, handled_ = 0, unhandled_ = 0;
    std::uint64_t accepted_ = 0, written_ = 0, dropped_ = 0, replaced_ = 0;
};
