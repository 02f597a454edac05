// SPDX-License-Identifier: MIT
#pragma once
// Sockets and nothing else: one thread with many of them (epoll on Linux, poll elsewhere), or a thread for each.
//
//     struct chat { wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); } };
//
//     wsolo::connection_group everyone;
//     wsolo::adapt::poll::loop loop;
//     if (loop.accept(listening, everyone, [] { return chat{}; }) != wsolo::errc::none) return 1;
//     loop.run();                                                  // or loop.turn(0ms) once a frame of a game
//     /* to end, any thread */ loop.stop_accepting(); everyone.close_all(wsolo::close_code::going_away, "restart", 5s);
//
//     const wsolo::ending how = wsolo::adapt::poll::serve(fd, chat{}, everyone);   // in a thread of its own
//
// Laws of this file:
// - A loop belongs to one thread, which calls run() or turn(): every hook runs in it, and every handler, unless `work` runs the
//   handlers in other threads. Any thread may call wake(), stop_accepting(), a group's functions, and what an endpoint's
//   handle() gives.
// - A connection joins its group when it is open; once the group closes, a request is answered by 503. A handler that throws ends
//   its own connection.
// - A descriptor is watched for what its connection wants. One that wants neither to read nor to write is not in the set, because
//   epoll reports hang-ups always. No connection is destroyed inside its own callback.
// - Running out of descriptors refuses the newest connection and nothing else: a spare one is given up for a moment to take it
//   and close it. Left in the backlog it would make the loop spin. After any other error of accept() the listener pauses.
// - The read buffer belongs to the loop: an idle connection has none, and after an idle second a loop has none either.
// - A turn makes no system call that nothing needs: one to wait, one for each read, one for each write. A deadline that moves later
//   costs none: the timer that is set comes too early once, and is set again.
// - A stream other than a plain socket (TLS: adapt/openssl.hpp) takes its place by the concept `stream`.

#include "../endpoint/client_connection.hpp"
#include "../endpoint/server_connection.hpp"
#include "../sync/one_thread_traits.hpp"
#include "detail/poll_sets.hpp"
#include "detail/poll_stream.hpp"
#include "detail/timetable.hpp"
#include "posix.hpp"

#include <atomic>
#include <fcntl.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace wsolo::inline WSOLO_ABI::adapt::poll {

/// Another server has read and judged a connection's request (judge()), and answered it by 101 (accept_answer()).
struct already_upgraded {
    mutable_bytes leftover; ///< what it read after the request; needed only during the call
};

/// A connection that came to a listener, for the factory that makes its handler.
struct arrival {
    int descriptor = -1;        ///< to look at
    sockaddr_storage address{}; ///< the peer's, as accept() told it
};

/// Copied into the loop.
struct loop_options {
    /// Bytes that one read may bring: the size of the one buffer that a loop has. Peers that send much are served with fewer
    /// system calls by a larger one. 0 is taken for 1.
    std::size_t read_buffer = std::size_t{256} * 1024;
};

/// See the file's laws. `Set` is epoll_set or poll_set.
template <class Set, class Traits = std_blocking_traits>
class basic_loop : detail::wake_list {
    using wake_list = detail::wake_list;
    using owned_descriptor = detail::owned_descriptor;
    using watched = detail::watched;

public:
    using group_type = basic_connection_group<Traits>;

    /// Takes three descriptors at most. Without them accept(), add() and connect() answer out_of_memory.
    explicit basic_loop(const loop_options& options = {}) noexcept
        : buffer_size_(options.read_buffer > 0 ? options.read_buffer : 1),
          is_open_(set_.is_open() && waker_.descriptor >= 0 && watch(waker_, POLLIN)) {}
    basic_loop(const basic_loop&) = delete;
    basic_loop& operator=(const basic_loop&) = delete;
    /// Cuts off what is left: no Close, no on_finished. No other thread may be in wake() or stop_accepting().
    ~basic_loop() {
        for (watched* owed = wake_list::take(); owed != nullptr;) // or each would be looked for in the list
            owed = wake_list::begin_turn(*owed);
        while (!all_.empty()) destroy(all_.first());
    }

