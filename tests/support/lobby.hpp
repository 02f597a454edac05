#pragma once
// A service whose connections must say "init <token>" before they count: until then they are guests, who
// get the state events of every member, but not before their acknowledgement.
//
// Laws of this file:
// - broadcast() may come from any thread; the rest belongs to the thread that reads.
// - Time is an argument: a guest has `patience` from its admission on.

#include "event_log.hpp"
#include "gates.hpp"

#include <algorithm>
#include <memory>

namespace support {

enum class standing { guest, member, refused };

/// One connection after its upgrade. `Gate` is what it writes through.
template <class Gate>
class lobby_guest {
public:
    template <class Transport>
    lobby_guest(Transport to, wsolo::time_point until, int first_event)
        : until_(until), first_event_(first_event), gate_(std::move(to)) {
        if (Gate::is_active_at_once) standing_ = standing::member;
    }

    void receive(std::string_view from_peer, wsolo::time_point now, wsolo::duration patience) {
        std::string bytes(from_peer);
        for (const wsolo::event& event : in_.read(std::span<char>(bytes))) {
            if (Gate::any_frame_restarts_timer) until_ = now + patience;
            if (event.kind() == wsolo::event_kind::ping) static_cast<void>(gate_.send(*event.owed_reply()));
            if (event.is_message() && !is_decided_) decide(event);
        }
    }
    /// Its time may be up.
    void look(wsolo::time_point now) {
        if (is_decided_ || now < until_) return;
        end_as(standing::refused);
        gate_.refuse(wsolo::errc::handshake_timeout);
    }

    [[nodiscard]] standing stands() const { return standing_; }
    [[nodiscard]] bool is_decided() const { return is_decided_; }
    /// The first event that was broadcast after its admission.
    [[nodiscard]] int first_event() const { return first_event_; }
    [[nodiscard]] Gate& gate() { return gate_; }

private:
    void decide(const wsolo::event& first) {
        if (first.is_text() && first.text() == "init secret") {
            end_as(standing::member);
            gate_.welcome();
        } else {
            end_as(standing::refused);
            gate_.refuse(wsolo::errc::cancelled);
        }
    }
    void end_as(standing how) {
        standing_ = how;
        is_decided_ = true;
    }

    wsolo::server_reader in_;
    standing standing_ = standing::guest;
    bool is_decided_ = false;
    wsolo::time_point until_;
    int first_event_;
    Gate gate_;
};

template <class Gate>
class lobby {
public:
    using guest = lobby_guest<Gate>;

    explicit lobby(wsolo::duration patience = std::chrono::hours(1)) : patience_(patience) {}

    /// From here on it gets what is broadcast.
    template <class Transport>
    guest& admit(Transport to, wsolo::time_point now = {}) {
        const std::lock_guard hold(mutex_);
        guests_.push_back(std::make_unique<guest>(std::move(to), now + patience_, events_));
        return *guests_.back();
    }
    void broadcast() {
        const std::lock_guard hold(mutex_);
        const std::string text = "state " + std::to_string(events_++);
        const auto frame = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(text));
        for (const auto& each : guests_) static_cast<void>(each->gate().send(*frame));
    }
    void receive(guest& from, std::string_view bytes, wsolo::time_point now = {}) {
        from.receive(bytes, now, patience_);
    }
    /// Ends those whose time is up, and lets go of those who were refused.
    void tick(wsolo::time_point now) {
        const std::lock_guard hold(mutex_);
        for (const auto& each : guests_) each->look(now);
        std::erase_if(guests_, [](const auto& each) {
            return each->stands() == standing::refused && each->gate().is_finished();
        });
    }
    void close() {
        const std::lock_guard hold(mutex_);
        for (const auto& each : guests_) each->gate().close();
    }

    [[nodiscard]] int events() const { return events_; }
    [[nodiscard]] std::size_t present() const { return guests_.size(); }
    [[nodiscard]] std::size_t members() const {
        return static_cast<std::size_t>(std::count_if(guests_.begin(), guests_.end(), [](const auto& each) {
            return each->stands() == standing::member;
        }));
    }

private:
    std::mutex mutex_;
    wsolo::duration patience_;
    std::vector<std::unique_ptr<guest>> guests_;
    int events_ = 0;
};

} // namespace support
