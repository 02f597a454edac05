#pragma once
// A server's one connection, twice: as wsolo has it, and as it is usually written. Both are driven by the
// same scenarios; the wrong one is where S0's failures came from.
//
// Laws of this file:
// - relay() and admin_close() may come from any thread, receive() from one thread at a time.
// - Both are interrupted at the same byte, in the middle of a frame, by the same act.

#include "event_log.hpp"
#include "line.hpp"

#include <wsolo/write/threaded.hpp>

#include <mutex>

namespace support {

using namespace std::chrono_literals;

/// What a server took on, in the order in which it did; what it refused is not in it.
struct taken_on {
    std::vector<std::string> pongs;
    std::vector<std::string> echoes;
};

/// wsolo: each thread that has something to say queues it.
template <class Line>
class one_writer_server {
public:
    explicit one_writer_server(interruption between) : between_(std::move(between)) {}

    wsolo::errc relay(std::string_view text) { return out_->send_text(text); }
    /// All at once, before the first of them is written.
    std::vector<wsolo::errc> relay_together(const std::vector<std::string>& texts) {
        [[maybe_unused]] const auto together = out_->corked();
        std::vector<wsolo::errc> results;
        for (const std::string& text : texts) results.push_back(relay(text));
        return results;
    }
    void receive(const stream& sent) {
        std::vector<std::byte> bytes = sent.bytes();
        for (const wsolo::event& event : in_.read(bytes)) {
            if (event.is_message()) note(taken.echoes, out_->send_text(event.text()), event);
            const auto reply = event.owed_reply();
            if (!reply) continue;
            const wsolo::errc result = out_->send(*reply);
            if (event.kind() == wsolo::event_kind::ping) note(taken.pongs, result, event);
        }
    }
    void admin_close() { static_cast<void>(out_->close(wsolo::close_code::going_away, "restart", 30s)); }

    /// Everything that the peer saw. The connection was closed before.
    std::string finish() {
        CHECK(out_.wait());
        CHECK(out_->report().is_clean());
        CHECK(out_->report().frames_dropped == 0);
        return line_.seen();
    }

    taken_on taken;

private:
    static void note(std::vector<std::string>& list, wsolo::errc result, const wsolo::event& event) {
        if (result == wsolo::errc::none) list.push_back(event.copy_text());
    }

    Line line_;
    interruption between_;
    wsolo::server_reader in_;
    wsolo::threaded_writer<interrupted<typename Line::transport>> out_{{line_.end(), between_}};
};

/// The usual: a frame is two writes; replies, the admin's Close and the error path's go straight to the
/// socket.
template <class Line>
class hidden_writers_server {
public:
    explicit hidden_writers_server(interruption between) : between_(std::move(between)) {}

    wsolo::errc relay(std::string_view text) {
        const std::lock_guard one_producer_at_a_time(producers_);
        if (closed_) return wsolo::errc::closed;
        std::byte header[wsolo::max_header_size];
        const std::size_t size =
            wsolo::write_header({.op = wsolo::opcode::text, .payload_size = text.size()}, header);
        write({header, size});
        between_.wrote(size);
        between_.let_act();
        write(wsolo::bytes_of(text));
        between_.wrote(text.size());
        return wsolo::errc::none;
    }
    std::vector<wsolo::errc> relay_together(const std::vector<std::string>& texts) {
        std::vector<wsolo::errc> results;
        for (const std::string& text : texts) results.push_back(relay(text));
        return results;
    }
    void receive(const stream& sent) {
        std::vector<std::byte> bytes = sent.bytes();
        for (const wsolo::event& event : in_.read(bytes)) {
            if (closed_) return;
            if (event.is_message() && relay(event.text()) == wsolo::errc::none)
                taken.echoes.push_back(event.copy_text());
            const auto reply = event.owed_reply();
            if (!reply) continue;
            write(reply->bytes());
            if (event.kind() == wsolo::event_kind::ping) taken.pongs.push_back(event.copy_text());
            if (reply->op() == wsolo::opcode::close) closed_ = true;
        }
    }
    void admin_close() {
        write(wsolo::make_close<wsolo::role::server>(wsolo::close_code::going_away, "restart")->bytes());
        closed_ = true;
    }
    std::string finish() { return line_.seen(); }

    taken_on taken;

private:
    void write(wsolo::const_bytes bytes) {
        const std::lock_guard as_in_the_kernel(socket_);
        write_directly(line_.end(), bytes);
    }

    Line line_;
    interruption between_;
    wsolo::server_reader in_;
    std::mutex producers_;
    std::mutex socket_;
    std::atomic<bool> closed_{false};
};

} // namespace support