    /// Serves each connection that comes to `listening`, with a handler that `make` makes: make(), or
    /// make(const arrival&). The descriptor is the loop's from now on, whatever the answer. `everyone`, and what `wrap` and
    /// `work` know, must outlive the loop. With `work`, an endpoint's hook, messages are handled in other threads. Errors:
    /// closed after stop_accepting(); out_of_memory, of descriptors too.
    template <class Make, class Wrap = plain, class Work = in_the_loop>
    [[nodiscard]] errc accept(int listening, group_type& everyone, Make make,
                              const server_options& options = {}, Wrap wrap = {}, Work work = {}) {
        owned_descriptor owned(listening);
        auto* const fresh = new (std::nothrow)
            listener<Make, Wrap, Work>(*this, listening, std::move(owned), everyone, std::move(make), options,
                                       std::move(wrap), std::move(work));
        if (!enter(fresh)) return errc::out_of_memory;
        fresh->on_turn();
        if (fresh->interest != 0) return errc::none;
        if (fresh->is_gone) return errc::closed;
        retire(*fresh);
        return errc::out_of_memory;
    }

    /// Serves a connected socket, from its request to its end. Ownership, lifetimes and errors as accept()'s.
    template <class Handler, class Wrap = plain, class Work = in_the_loop>
    [[nodiscard]] errc add(int connected, Handler handler, group_type& everyone,
                           const server_options& options = {}, Wrap wrap = {}, Work work = {}) {
        owned_descriptor owned(connected);
        return add(connected, std::move(owned), std::move(handler), everyone, options, wrap, work);
    }

    /// A client's connection on a socket that is connected, or on which connect() is under way without blocking (begin_connect()):
    /// connects, agrees on what `wrap` brings, asks, all of it within options.handshake_timeout. It tells its handler by
    /// on_upgraded(), or by on_not_opened(), perhaps within this call, why not: connection_lost where no one listens. It is in no group, and stop_accepting()
    /// leaves it. The descriptor is the loop's from now on, whatever the answer; the views of `request` are needed only during the call.
    /// In the loop's thread, also in a handler. Errors: connection_lost for a negative descriptor, out_of_memory.
    template <class Handler, class Wrap = plain, class Work = in_the_loop>
    [[nodiscard]] errc connect(int connecting, Handler handler, const client_request& request,
                               const client_options& options = {}, Wrap wrap = {}, Work work = {}) {
        using made = peer<client_of<Handler, Wrap, Work>, decltype(wrap(connecting))>;
        if (connecting < 0) return errc::connection_lost;
        auto* const fresh =
            make_peer<made>(connecting, owned_descriptor(connecting), wrap, std::move(handler), request,
                            options, client_side<>{}, std::move(work));
        if (!enter(fresh)) return errc::out_of_memory;
        fresh->set_linger(bound_of(options.ending.linger_timeout));
        fresh->await_connection(bound_of(options.handshake_timeout));
        fresh->on_turn();
        return errc::none;
    }

    /// Turns until nothing is left: no listener, no connection.
    void run() {
        for (time_point now = clock::now(); turn_from(now, (duration::max)());) {}
    }
    /// Waits for `longest` at most, does what there is to do, and comes back. Zero: only looks. False: nothing is left. One
    /// thread at a time, and not inside a handler.
    bool turn(duration longest) {
        time_point now = clock::now();
        return turn_from(now, longest);
    }

    /// Makes a turn() that waits return, or the next one not wait. Any thread.
    void wake() noexcept { wake_list::wake(); }
    /// Closes the listeners for good, and refuses (503) every connection whose request is not complete by now. Any thread.
    void stop_accepting() noexcept {
        stops_.store(true, std::memory_order_release);
        wake();
    }

private:
    template <class Handler, class Wrap>
    friend ending serve(int, std::optional<already_upgraded>, Handler, connection_group&,
                        const server_options&, Wrap);

    using clock = std::chrono::steady_clock;
    static constexpr unsigned broken = POLLERR | POLLHUP | POLLNVAL;
    static constexpr duration idle = std::chrono::seconds(1);
    /// Until a connection that is over, but which another thread still uses, is looked at again.
    static constexpr duration recall = std::chrono::milliseconds(20);

