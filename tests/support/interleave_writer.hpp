#pragma once
// A single_writer under the interleaving checker: a tape for a transport, a bell for a hook, and the
// sentences that must hold of every writer when its threads have ended.
//
// Law of this file: the tape is plain memory, so that two threads whose turn it is at once are a data race.

#include <support/interleave_bell.hpp>

#include <wsolo/write/init_gate.hpp>
#include <wsolo/write/wait.hpp>

#include <array>
#include <optional>

namespace checked {

using interleave::check;
using wsolo::errc;
using wsolo::pump_status;

/// What one transport was told. Takes everything, but for the first `blocks` writes.
struct tape {
    std::array<unsigned char, 1024> bytes{};
    std::size_t size = 0;
    int blocks = 0;          ///< writes that are answered with would_block first
    std::size_t partial = 0; ///< bytes that each of them takes all the same
    std::size_t most = 1024; ///< bytes that one of the others takes
    bool fails = false;      ///< every write
    int finished = 0;
    bool drained = false;
    bool output_ended = false, disconnected = false;

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
        check(finished == 0, "a write after the end");
        if (fails) return {wsolo::io_status::failed, 0, 5};
        const std::size_t left = bytes.size() - size;
        std::size_t room = blocks > 0 ? partial : most < left ? most : left;
        std::size_t taken = 0;
        for (const wsolo::const_bytes part : parts) {
            const std::size_t share = part.size() < room ? part.size() : room;
            std::memcpy(bytes.data() + size, part.data(), share);
            size += share;
            taken += share;
            room -= share;
        }
        return {blocks > 0 && blocks-- > 0 ? wsolo::io_status::would_block : wsolo::io_status::ok, taken, 0};
    }
    void finish(wsolo::end_of_write why) {
        check(finished++ == 0, "the transport was finished twice");
        drained = why == wsolo::end_of_write::drained;
    }

    /// The first payload byte of each whole frame, in order ('#' for a Close). Frames here have payloads of one
    /// byte, said up to 125 times, or none. A rest that is no whole frame counts as '?', and so does a payload in
    /// which another byte stands.
    [[nodiscard]] std::string frames() const {
        std::string found;
        std::size_t at = 0;
        while (at + 2 <= size && at + 2 + bytes[at + 1] <= size) {
            found += (bytes[at] & 0x0FU) == 8 ? '#'
                     : bytes[at + 1] == 0     ? '.'
                     : is_even(at)            ? static_cast<char>(bytes[at + 2])
                                              : '?';
            at += 2U + bytes[at + 1];
        }
        return at == size ? found : found + '?';
    }

private:
    [[nodiscard]] bool is_even(std::size_t frame) const {
        for (std::size_t i = 0; i != bytes[frame + 1]; ++i) {
            if (bytes[frame + 2 + i] != bytes[frame + 2]) return false;
        }
        return true;
    }
};

struct transport {
    tape* to;
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) {
        return to->write(parts, deadline);
    }
    void finish(wsolo::end_of_write why) { to->finish(why); }
    void end_output() const { check(!std::exchange(to->output_ended, true), "two ends of the output"); }
    void disconnect() const { check(!std::exchange(to->disconnected, true), "the connection went twice"); }
};

/// Counts how often a mark was told of. Plain memory: only the thread whose turn it is tells.
struct marks {
    int high = 0, low = 0;
};
struct observer {
    marks* told;
    void on_finished(const wsolo::drain_report&) const {}
    void on_high_water() const { ++told->high; }
    void on_low_water() const { ++told->low; }
};

template <class Hook>
using writer_of = wsolo::single_writer<transport, Hook, wsolo::server_side, observer, interleave::traits>;

/// Counts outcomes: `none` and all others.
struct tally {
    interleave::atomic<int> written{0}, dropped{0};
    wsolo::on_outcome on_done() {
        return {[](void* context, errc how) noexcept {
                    auto& self = *static_cast<tally*>(context);
                    (how == errc::none ? self.written : self.dropped).fetch_add(1);
                },
                this};
    }
};

/// A writer whose senders ring a bell; serve() is the loop.
struct deferred {
    tape wire;
    bell ring;
    marks told;
    std::optional<writer_of<bell::hook>> out;

    explicit deferred(const wsolo::writer_options& options = {}) {
        out.emplace(transport{&wire}, bell::hook{&ring}, options, wsolo::server_side{}, observer{&told});
    }
    deferred(wsolo::born_gated_t gated, const wsolo::writer_options& options = {}) {
        out.emplace(gated, transport{&wire}, bell::hook{&ring}, options, wsolo::server_side{},
                    observer{&told});
    }
    /// Pumps when the bell rings, and again where the transport blocked, until `frames` are written or it is
    /// over.
    void serve(std::size_t frames) {
        for (;;) {
            ring.wait();
            pump_status left;
            do left = out->pump().status;
            while (left == pump_status::blocked || left == pump_status::more);
            if (left == pump_status::finished || wire.frames().size() == frames) return;
        }
    }
};

/// A writer whose senders write themselves; what blocks goes to the bell.
struct direct {
    tape wire;
    bell ring;
    marks told;
    std::optional<writer_of<wsolo::inline_drive<bell::hook>>> out;

    explicit direct(const wsolo::writer_options& options = {}) {
        out.emplace(transport{&wire}, wsolo::inline_drive<bell::hook>{{&ring}}, options, wsolo::server_side{},
                    observer{&told});
    }
};

/// What must hold when the threads have ended and nothing is queued: `accepted` frames, each written or
/// dropped.
template <class Room>
void settled(Room& m, std::uint64_t accepted) {
    const wsolo::drain_report report = m.out->report();
    check(report.frames_accepted() == accepted, "accepted is not written plus dropped");
    check(m.wire.frames().size() == report.frames_written, "the report does not say what is on the wire");
    check(report.bytes_written == m.wire.size, "bytes were counted that are not on the wire");
    check(m.out->queued_bytes() == 0, "something stays in the queue");
    check(!m.out->is_pump_owed(), "a pump is still owed");
    check(m.out->is_finished() == (m.wire.finished == 1), "the transport's end is not the writer's");
}

} // namespace checked
