#pragma once
// A peer that has not shaken hands yet, or that only gets a page.
//
// Laws of this file:
// - Whatever it sends, it gets one answer; then nothing more is read from it but to be thrown away, so that
//   closing with unread bytes does not reset the connection under the answer (RFC 9112 §9.6).
// - Every phase has a deadline.
// - Bytes that came behind the request belong to the connection that it becomes.

#include "options.hpp"
#include "peer.hpp"
#include "routes.hpp"

#include <wsolo/adapt/posix.hpp>

namespace relay {

/// For the loop's thread.
class visitor : public peer {
public:
    visitor(peer_id id, descriptor socket, std::uint16_t port, const options& how);

    /// `buffer` is lent for the call.
    void on_readable(wsolo::mutable_bytes buffer);
    void on_writable();
    void on_deadline();

    [[nodiscard]] std::uint32_t interest() const noexcept;
    [[nodiscard]] wsolo::time_point deadline() const noexcept { return deadline_; }

    /// The 101 is written: take_socket() and early_bytes() make the connection.
    [[nodiscard]] bool upgraded() const noexcept { return phase_ == phase::upgraded; }
    [[nodiscard]] descriptor take_socket() noexcept { return std::move(owned_socket()); }
    [[nodiscard]] wsolo::mutable_bytes early_bytes() noexcept { return early_.view(); }

    [[nodiscard]] bool gone() const noexcept { return phase_ == phase::gone; }
    /// Says what became of it.
    void report() const;

private:
    enum class phase : std::uint8_t { asking, answering, lingering, upgraded, gone };

    void read_request(wsolo::mutable_bytes received);
    void begin_answer(answer given);
    void write_answer();

    phase phase_ = phase::asking;
    answer answer_;
    const std::chrono::milliseconds linger_;
    wsolo::time_point deadline_;
    wsolo::server_handshake handshake_;
    wsolo::byte_buffer out_;
    std::size_t written_ = 0;
    wsolo::byte_buffer early_;
};

} // namespace relay