    /// `now`: when it begins, and then when it ended, so that turns in a row read the clock once each.
    bool turn_from(time_point& now, duration longest) {
        if (all_.empty()) return false;
        detail::happening found[128];
        for (const detail::happening& each :
             wait(now, longest, found)) // each once: none is gone by another's turn
            each.whose->on_events(each.events);
        if (stops_.load(std::memory_order_acquire) && !std::exchange(stop_is_told_, true))
            for (watched* const each : all_.all()) wake_list::call(*each);
        for (watched* next = wake_list::take(); next != nullptr;) {
            watched& owed = *std::exchange(next, wake_list::begin_turn(*next));
            if (!owed.is_gone) owed.on_turn();
        }
        now = clock::now();
        if (!is_due(now)) return !all_.empty();
        while (is_due(now)) {
            watched& due = all_.first();
            if (due.is_gone) {
                due.is_left() && !due.is_owed() ? destroy(due) : call_at(due, deadline_after(now, recall));
                continue;
            }
            call_at(due, no_deadline);
            due.on_turn();
        }
        now = clock::now(); // handlers ran
        return !all_.empty();
    }
    [[nodiscard]] bool is_due(time_point now) const noexcept {
        return !all_.empty() && all_.first().due <= now;
    }

    class waker final : public watched {
    public:
        explicit waker(wake_list& wakes) noexcept : watched(wakes.descriptor(), wakes) {}
        void on_events(unsigned) override { wakes().clear(); }
        void on_turn() override {}
    };

    // ---- a connection

    struct wake_hook { // any thread
        watched* whose;
        bool operator()() const noexcept {
            whose->call_for_turn();
            return true;
        }
    };

    template <class Wrap>
    using transport_of = decltype(std::declval<Wrap&>()(0).writing_end());
    template <class Handler, class Wrap, class Work>
    using server_of = server_connection<transport_of<Wrap>, wake_hook, Handler, Work, Traits>;
    template <class Handler, class Wrap, class Work>
    using client_of = client_connection<transport_of<Wrap>, wake_hook, Handler, client_side<>, Work, Traits>;

    template <class Connection, class Stream>
    class peer final : public watched {
    public:
        template <class Wrap, class... Rest>
        peer(basic_loop& loop, int number, owned_descriptor owned, Wrap& wrap, Rest&&... rest)
            : watched(number, std::move(owned), loop),
              stream_(wrap(number)),
              ws_(stream_.writing_end(), wake_hook{this}, std::forward<Rest>(rest)...) {}

        void begin(group_type& everyone) {
            if (ws_.join(everyone) != errc::none) note(ws_.close()); // it closes
            on_turn();
        }
        /// Another server has answered by 101: from now on an end is a Close, and no HTTP.
        void begin(group_type& everyone, mutable_bytes leftover) {
            const bool is_member = ws_.join(everyone) == errc::none;
            settle(ws_.take_upgraded(leftover));
            if (!is_member && !is_gone && !is_leaving()) settle(ws_.close(close_code::going_away));
        }
        /// How long what the stream keeps may take to leave after the connection's end.
        void set_linger([[maybe_unused]] duration bound) noexcept {
            if constexpr (keeps_bytes) leaving_.bound = bound;
        }
        void await_connection(duration bound) { connecting_ = {true, deadline_after(clock::now(), bound)}; }

        // What is readable comes first, also after a hang-up.
        void on_events(unsigned events) override {
            if (is_leaving()) {
                stream_.flush();
                return (events & broken) != 0 ? loop().retire(*this) : leave();
            }
            if constexpr (!is_server) {
                if (std::exchange(connecting_.is_under_way, false))
                    return settle((events & broken) != 0 ? ws_.abort(errc::connection_lost) : ws_.run());
            }
            const bool may_write = (events & (stream_.write_needs() | broken)) != 0;
            const bool is_settled = wants_read_ && (events & (stream_.read_needs() | broken)) != 0 && read();
            if (is_settled && !may_write) return; // most turns
            if (may_write && stream_.has_unwritten()) stream_.flush();
            if (is_leaving()) return leave();
            if (!is_gone) settle(may_write && wants_write_ ? ws_.run() : wants());
        }
        void on_turn() override {
            if (is_leaving()) return leave();
            if constexpr (!is_server) {
                if (connecting_.is_under_way) return watch_connecting();
            }
            if (wants_read_ && stream_.has_read_ahead()) static_cast<void>(read());
            if (is_gone || is_leaving()) return;
            const bool is_late = is_server && loop().stop_is_told_ && ws_.opened() == nullptr;
            settle(is_late ? ws_.close() : ws_.run());
        }
        [[nodiscard]] bool is_left() noexcept override { return ws_.let_go(); }

