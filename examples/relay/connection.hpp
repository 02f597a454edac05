#pragma once
// One WebSocket: what is read from its socket goes through a reader, what is written to it through a writer,
// and nothing else touches it.
//
// Laws of this file:
// - Workers only queue; the loop's thread reads and pumps, and is told by the ready list when to.
// - Replies are queued like everything else, so they stand between frames and never inside one.
// - However it ends, it ends: with a Close frame where one can still be sent, a cause with a name, and the
//   writer's report.

#include "counted_socket.hpp"
#include "loop/ready_list.hpp"
#include "options.hpp"
#include "peer.hpp"
#include "workers.hpp"

#include <wsolo/session/reader.hpp>
#include <wsolo/write/single_writer.hpp>

#include <atomic>

namespace relay {

using loop::ready_list;

/// The first thing that began a connection's end.
struct ending {
    std::string_view cause;                                ///< an errc's name, "peer_close" or "server_close"
    wsolo::close_code code = wsolo::close_code::no_status; ///< the Close frame's, sent or received
};

class connection : public peer {
public:
    /// `accepted` counts what the writer took, whoever offered it.
    connection(peer_id id, descriptor socket, std::uint16_t port, ready_list& ready, const options& how,
               std::atomic<std::uint64_t>& accepted);

    /// Any thread. False: not now, or never again; the text is still the caller's.
    [[nodiscard]] bool push_text(std::string_view text) { return count(out_.send_text(text)); }
    /// Any thread. What it sends until the result goes leaves together.
    [[nodiscard]] auto begin_burst() { return out_.corked(); }
    /// Each worker's own.
    feed_progress progress{};

    // The rest is for the loop's thread.

    /// `buffer` is lent for the call.
    void on_readable(wsolo::mutable_bytes buffer);
    /// The socket has an error, or both of its directions are over.
    void on_broken();
    void on_deadline();
    /// Bytes that were read already.
    void take(wsolo::mutable_bytes received);
    /// What the schedule hook, a writable socket and a deadline ask for.
    void pump();
    /// Drains, and says why to the peer.
    void close(wsolo::close_code code, std::string_view reason, std::string_view cause);
    /// Ends it now: gone() holds afterwards.
    void cut_off();

    [[nodiscard]] std::uint32_t interest() const noexcept;
    [[nodiscard]] wsolo::time_point deadline() const noexcept { return deadline_; }

    /// Nothing is left to write, to read or to wait for: report() is final.
    [[nodiscard]] bool gone() const;
    [[nodiscard]] wsolo::drain_report report() const { return out_.report(); }
    [[nodiscard]] const ending& how_it_ended() const noexcept { return ending_; }
    [[nodiscard]] std::uint64_t write_calls() const noexcept { return write_calls_; }
    /// Precondition: gone().
    void close_socket() noexcept { owned_socket().reset(); }

private:
    struct wake_loop {
        ready_list* ready;
        peer_id id;
        bool operator()() const noexcept { return ready->push(id); }
    };
    using writer = wsolo::single_writer<counted_socket, wake_loop>;

    static wsolo::writer_options writer_options_of(const options& how);
    static wsolo::read_limits read_limits_of(const options& how);

    void abort(wsolo::errc why);
    void handle(const wsolo::event& event);
    void echo(const wsolo::event& message);
    void queue(const wsolo::control_frame& reply);
    bool count(wsolo::errc answer) noexcept;
    void note(std::string_view cause, wsolo::close_code code = wsolo::close_code::no_status);

    std::atomic<std::uint64_t>& accepted_;
    std::uint64_t write_calls_ = 0;
    wsolo::server_reader in_;
    writer out_;
    const std::chrono::milliseconds linger_;
    wsolo::time_point deadline_ = wsolo::no_deadline;
    ending ending_;
    bool parked_ = false;      ///< the writer waits for the socket
    bool writer_over_ = false; ///< the writer is finished
    bool input_over_ = false;  ///< the peer sends no more
};

} // namespace relay
