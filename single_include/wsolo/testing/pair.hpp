// Written by tools/amalgamate.py from include/wsolo/testing/pair.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// Two sides of a connection, and the stream between them, on a virtual clock: no sockets, no threads, no sleeping.
// Not part of wsolo.hpp.
//
//     struct counting {
//         int got = 0;
//         void on_message(auto&, wsolo::message&&) { ++got; }
//     };
//     wsolo::testing::pair net({.latency = 20ms, .cut = 1});
//     wsolo::testing::paired<counting> server(net.server.transport(), net.server.wake(), counting{});
//     wsolo::testing::paired<counting, wsolo::client_side<>> client(net.client.transport(), net.client.wake(), counting{});
//     net.server.drive(server);
//     net.client.drive(client);
//     CHECK(client.send_text("hello") == wsolo::errc::none);
//     net.run_for(2s);
//     CHECK(server.handler().got == 1);
//
// Laws of this file:
// - The same options, sides and calls: the same history, to the byte and the nanosecond.
// - A side is driven as docs/endpoint.md says: it runs once at first, reads while it wants to, runs when it asks for it, when it
//   is blocked and can write, and at its deadline; when it is finished its socket is closed and it is not called again. One
//   difference: a run that it asked for comes before what can be read, not after.
// - The stream is TCP's: what was taken arrives in order or is lost by a reset; a socket that is closed with bytes
//   unread, or that gets bytes after, resets; after a reset what has arrived is readable, and what was on its way is not.

#include "../wsolo.hpp"
#include "stream_link.hpp"
#include "virtual_clock.hpp"

#include <cerrno>
#include <vector>

namespace wsolo::inline WSOLO_ABI::testing {

class pair_end;

/// What a side writes to: a non-blocking stream socket. Copyable; refers to its end of the pair. The test's one thread uses it.
class pair_transport {
public:
    explicit pair_transport(pair_end& end) noexcept : end_(&end) {}

    io_result write(std::span<const const_bytes> parts, time_point deadline);
    void finish(end_of_write why);
    /// shutdown(SHUT_WR): the peer reads to the end, and may go on writing.
    void end_output();
    /// shutdown(SHUT_RDWR): what was taken is still sent; what has arrived can be read, and what arrives after is refused.
    void disconnect();
    /// Bytes that it took and that are not in the peer's kernel.
    [[nodiscard]] std::size_t unsent() const noexcept;

private:
    pair_end* end_;
};

static_assert(transport<pair_transport>);

/// The `Schedule` of a side: has the pair call its run(). Copyable; refers to its end of the pair. The test's one thread uses it.
class pair_wake {
public:
    explicit pair_wake(pair_end& end) noexcept : end_(&end) {}
    bool operator()() const noexcept;

private:
    pair_end* end_;
};

/// An endpoint for a pair. With a `Work` other than in_the_loop the test calls work() itself, to have messages handled.
template <class Handler, class Side = server_side, class Work = in_the_loop>
using paired = endpoint<pair_transport, pair_wake, Handler, Side, Work, virtual_traits>;

/// One end of a pair: a socket, and the loop around the side that has it. A test can also be the peer itself: then no
/// side is driven here, and it calls send() and receive(). Lives in its pair. The test's one thread uses it.
class pair_end {
public:
    pair_end(stream_link& out, stream_link& in) noexcept : out_(&out), in_(&in) {}
    pair_end(const pair_end&) = delete;
    pair_end& operator=(const pair_end&) = delete;
    ~pair_end() = default;

    // ---- for the side

    /// The transport and the schedule hook for an endpoint at this end.
    [[nodiscard]] pair_transport transport() noexcept { return pair_transport(*this); }
    [[nodiscard]] pair_wake wake() noexcept { return pair_wake(*this); }