    private:
        static constexpr bool is_server = requires(Connection& ws) { ws.take_upgraded(mutable_bytes()); };
        static constexpr bool keeps_bytes = !std::is_same_v<Stream, plain_stream>;
        struct leaves_at_once {};
        struct leaving {
            bool is_under_way = false;
            duration bound{};
            time_point by = no_deadline;
        };
        struct connected {};
        struct connecting {
            bool is_under_way = false;
            time_point by = no_deadline;
        };

        [[nodiscard]] basic_loop& loop() noexcept { return static_cast<basic_loop&>(wakes()); }
        void watch_connecting() {
            if (clock::now() >= connecting_.by) return settle(ws_.abort(errc::handshake_timeout));
            if (!loop().watch(*this, POLLOUT)) return settle(ws_.abort(errc::out_of_memory));
            loop().call_at(*this, connecting_.by);
        }
        /// False: there was nothing to read.
        bool read() {
            const mutable_bytes buffer = loop().buffer();
            if (buffer.empty()) {
                settle(ws_.abort(errc::out_of_memory));
                return true;
            }
            const read_result got = stream_.read(buffer);
            switch (got.status) {
            case read_status::some: settle(ws_.receive(buffer.first(got.size))); return true;
            case read_status::end: settle(ws_.end_of_input()); return true;
            case read_status::failed: settle(ws_.end_of_input(errc::connection_lost)); return true;
            case read_status::not_now: break;
            }
            return false;
        }
        void settle(endpoint_wants wants) {
            unsigned wanted = wants.read ? stream_.read_needs() : 0U;
            if (wants.write || stream_.has_unwritten()) wanted |= stream_.write_needs();
            if (!wants.finished && !loop().watch(*this, wanted)) wants = ws_.abort(errc::out_of_memory);
            if (wants.finished) {
                if (loop().report_ != nullptr) *loop().report_ = ws_.how_it_ended();
                return begin_leaving();
            }
            note(wants);
            loop().call_at(*this, wants.deadline);
            if (wants.read && stream_.has_read_ahead()) call_for_turn();
        }

        [[nodiscard]] bool is_leaving() const noexcept {
            if constexpr (keeps_bytes) return leaving_.is_under_way;
            return false;
        }
        /// What the stream has taken leaves after the end, as what a socket has taken does.
        void begin_leaving() {
            if constexpr (keeps_bytes) {
                leaving_.is_under_way = true;
                leaving_.by = deadline_after(clock::now(), leaving_.bound);
            }
            leave();
        }
        void leave() {
            if constexpr (keeps_bytes) {
                if (stream_.has_unwritten() && clock::now() < leaving_.by &&
                    loop().watch(*this, stream_.write_needs()))
                    return loop().call_at(*this, leaving_.by);
            }
            loop().retire(*this);
        }

        void note(endpoint_wants wants) noexcept {
            wants_read_ = wants.read;
            wants_write_ = wants.write;
        }
        /// As they were told last.
        [[nodiscard]] endpoint_wants wants() const noexcept {
            return {.read = wants_read_, .write = wants_write_, .deadline = due};
        }

        Stream stream_;
        [[no_unique_address]] std::conditional_t<is_server, connected, connecting> connecting_;
        [[no_unique_address]] std::conditional_t<keeps_bytes, leaving, leaves_at_once> leaving_;
        [[no_unique_address]] Connection ws_; // the next two lie in its tail padding
        bool wants_read_ : 1 = true;
        bool wants_write_ : 1 = false;
    };

    /// nullptr: there is no memory.
    template <class Peer, class Wrap, class... Rest>
    Peer* make_peer(int number, owned_descriptor owned, Wrap& wrap, Rest&&... rest) {
        static_assert(stream<decltype(wrap(number))>);
        const int on = 1; // the writer gathers frames itself; Nagle would only delay the last one
        ::setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return new (std::nothrow) Peer(*this, number, std::move(owned), wrap, std::forward<Rest>(rest)...);
    }

