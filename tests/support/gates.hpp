#pragma once
// What stands between a handshake and those who send meanwhile: wsolo's init gate, and what services have
// instead. The shims of S4, each with the mistake that its name tells.
//
// Law of this file: send() may come from any thread; welcome() and refuse() once, from the handshake's.

#include <wsolo/write/init_gate.hpp>

#include <mutex>
#include <string_view>
#include <vector>

namespace support {

struct no_one_to_wake {
    void operator()() const {}
};

template <class Transport, class Traits>
using gate_writer = wsolo::single_writer<Transport, wsolo::inline_drive<no_one_to_wake>, wsolo::server_side,
                                         wsolo::no_observer, Traits>;

inline constexpr std::string_view acknowledgement = "ack";

/// wsolo: the writer is born owned by the handshake.
template <class Transport, class Traits = wsolo::std_blocking_traits>
class waits_at_the_gate {
public:
    static constexpr bool is_active_at_once = false;
    static constexpr bool any_frame_restarts_timer = false;

    explicit waits_at_the_gate(Transport to) : out_(wsolo::born_gated, std::move(to), {{}}) {}

    wsolo::errc send(const wsolo::shared_frame& event) { return out_.send(event); }
    wsolo::errc send(const wsolo::control_frame& reply) { return out_.send(reply); }
    void welcome() {
        const auto ack = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(acknowledgement));
        static_cast<void>(gate_.acknowledge(ack->bytes()));
        gate_.open();
    }
    void refuse(wsolo::errc why) {
        const auto close =
            wsolo::make_close<wsolo::role::server>(wsolo::close_code::policy_violation, "init");
        static_cast<void>(gate_.acknowledge(close->bytes()));
        gate_.reject(why);
    }
    void close() { static_cast<void>(out_.close(wsolo::close_code::going_away)); }
    [[nodiscard]] wsolo::drain_report report() const { return out_.report(); }
    [[nodiscard]] bool is_finished() const { return out_.is_finished(); }
    [[nodiscard]] auto handle() { return out_.handle(); }

private:
    gate_writer<Transport, Traits> out_;
    wsolo::init_gate<gate_writer<Transport, Traits>> gate_{out_};
};

/// Nothing: who is faster is first.
template <class Transport, class Traits = wsolo::std_blocking_traits>
class has_no_gate {
public:
    static constexpr bool is_active_at_once = false;
    static constexpr bool any_frame_restarts_timer = false;

    explicit has_no_gate(Transport to) : out_(std::move(to), {{}}) {}

    wsolo::errc send(const wsolo::shared_frame& event) { return out_.send(event); }
    wsolo::errc send(const wsolo::control_frame& reply) { return out_.send(reply); }
    void welcome() { static_cast<void>(out_.send_text(acknowledgement)); }
    void refuse(wsolo::errc) { static_cast<void>(out_.close(wsolo::close_code::policy_violation, "init")); }
    void close() { static_cast<void>(out_.close(wsolo::close_code::going_away)); }
    [[nodiscard]] wsolo::drain_report report() const { return out_.report(); }
    [[nodiscard]] bool is_finished() const { return out_.is_finished(); }

protected:
    gate_writer<Transport, Traits> out_;
};

/// A list of what came too early, let out when the handshake is over: however it ended.
template <class Transport, class Traits = wsolo::std_blocking_traits>
class lets_out_either_way : public has_no_gate<Transport, Traits> {
    using base = has_no_gate<Transport, Traits>;

public:
    explicit lets_out_either_way(Transport to) : base(std::move(to)) {}

    using base::send;
    wsolo::errc send(const wsolo::shared_frame& event) {
        const std::lock_guard hold(mutex_);
        if (is_open_) return base::send(event);
        early_.push_back(event);
        return wsolo::errc::none;
    }
    void welcome() {
        const std::lock_guard hold(mutex_);
        base::welcome();
        let_out();
    }
    void refuse(wsolo::errc why) {
        const std::lock_guard hold(mutex_);
        let_out();
        base::refuse(why);
    }

private:
    void let_out() {
        is_open_ = true;
        for (const wsolo::shared_frame& each : early_) static_cast<void>(base::send(each));
        early_.clear();
    }

    std::mutex mutex_;
    bool is_open_ = false;
    std::vector<wsolo::shared_frame> early_;
};

/// The gate is right; but every client that was upgraded counts as a member.
template <class Transport, class Traits = wsolo::std_blocking_traits>
class trusts_the_upgrade : public waits_at_the_gate<Transport, Traits> {
public:
    static constexpr bool is_active_at_once = true;
    using waits_at_the_gate<Transport, Traits>::waits_at_the_gate;
};

/// The gate is right; but each frame that is no init buys as much time again.
template <class Transport, class Traits = wsolo::std_blocking_traits>
class trusts_any_frame : public waits_at_the_gate<Transport, Traits> {
public:
    static constexpr bool any_frame_restarts_timer = true;
    using waits_at_the_gate<Transport, Traits>::waits_at_the_gate;
};

} // namespace support