    /// From now the pair drives this side: anything that has receive(mutable_bytes), end_of_input(errc) and run(), which
    /// say what is wanted as endpoint_wants does (read, write, finished, deadline). It lives until it is finished, until
    /// close(), or as long as the pair runs.
    template <class Driven>
    void drive(Driven& side) {
        side_ = {
            .side = &side,
            .receive = [](void* to,
                          mutable_bytes bytes) { return wants_of(static_cast<Driven*>(to)->receive(bytes)); },
            .end_of_input = [](void* to,
                               errc why) { return wants_of(static_cast<Driven*>(to)->end_of_input(why)); },
            .run = [](void* to) { return wants_of(static_cast<Driven*>(to)->run()); },
        };
        wants_ = {};
        is_due_ = true;
    }
    /// What the side wanted last.
    [[nodiscard]] const endpoint_wants& wants() const noexcept { return wants_; }
    [[nodiscard]] bool is_finished() const noexcept { return wants_.finished; }

    // ---- by hand

    /// Writes, as to a socket. Returns how many bytes were taken.
    std::size_t send(std::string_view bytes) {
        return is_broken_ || has_ended_ ? 0 : out_->take(bytes_of(bytes), virtual_clock::now());
    }
    /// What has arrived, `at_most` bytes of it.
    [[nodiscard]] std::string receive(std::size_t at_most = static_cast<std::size_t>(-1)) {
        return in_->read(at_most, virtual_clock::now());
    }
    /// Bytes that have arrived and were not read.
    [[nodiscard]] std::size_t unread() const noexcept { return in_->readable(); }
    /// Everything was read, and the peer ended its direction (or a reset did).
    [[nodiscard]] bool is_at_end() const noexcept { return in_->is_at_end(); }
    /// A reset arrived: nothing can be written, and after what has arrived there is nothing to read.
    [[nodiscard]] bool is_reset() const noexcept { return is_broken_; }
    /// The output has ended, by whichever call.
    [[nodiscard]] bool has_ended_output() const noexcept { return has_ended_; }
    /// Ends the output (FIN).
    void end_output() {
        if (!is_broken_ && !std::exchange(has_ended_, true)) out_->end(virtual_clock::now());
    }

    // ---- what happens to a process

    /// close(): forgets the side, which may be destroyed before or after. With bytes unread it resets the stream, otherwise
    /// what was taken is still sent, then the end; bytes that come after are answered by a reset.
    void close() {
        side_ = {};
        if (std::exchange(is_closed_, true) || is_broken_) return;
        if (in_->readable() != 0) {
            in_->refuse();
            reset();
        } else {
            end_output();
            in_->refuse();
        }
    }
    /// Resets the stream from this end: the peer is told, and what was on its way to it is lost.
    void reset() {
        if (is_broken_) return;
        out_->reset(virtual_clock::now(), out_->latency());
        in_->refuse_more();
        is_broken_ = true;
    }
    /// The process sleeps: nothing is called for that long, while the stream goes on.
    void sleep_for(duration span) { asleep_until_ = deadline_after(virtual_clock::now(), span); }
    /// What the loop does about a HUP (both directions ended, or a reset) while the side does not want to read. True: it
    /// calls end_of_input(connection_lost) once, as a loop that always reports hang-ups. False (the default): it waits
    /// until the side wants to read.
    void tell_hangups(bool wanted) noexcept { tells_hangups_ = wanted; }

private:
    friend class pair;
    friend class pair_transport;
    friend class pair_wake;

    struct driven {
        void* side = nullptr;
        endpoint_wants (*receive)(void*, mutable_bytes) = nullptr;
        endpoint_wants (*end_of_input)(void*, errc) = nullptr;
        endpoint_wants (*run)(void*) = nullptr;
    };
    /// Runs at one instant, with nothing read or written, before a side counts as spinning.
    static constexpr unsigned most_runs = 100'000;

    template <class Wants>
    static endpoint_wants wants_of(const Wants& wants) noexcept {
        return {
            .read = wants.read, .write = wants.write, .finished = wants.finished, .deadline = wants.deadline};
    }

    io_result write(std::span<const const_bytes> parts) {
        if (is_broken_ || has_ended_) return {io_status::failed, 0, is_broken_ ? ECONNRESET : EPIPE};
        io_result how{io_status::ok, 0, 0};
        for (const const_bytes part : parts) {
            const std::size_t count = out_->take(part, virtual_clock::now());
            how.transferred += count;
            if (count < part.size()) break;
        }
        if (how.transferred == 0) how.status = io_status::would_block;
        return how;
    }
    void shut_both() {
        end_output();
        is_shut_ = true;
        in_->refuse_more();
    }
    /// The peer's kernel, or the proxy, has reset the stream.
    void break_off() {
        is_broken_ = true;
        out_->lose();
    }