    template <class Handler, class Wrap, class Work>
    errc add(int number, owned_descriptor owned, Handler handler, group_type& everyone,
             const server_options& options, Wrap& wrap, const Work& work,
             std::optional<already_upgraded> upgraded = std::nullopt) {
        using made = peer<server_of<Handler, Wrap, Work>, decltype(wrap(number))>;
        auto* const fresh =
            make_peer<made>(number, std::move(owned), wrap, std::move(handler), options, work);
        if (!enter(fresh)) return errc::out_of_memory;
        fresh->set_linger(bound_of(options.ending.linger_timeout));
        upgraded ? fresh->begin(everyone, upgraded->leftover) : fresh->begin(everyone);
        return errc::none;
    }

    // ---- a listener

    template <class Make, class Wrap, class Work>
    class listener final : public watched {
    public:
        listener(basic_loop& loop, int number, owned_descriptor listening, group_type& everyone, Make make,
                 const server_options& options, Wrap wrap, Work work)
            : watched(number, std::move(listening), loop),
              loop_(loop),
              everyone_(everyone),
              make_(std::move(make)),
              options_(shared_options(options)),
              wrap_(std::move(wrap)),
              work_(std::move(work)) {
            ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
        }

        void on_events(unsigned) override {
            for (int left = 64; left > 0; --left) {
                arrival who;
                owned_descriptor fresh = take_one(who);
                if (fresh.get() >= 0) {
                    static_cast<void>(wsolo::detail::call_hook([&] { // a handler may fail to be made
                        auto handler = handler_for(who);
                        static_cast<void>(loop_.add(who.descriptor, std::move(fresh), std::move(handler),
                                                    everyone_, options_, wrap_, work_));
                    }));
                } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                    return;
                } else if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO) {
                    continue; // that one is gone, and the next one may be there
                } else if (!is_shortage(errno) || !refuse_one()) {
                    return rest();
                }
            }
        }
        void on_turn() override {
            if (loop_.stops_.load(std::memory_order_acquire)) return loop_.retire(*this);
            if (!loop_.watch(*this, POLLIN)) rest();
        }

    private:
        static constexpr duration pause = std::chrono::milliseconds(100);

        auto handler_for([[maybe_unused]] const arrival& who) {
            if constexpr (std::invocable<Make&, const arrival&>) {
                return make_(who);
            } else {
                return make_();
            }
        }
        static owned_descriptor open_spare() noexcept {
            return owned_descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        }
        /// Negative: errno says why.
        owned_descriptor take_one(arrival& who) noexcept {
            auto* const address = reinterpret_cast<sockaddr*>(&who.address);
            socklen_t size = sizeof who.address;
#if defined(__linux__)
            who.descriptor = ::accept4(descriptor, address, &size, SOCK_CLOEXEC);
#else
            who.descriptor = ::accept(descriptor, address, &size);
            if (who.descriptor >= 0) ::fcntl(who.descriptor, F_SETFD, FD_CLOEXEC);
#endif
            return owned_descriptor(who.descriptor);
        }
        /// Those that connect wait in the backlog.
        void rest() noexcept {
            static_cast<void>(loop_.watch(*this, 0));
            loop_.call_at(*this, deadline_after(clock::now(), pause));
        }
        static bool is_shortage(int error) noexcept {
            return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
        }
        /// No descriptor or memory for it: takes it with the spare one, and closes it.
        bool refuse_one() noexcept {
            spare_.close();
            arrival who;
            const bool took_one = take_one(who).get() >= 0;
            spare_ = open_spare();
            return took_one;
        }

        basic_loop& loop_;
        owned_descriptor spare_ = open_spare();
        group_type& everyone_;
        Make make_;
        const server_options options_;
        Wrap wrap_;
        [[no_unique_address]] Work work_;
    };

    // ---- all of them

    /// The loop's from now on. False: there is no memory, and it is gone.
    [[nodiscard]] bool enter(watched* fresh) {
        if (fresh == nullptr) return false;
        if (is_open_ && all_.add(*fresh)) return true;
        delete fresh;
        return false;
    }
    bool watch(watched& which, unsigned interest) noexcept {
        if (which.interest == interest) return true;
        if (!set_.change(which, interest)) return false;
        which.interest = static_cast<std::uint8_t>(interest);
        return true;
    }
    void call_at(watched& which, time_point at) noexcept {
        if (which.due != at) all_.move(which, at);
    }
    /// It may be in a call of its own: its time is set to the earliest one, so that the end of the turn finds and destroys it.
    void retire(watched& which) noexcept {
        which.is_gone = true;
        static_cast<void>(watch(which, 0));
        all_.move(which, (time_point::min)());
    }
    void destroy(watched& which) {
        static_cast<void>(watch(which, 0));
        all_.remove(which);
        delete &which;
    }

    std::span<const detail::happening> wait(time_point now, duration longest,
                                            std::span<detail::happening> room) {
        if (std::exchange(buffer_was_used_, false)) buffer_until_ = deadline_after(now, idle);
        if (buffer_until_ <= now) {
            buffer_.reset();
            buffer_until_ = no_deadline;
        }
        const time_point first = all_.first().due;
        const time_point due = buffer_until_ < first ? buffer_until_ : first;
        const time_point until = deadline_after(now, longest);
        const bool sleeps = until > now && due > now && wake_list::begin_sleep();
        const std::size_t count = set_.wait(now, sleeps ? until : now, due, room);
        sleeps ? wake_list::end_sleep() : wake_list::forget_wake();
        return room.first(count);
    }
    /// Empty: there is no memory.
    mutable_bytes buffer() noexcept {
        if (buffer_ == nullptr) buffer_.reset(new (std::nothrow) std::byte[buffer_size_]);
        buffer_was_used_ = buffer_ != nullptr;
        return {buffer_.get(), buffer_ == nullptr ? 0 : buffer_size_};
    }

    waker waker_{*this};
    Set set_;
    adapt::detail::timetable<watched> all_; ///< by when they are due
    ending* report_ = nullptr;              ///< serve()'s, of its one connection
    const std::size_t buffer_size_;
    std::unique_ptr<std::byte[]> buffer_;
    bool buffer_was_used_ = false;
    time_point buffer_until_ = no_deadline; ///< it goes then, unless it is used
    std::atomic<bool> stops_{false};
    bool stop_is_told_ = false;
    const bool is_open_; ///< the last: it needs the others
};

