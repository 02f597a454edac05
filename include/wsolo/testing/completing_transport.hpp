// SPDX-License-Identifier: MIT
#pragma once
// A completion-style transport whose writes end when the test says so: late, short, failed, after an abort,
// after the writer has gone. Not part of wsolo.hpp.
//
// Laws of this file:
// - The bytes of a write are read when it ends, not when it starts, as a device does: so a sanitizer finds memory that the
//   writer gave back too early.

#include "../write/transport.hpp"

#include <string>
#include <vector>

namespace wsolo::inline WSOLO_ABI::testing {

/// The wire behind a completing transport. Outlives the writer; one thread at a time, as a transport.
class completing_wire {
public:
    /// Whether each write ends inside of start_write(), wholly taken.
    void at_once(bool wanted) noexcept { at_once_ = wanted; }
    /// Whether cancel_write() ends the write, with what it took (nothing) and `failed`.
    void obeys_cancel(bool wanted) noexcept { obeys_cancel_ = wanted; }

    /// Whether a write was started and is not over.
    [[nodiscard]] bool in_flight() const noexcept { return in_flight_; }
    /// Bytes of the write in flight.
    [[nodiscard]] std::size_t offered() const noexcept {
        std::size_t bytes = 0;
        for (const const_bytes part : parts_) bytes += part.size();
        return bytes;
    }

    /// Ends the write in flight: takes at most `at_most` of its bytes, then says `status`.
    void end(io_status status = io_status::ok, std::size_t at_most = static_cast<std::size_t>(-1),
             int error = 0) {
        io_result how{status, 0, error};
        for (const const_bytes part : parts_) {
            const std::size_t room = at_most - how.transferred;
            const std::size_t share = part.size() < room ? part.size() : room;
            bytes_.append(text_of(part.first(share)));
            how.transferred += share;
        }
        in_flight_ = false;
        parts_.clear();
        write_done done = std::move(done_); // which may start the next write
        done(how);
    }
    /// Destroys the completion uncalled, as a transport does whose operation is destroyed.
    void lose() {
        in_flight_ = false;
        parts_.clear();
        const write_done lost = std::move(done_);
    }

    /// What the writer did so far: bytes taken, each write's deadline, cancels, and how it finished.
    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
    [[nodiscard]] const std::vector<time_point>& deadlines() const noexcept { return deadlines_; }
    [[nodiscard]] int cancels() const noexcept { return cancels_; }
    [[nodiscard]] int finishes() const noexcept { return finishes_; }
    [[nodiscard]] end_of_write finished_as() const noexcept { return finished_as_; }
    /// Whether our FIN was sent, and whether the connection is gone.
    [[nodiscard]] bool output_ended() const noexcept { return output_ended_; }
    [[nodiscard]] bool disconnected() const noexcept { return disconnected_; }

private:
    friend class completing_transport;

    void start_write(std::span<const const_bytes> parts, time_point deadline, write_done done) {
        WSOLO_ASSERT(!in_flight_, "a second write was started while one is in flight");
        in_flight_ = true;
        parts_.assign(parts.begin(), parts.end());
        deadlines_.push_back(deadline);
        done_ = std::move(done);
        if (at_once_) end();
    }
    void cancel_write() {
        ++cancels_;
        if (obeys_cancel_ && in_flight_) end(io_status::failed, 0);
    }
    void finish(end_of_write why) {
        ++finishes_;
        finished_as_ = why;
    }

    std::vector<const_bytes> parts_;
    write_done done_;
    bool in_flight_ = false, at_once_ = false, obeys_cancel_ = false;
    std::string bytes_;
    std::vector<time_point> deadlines_;
    int cancels_ = 0, finishes_ = 0;
    end_of_write finished_as_ = end_of_write::drained;
    bool output_ended_ = false, disconnected_ = false;
};

/// The transport for the writer: a reference to the wire, which outlives it. One thread at a time.
class completing_transport {
public:
    explicit completing_transport(completing_wire& wire) noexcept : wire_(&wire) {}
    void start_write(std::span<const const_bytes> parts, time_point deadline, write_done done) {
        wire_->start_write(parts, deadline, std::move(done));
    }
    void cancel_write() { wire_->cancel_write(); }
    void finish(end_of_write why) { wire_->finish(why); }
    void end_output() { wire_->output_ended_ = true; }
    void disconnect() { wire_->disconnected_ = true; }

private:
    completing_wire* wire_;
};

static_assert(completion_transport<completing_transport> && !transport<completing_transport>);

} // namespace wsolo::inline WSOLO_ABI::testing
