// SPDX-License-Identifier: MIT
#pragma once
// A transport that misbehaves on purpose, for tests: this library's and its users'. Not part of wsolo.hpp.
//
// Laws of this file:
// - What it does is a script, then a rule, both given by the test; the same seed does the same thing again.
// - Every byte that it took is kept, so that the wire can be judged afterwards.

#include "../write/transport.hpp"

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace wsolo::inline WSOLO_ABI::testing {

/// One answer of the transport: takes at most `at_most` of the offered bytes, then says `status`. With `ok`
/// it takes at least one byte.
struct scripted_step {
    /// What write() answers; how many bytes it takes at most, where that is `ok`; and the transport's own code.
    io_status status = io_status::ok;
    std::size_t at_most = static_cast<std::size_t>(-1);
    int error = 0;
};

/// One call that the writer made.
struct scripted_call {
    /// One write(): how much it was offered, in how many parts, what it took, and the deadline it was given.
    std::size_t offered = 0;
    std::size_t taken = 0;
    std::size_t parts = 0;
    time_point deadline = no_deadline;
};

/// The wire behind a scripted transport. Outlives the writer; one thread at a time, as a transport.
class scripted_wire {
public:
    /// Appends a step to the script. After the last one the rule applies.
    scripted_wire& then(scripted_step step) {
        script_.push_back(step);
        return *this;
    }

    /// What happens once the script is used up. Default: everything is taken.
    void rule(std::function<scripted_step()> rule) { rule_ = std::move(rule); }

    /// A rule that draws from `seed`: writes from one byte up, would_block one time in four.
    void chaotic(std::uint64_t seed, std::size_t longest = 64) {
        rule_ = [seed, longest]() mutable -> scripted_step {
            const std::uint64_t drawn = next(seed);
            if (drawn % 4 == 0) return {io_status::would_block, static_cast<std::size_t>(drawn >> 8) % 3, 0};
            return {io_status::ok, 1 + static_cast<std::size_t>(drawn >> 8) % longest, 0};
        };
    }

    /// Calls `hook` before each write is answered, for instance to send another item in the middle of a write.
    void before_write(std::function<void()> hook) { before_write_ = std::move(hook); }

    /// What the writer did so far: bytes taken, each call, and how it finished.
    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
    [[nodiscard]] const std::vector<scripted_call>& calls() const noexcept { return calls_; }
    [[nodiscard]] int finishes() const noexcept { return finishes_; }
    [[nodiscard]] end_of_write finished_as() const noexcept { return finished_as_; }
    /// Whether our FIN was sent, and whether the connection is gone.
    [[nodiscard]] bool output_ended() const noexcept { return output_ended_; }
    [[nodiscard]] bool disconnected() const noexcept { return disconnected_; }

private:
    friend class scripted_transport;

    static std::uint64_t next(std::uint64_t& state) noexcept { // splitmix64
        std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

    io_result write(std::span<const const_bytes> parts, time_point deadline) {
        if (before_write_) before_write_();
        scripted_step step;
        if (!script_.empty()) {
            step = script_.front();
            script_.pop_front();
        } else if (rule_) {
            step = rule_();
        }
        scripted_call call{0, 0, parts.size(), deadline};
        for (const const_bytes part : parts) {
            call.offered += part.size();
            const std::size_t room = step.at_most - call.taken;
            const std::size_t share = part.size() < room ? part.size() : room;
            bytes_.append(text_of(part.first(share)));
            call.taken += share;
        }
        calls_.push_back(call);
        return {step.status, call.taken, step.error};
    }

    void finish(end_of_write why) {
        ++finishes_;
        finished_as_ = why;
    }

    std::deque<scripted_step> script_;
    std::function<scripted_step()> rule_;
    std::function<void()> before_write_;
    std::string bytes_;
    std::vector<scripted_call> calls_;
    int finishes_ = 0;
    end_of_write finished_as_ = end_of_write::drained;
    bool output_ended_ = false, disconnected_ = false;
};

/// The transport for the writer: a reference to the wire, which outlives it. One thread at a time.
class scripted_transport {
public:
    explicit scripted_transport(scripted_wire& wire) noexcept : wire_(&wire) {}
    io_result write(std::span<const const_bytes> parts, time_point deadline) {
        return wire_->write(parts, deadline);
    }
    void finish(end_of_write why) { wire_->finish(why); }
    void end_output() { wire_->output_ended_ = true; }
    void disconnect() { wire_->disconnected_ = true; }

private:
    scripted_wire* wire_;
};

static_assert(transport<scripted_transport>);

} // namespace wsolo::inline WSOLO_ABI::testing