    [[nodiscard]] bool is_spinning() const noexcept {
        return runs_ > most_runs && turns_at_ == virtual_clock::now();
    }
    [[nodiscard]] bool has_hung_up() const noexcept {
        return is_broken_ || (has_ended_ && (is_shut_ || in_->is_over()));
    }
    [[nodiscard]] bool is_writable() const noexcept { return is_broken_ || has_ended_ || out_->has_room(); }
    [[nodiscard]] bool has_input_end() const noexcept {
        return in_->readable() == 0 && (is_broken_ || is_shut_ || in_->is_over());
    }
    [[nodiscard]] bool is_awake() const noexcept {
        return side_.side != nullptr && asleep_until_ <= virtual_clock::now();
    }
    /// There is something to do for it now.
    [[nodiscard]] bool has_something() const noexcept {
        return is_due_ || (wants_.read && (in_->readable() != 0 || (has_input_end() && !is_end_told_))) ||
               (!wants_.read && tells_hangups_ && has_hung_up() && !is_end_told_) ||
               (wants_.write && is_writable());
    }
    [[nodiscard]] time_point next() const noexcept {
        if (side_.side == nullptr || is_spinning()) return no_deadline;
        const time_point due = has_something() ? (time_point::min)() : wants_.deadline;
        return due < asleep_until_ ? asleep_until_ : due;
    }

    /// One turn of its loop. False: there was nothing to do.
    bool turn() {
        if (!is_awake()) return false;
        const time_point now = virtual_clock::now();
        if (std::exchange(turns_at_, now) != now) runs_ = 0;
        if (std::exchange(written_, out_->taken()) != out_->taken()) runs_ = 0;
        if (is_spinning()) return false;
        if (std::exchange(is_due_, false)) return run();
        bool did = false;
        if (wants_.read && in_->readable() != 0) {
            runs_ = 0;
            std::string bytes = in_->read(in_->next_cut(), now); // of just that size, for a sanitizer to see
            std::vector<std::byte> exact(reinterpret_cast<const std::byte*>(bytes.data()),
                                         reinterpret_cast<const std::byte*>(bytes.data()) + bytes.size());
            did = note(side_.receive(side_.side, exact));
        } else if (!is_end_told_ && has_input_end() && wants_.read) {
            is_end_told_ = true;
            did = note(side_.end_of_input(side_.side, is_broken_ ? errc::connection_lost : errc::none));
        } else if (!is_end_told_ && !wants_.read && tells_hangups_ && has_hung_up()) {
            is_end_told_ = true;
            did = note(side_.end_of_input(side_.side, errc::connection_lost));
        }
        if (side_.side == nullptr) return did;
        if ((wants_.write && is_writable()) || wants_.deadline <= now) return run();
        return did;
    }
    bool run() {
        if (++runs_ > most_runs) has_spun_ = true;
        return note(side_.run(side_.side));
    }
    bool note(const endpoint_wants& wants) {
        if (side_.side == nullptr) return true; // closed meanwhile
        wants_ = wants;
        if (wants.finished) close();
        return true;
    }

    stream_link *out_, *in_;
    driven side_{};
    endpoint_wants wants_{};
    time_point asleep_until_ = (time_point::min)();
    time_point turns_at_ = (time_point::min)();
    std::uint64_t written_ = 0;
    unsigned runs_ = 0;
    bool has_spun_ = false;
    bool is_due_ = false, is_end_told_ = false, tells_hangups_ = false;
    bool is_broken_ = false; ///< by a reset
    bool has_ended_ = false; ///< no more output
    bool is_shut_ = false;   ///< no more input
    bool is_closed_ = false;
};

/// How the two directions behave.
struct pair_options {
    /// One link for each direction.
    link_options to_server{};
    link_options to_client{};
    /// Puts a proxy half way that ends both directions at the first end of a stream, as many proxies do: bytes that have not
    /// passed it are lost, and bytes that come to it later are answered by a reset.
    bool proxy = false;
};

/// See the file's laws. Outlives the sides. Not thread-safe: one thread builds the sides, runs them and ends them.
class pair {
    stream_link to_server_, to_client_; // before the ends, which refer to them

public:
    explicit pair(const pair_options& how)
        : to_server_(how.to_server, how.proxy), to_client_(how.to_client, how.proxy) {}
    explicit pair(const link_options& both_ways = {})
        : pair(pair_options{.to_server = both_ways, .to_client = both_ways}) {}
    pair(const pair&) = delete;
    pair& operator=(const pair&) = delete;
    ~pair() = default;

