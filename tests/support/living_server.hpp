#pragma once
// One connection as a server's loop lives it, in virtual time: reader, heartbeat, a way to write and
// a thread that handles messages. And the peer at its other end.
//
// Laws of this file:
// - turn() is what the loop does when it is woken: read all there is, look at the clock, write. It returns,
//   unless a part of it blocks.
// - The peer never waits.

#include "event_log.hpp"
#include "handlings.hpp"
#include "link.hpp"
#include "outputs.hpp"
#include "strict_parser.hpp"

#include <wsolo/session/heartbeat.hpp>

#include <optional>

namespace support {

enum class life { any_byte, messages_only };

template <class Link, class Output, class Handling = through_the_inbox, life Sign = life::any_byte>
class living_server {
public:
    explicit living_server(
        Link& link, const wsolo::heartbeat_options& options,
        const handle_message& handle = [](const std::string&) { return wsolo::errc::none; })
        : link_(link),
          out(link.end()),
          heart_(options, virtual_clock::now()),
          handling(handle, [this](wsolo::errc why) { end(why); }) {}

    void turn() {
        const wsolo::time_point now = virtual_clock::now();
        for (std::string bytes = link_.server_reads_now(); !bytes.empty(); bytes = link_.server_reads_now()) {
            if (Sign == life::any_byte) heart_.on_received(now);
            for (const wsolo::event& event : in_.read(std::span<char>(bytes))) take(event, now);
        }
        act(heart_.tick(now), now);
        out.pump();
    }

    [[nodiscard]] int messages() const { return messages_; }
    [[nodiscard]] int rolls() const { return rolls_; }
    [[nodiscard]] wsolo::errc told() const { return told_; }

private:
    void take(const wsolo::event& event, wsolo::time_point now) {
        if (event.kind() == wsolo::event_kind::ping) out.send(*event.owed_reply());
        if (event.kind() == wsolo::event_kind::pong && Sign == life::any_byte) heart_.on_pong(now);
        if (!event.is_message()) return;
        ++messages_;
        heart_.on_received(now);
        handling.take(event.copy_text());
    }
    void act(const wsolo::heartbeat_actions& due, wsolo::time_point now) {
        if (due.peer_is_dead) out.abort(wsolo::errc::pong_timeout);
        if (due.send_beat) out.send_text("beat");
        if (due.roll_window) ++rolls_;
        if (!due.send_ping) return;
        out.send(*wsolo::make_ping<wsolo::role::server>(wsolo::bytes_of("alive?")));
        if (!out.is_held_up()) heart_.on_ping_written(now);
    }
    /// The owner learns of the end.
    void end(wsolo::errc why) {
        told_ = why;
        if (why != wsolo::errc::none) out.close(wsolo::close_code::internal_error);
    }

    Link& link_;
    wsolo::server_reader in_;

public:
    Output out;

private:
    wsolo::heartbeat heart_;
    int messages_ = 0;
    int rolls_ = 0;
    wsolo::errc told_ = wsolo::errc::none;

public:
    Handling handling;
};

template <class Link>
class living_peer {
public:
    explicit living_peer(Link& link) : link_(link) {}

    /// Hands over as much as the way takes; the rest goes first the next time.
    void send(const stream& more) {
        waiting_ += wsolo::text_of(wsolo::const_bytes(more.bytes()));
        push();
    }
    void push() { waiting_.erase(0, link_.peer_writes_now(waiting_)); }
    [[nodiscard]] bool has_sent_all() const { return waiting_.empty(); }

    /// Reads what there is, and answers PINGs.
    void look() {
        for (std::string next = link_.peer_reads_now(); !next.empty(); next = link_.peer_reads_now())
            wire_ += next;
        const strict::stream seen = strict::parse(wire_, false);
        if (!seen.error.empty()) broken = seen.error;
        for (; looked_at_ < seen.frames.size(); ++looked_at_) {
            const strict::frame& frame = seen.frames[looked_at_];
            if (frame.opcode == 10) ++pongs;
            if (frame.opcode == 8) closed = frame.payload;
            if (frame.opcode == 1 && frame.payload == "beat") ++beats;
            if (frame.opcode == 9) send(stream(wsolo::role::client).frame(0x8a, frame.payload));
        }
    }

    int pongs = 0;
    int beats = 0;
    std::string closed;
    std::string broken;

private:
    Link& link_;
    std::string waiting_;
    std::string wire_;
    std::size_t looked_at_ = 0;
};

/// The loop's turns, each on an actor: a turn in which something blocks is not waited for, and no other
/// begins.
class turns {
public:
    explicit turns(std::function<void()> turn) : turn_(std::move(turn)) {}

    /// False: the loop is stuck in an earlier turn, or in this one.
    bool take() {
        if (is_stuck()) return false;
        current_.reset();
        current_.emplace(turn_);
        current_->run();
        return !is_stuck();
    }
    [[nodiscard]] bool is_stuck() const { return current_.has_value() && current_->is_asleep(); }

private:
    std::function<void()> turn_;
    std::optional<actor> current_;
};

/// Lets loop and peer go on, at one moment of virtual time, until `holds`. False: it is out of reach,
/// because the loop is stuck, or the connection over.
template <class Server, class Peer, class Condition>
bool live_until(turns& loop, Server& server, Peer& peer, Condition holds) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    do {
        peer.push();
        const bool goes_on = loop.take();
        peer.look();
        if (holds()) return true;
        if (!goes_on || server.out.is_over()) return false;
    } while (std::chrono::steady_clock::now() < patience);
    return false;
}

} // namespace support