#if defined(__linux__)
using loop = basic_loop<epoll_set>;
/// A loop for connections that no other thread ever touches: not by handle(), not by a `work`, not by the group, which is a
/// one_thread_loop::group_type. Their state is plain memory, and a message that comes alone takes fewer instructions
/// (docs/benchmarks.md). Checked builds assert when a second thread appears. wake() and stop_accepting() stay any thread's.
using one_thread_loop = basic_loop<epoll_set, one_thread_traits>;
#else
using loop = basic_loop<poll_set>;
using one_thread_loop = basic_loop<poll_set, one_thread_traits>;
#endif

/// Serves one connected socket in this thread, from its request to its end, and returns how it ended. The descriptor stays the
/// caller's, which closes it afterwards. A group's close_all() ends the connection; before it is open, only
/// options.handshake_timeout bounds it. It takes one descriptor (two where there is no eventfd) and, while it is not idle, a read
/// buffer. With `upgraded` it begins open, because another server has answered the request.
template <class Handler, class Wrap = plain>
ending serve(int connected, std::optional<already_upgraded> upgraded, Handler handler,
             connection_group& everyone, const server_options& options = {}, Wrap wrap = {}) {
    basic_loop<poll_set> alone;
    ending how;
    alone.report_ = &how;
    using none = wsolo::adapt::poll::detail::owned_descriptor; // it is borrowed
    const errc refused =
        alone.add(connected, none(), std::move(handler), everyone, options, wrap, in_the_loop{}, upgraded);
    if (refused != errc::none) how.reason = refused;
    alone.run();
    return how;
}
template <class Handler, class Wrap = plain>
ending serve(int connected, Handler handler, connection_group& everyone, const server_options& options = {},
             Wrap wrap = {}) {
    return serve(connected, std::nullopt, std::move(handler), everyone, options, std::move(wrap));
}

} // namespace wsolo::inline WSOLO_ABI::adapt::poll