    /// The two ends; they live as long as the pair.
    pair_end server{to_client_, to_server_};
    pair_end client{to_server_, to_client_};

    /// Lets `span` pass, and does everything that is due in it.
    void run_for(duration span) {
        run_until([] { return false; }, span);
    }
    /// The same until `done()` answers true, which is asked after each step. Returns whether it did.
    template <class Done>
    bool run_until(Done done, duration at_most) {
        const time_point last = deadline_after(virtual_clock::now(), at_most);
        for (;;) {
            while (step())
                if (done()) return true;
            if (done()) return true;
            const time_point next = next_event();
            if (virtual_clock::now() >= last) return false;
            virtual_clock::move_to(next < last ? next : last);
        }
    }
    /// Runs until both sides are finished, or `at_most` has passed. True: they are finished.
    bool run_to_the_end(duration at_most = std::chrono::hours(1)) {
        return run_until([this] { return server.side_.side == nullptr && client.side_.side == nullptr; },
                         at_most);
    }
    /// Does everything that is due now, without time passing.
    void settle() { run_for(duration::zero()); }
    /// One turn of each side's loop, and what the stream does at this instant. False: there was nothing to do.
    bool step() {
        move();
        const bool by_server = server.turn();
        move();
        return client.turn() || by_server;
    }

    // ---- what happens to the stream

    /// The bytes of both directions stop where they are (a cable is pulled), until resume().
    void stall() {
        to_server_.stall(virtual_clock::now());
        to_client_.stall(virtual_clock::now());
    }
    void resume() noexcept {
        to_server_.resume(virtual_clock::now());
        to_client_.resume(virtual_clock::now());
    }
    /// Something between them resets the stream: both are told.
    void reset() {
        to_server_.reset(virtual_clock::now(), to_server_.latency() / 2);
        to_client_.reset(virtual_clock::now(), to_client_.latency() / 2);
    }

    /// The links, to ask where the bytes are.
    [[nodiscard]] const stream_link& to_server() const noexcept { return to_server_; }
    [[nodiscard]] const stream_link& to_client() const noexcept { return to_client_; }
    /// A side asked to be run again and again at one instant. (The pair let the time pass all the same.)
    [[nodiscard]] bool has_spun() const noexcept { return server.has_spun_ || client.has_spun_; }

private:
    void move() {
        move(to_server_, server, to_client_, client);
        move(to_client_, client, to_server_, server);
    }
    void move(stream_link& link, pair_end& receiver, stream_link& back, pair_end& sender) {
        const time_point now = virtual_clock::now();
        const stream_link::happened what = link.move(now);
        if (what.reset) receiver.break_off();
        if (what.refused) receiver.reset();
        if (what.end_passed) back.end_midway(now);
        if (what.refused_midway && !sender.is_broken_) back.reset(now, back.latency() / 2);
    }
    [[nodiscard]] time_point next_event() const noexcept {
        time_point first = no_deadline;
        for (const time_point each : {to_server_.next(), to_client_.next(), server.next(), client.next()})
            if (each < first) first = each;
        return first;
    }
};

inline io_result pair_transport::write(std::span<const const_bytes> parts, time_point) {
    return end_->write(parts);
}
inline void pair_transport::end_output() { end_->end_output(); }
inline void pair_transport::disconnect() { end_->shut_both(); }
inline std::size_t pair_transport::unsent() const noexcept { return end_->out_->unsent(); }

inline bool pair_wake::operator()() const noexcept { return end_->is_due_ = true; }

inline void pair_transport::finish(end_of_write why) {
    if (why == end_of_write::aborted) disconnect();
}

} // namespace wsolo::inline WSOLO_ABI::testing
