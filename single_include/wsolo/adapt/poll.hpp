// Written by tools/amalgamate.py from include/wsolo/adapt/poll.hpp: change it there.
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

#include "../wsolo.hpp"
#include "detail/poll_stream.hpp"
#include "detail/poll_timeout.hpp"
#include "detail/ring.hpp"
#include "detail/timetable.hpp"
#include "posix.hpp"

#include <atomic>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <vector>
#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#endif

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

// ---- what a loop waits with

namespace detail {

class owned_descriptor {
public:
    explicit owned_descriptor(int number = -1) noexcept : number_(number) {}
    owned_descriptor(owned_descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    owned_descriptor& operator=(owned_descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        other.close();
        return *this;
    }
    ~owned_descriptor() { close(); }
    int release() noexcept { return std::exchange(number_, -1); }
    void close() noexcept {
        if (number_ >= 0) ::close(std::exchange(number_, -1));
    }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

class wake_list;

using adapt::detail::link;
using adapt::detail::poll_timeout;

/// What a loop knows of a descriptor. As a link it is in the list of those that are owed a turn.
class watched : public link {
public:
    /// A descriptor that is borrowed.
    watched(int number, wake_list& wakes) noexcept : wakes_(wakes), descriptor(number) {}
    /// `owned` is that descriptor, or none.
    watched(int number, owned_descriptor owned, wake_list& wakes) noexcept
        : wakes_(wakes), descriptor(number), is_owned_(owned.release() >= 0) {}
    virtual ~watched();

    virtual void on_events(unsigned events) = 0; ///< POLLIN, POLLOUT, POLLERR, POLLHUP
    virtual void on_turn() = 0;                  ///< it is owed one, or its time has come
    void call_for_turn() noexcept;               ///< any thread

    // From wide to narrow: a loop has very many of these.
    time_point due = no_deadline;

protected:
    [[nodiscard]] wake_list& wakes() const noexcept { return wakes_; } ///< its loop's

private:
    wake_list& wakes_;

public:
    const int descriptor;
    std::uint32_t place = 0;   ///< the timetable's
    std::uint8_t interest = 0; ///< what it is watched for; 0: not in the set
    bool is_gone = false;

private:
    const bool is_owned_ = false; ///< the descriptor, which is closed at last
};

struct happening {
    watched* whose;
    unsigned events;
};

/// Who is owed a turn, and how other threads wake the loop. The system is called only for a loop that sleeps, and never under
/// the lock.
class wake_list {
public:
    wake_list() noexcept {
#if defined(__linux__)
        read_ = owned_descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
#else
        int ends[2];
        if (::pipe(ends) != 0) return;
        read_ = owned_descriptor(ends[0]);
        write_ = owned_descriptor(ends[1]);
        for (const int end : ends) {
            ::fcntl(end, F_SETFL, O_NONBLOCK);
            ::fcntl(end, F_SETFD, FD_CLOEXEC);
        }
#endif
    }

    // ---- any thread's

    void call(watched& whose) noexcept {
        std::unique_lock<std::mutex> hold(lock_);
        if (!whose.is_alone()) return;
        whose.enter(owed_);
        ++count_;
        ring(hold);
    }
    void forget(watched& whose) noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        if (!whose.is_alone()) --count_;
        whose.leave();
    }
    void wake() noexcept {
        std::unique_lock<std::mutex> hold(lock_);
        is_woken_ = true;
        ring(hold);
    }

    // ---- the loop's

    [[nodiscard]] int descriptor() const noexcept { return read_.get(); }
    /// False: there is something to do.
    [[nodiscard]] bool begin_sleep() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        return is_asleep_ = !std::exchange(is_woken_, false) && count_ == 0;
    }
    void end_sleep() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        is_asleep_ = is_woken_ = false;
    }
    /// The descriptor was readable.
    void clear() noexcept {
        std::uint64_t rung[8];
        static_cast<void>(!::read(read_.get(), rung, sizeof rung));
    }
    [[nodiscard]] std::size_t count() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        return count_;
    }
    /// The first; nullptr: none is left.
    [[nodiscard]] watched* take() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        if (count_ == 0) return nullptr;
        --count_;
        auto* const first = static_cast<watched*>(owed_.next);
        first->leave();
        return first;
    }

private:
    void ring(std::unique_lock<std::mutex>& hold) noexcept {
        const bool asleep = std::exchange(is_asleep_, false);
        hold.unlock();
        const std::uint64_t one = 1;
        const int to = write_.get() >= 0 ? write_.get() : read_.get();
        if (asleep) static_cast<void>(!::write(to, &one, sizeof one)); // full: it is awake
    }

    owned_descriptor read_, write_; ///< an eventfd is both
    std::mutex lock_;
    link owed_;
    std::size_t count_ = 0;
    bool is_asleep_ = false;
    bool is_woken_ = false;
};

inline watched::~watched() {
    wakes_.forget(*this); // the last that called for a turn is gone by now
    if (is_owned_) ::close(descriptor);
}
inline void watched::call_for_turn() noexcept { wakes_.call(*this); }

} // namespace detail

/// Waits by poll(), everywhere; for the loop's thread. O(descriptors) a wait, and a change. Refers to the descriptors, and owns none.
class poll_set {
public:
    /// False: the system denied it a descriptor.
    [[nodiscard]] bool is_open() const noexcept { return true; }
    /// From `which.interest`, what it is watched for, to `interest`. False: no memory.
    [[nodiscard]] bool change(detail::watched& which, unsigned interest) noexcept {
        const auto events = static_cast<short>(interest);
        if (which.interest == 0) {
            if (!wsolo::detail::call_hook([&] { owners_.reserve(asked_.size() + 1); }) ||
                !wsolo::detail::call_hook([&] { asked_.push_back({which.descriptor, events, 0}); }))
                return false;
            owners_.push_back(&which);
            return true;
        }
        std::size_t at = 0;
        while (owners_[at] != &which) ++at;
        asked_[at].events = events;
        if (interest != 0) return true;
        owners_[at] = owners_.back();
        asked_[at] = asked_.back();
        owners_.pop_back();
        asked_.pop_back();
        return true;
    }
    /// What happened, as much as there is room for. Nothing, perhaps, after a signal, `until`, or `due`, the time of something
    /// else, which moves rarely; without either (no_deadline) there is no end to the wait.
    [[nodiscard]] std::size_t wait(time_point now, time_point until, time_point due,
                                   std::span<detail::happening> room) noexcept {
        const int timeout = detail::poll_timeout(until < due ? until : due, now);
        int left = ::poll(asked_.data(), static_cast<nfds_t>(asked_.size()), timeout);
        std::size_t count = 0;
        for (std::size_t looked = 0; looked < asked_.size() && left > 0 && count < room.size(); ++looked) {
            if (++last_ >= asked_.size()) last_ = 0; // all have their turn, however many happen
            if (asked_[last_].revents == 0) continue;
            room[count++] = {owners_[last_], static_cast<unsigned>(asked_[last_].revents)};
            --left;
        }
        return count;
    }

private:
    std::vector<pollfd> asked_;
    std::vector<detail::watched*> owners_;
    std::size_t last_ = 0;
};

#if defined(__linux__)
/// Waits by epoll; for the loop's thread. O(what happened) a wait. Owns two descriptors, and closes no other. What is due has a
/// timer in the set, which is set only when it is to come earlier, or has come: a wait without a timeout is the cheaper one.
class epoll_set {
public:
    epoll_set() noexcept {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLET; // it is never read: each time that it is set is an edge of its own
        static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event));
    }
    /// False: the system denied it a descriptor.
    [[nodiscard]] bool is_open() const noexcept { return epoll_.get() >= 0 && timer_.get() >= 0; }
    /// Watches for exactly `interest` (POLLIN, POLLOUT; 0: takes it out). False: the system refused.
    [[nodiscard]] bool change(detail::watched& which, unsigned interest) noexcept {
        epoll_event event{};
        event.events = interest;
        event.data.ptr = &which;
        const int operation = which.interest == 0 ? EPOLL_CTL_ADD
                              : interest == 0     ? EPOLL_CTL_DEL
                                                  : EPOLL_CTL_MOD;
        return ::epoll_ctl(epoll_.get(), operation, which.descriptor, &event) == 0;
    }
    /// Waits until `until`, or something happens; `due` is what the timer is set for. How many of `room` are filled.
    [[nodiscard]] std::size_t wait(time_point now, time_point until, time_point due,
                                   std::span<detail::happening> room) noexcept {
        epoll_event found[128];
        const int most = static_cast<int>(room.size() < std::size(found) ? room.size() : std::size(found));
        if (until > now) set_timer(now, due);
        const int timeout = detail::poll_timeout(until, now);
        const int happened = ::epoll_wait(epoll_.get(), found, most, timeout); // negative: EINTR
        std::size_t count = 0;
        for (int at = 0; at < happened; ++at) {
            auto* const whose = static_cast<detail::watched*>(found[at].data.ptr);
            if (whose != nullptr) room[count++] = {whose, found[at].events}; // nullptr: the timer has come
        }
        return count;
    }

private:
    void set_timer(time_point now, time_point due) noexcept {
        if (due >= set_to_ && set_to_ > now) return;
        set_to_ = due;
        if (due == no_deadline) return;
        const auto whole = std::chrono::floor<std::chrono::seconds>(due.time_since_epoch());
        itimerspec when{};
        when.it_value.tv_sec = static_cast<time_t>(whole.count());
        when.it_value.tv_nsec = static_cast<long>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(due.time_since_epoch() - whole).count());
        static_cast<void>(::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr));
    }

    static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP);
    detail::owned_descriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
    detail::owned_descriptor timer_{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
    time_point set_to_ = no_deadline;
};
#endif

// ---- the loop

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
        const errc answer = enter(fresh);
        if (answer != errc::none || fresh->interest != 0) return answer;
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
        if (fresh != nullptr) fresh->await_connection(bound_of(options.handshake_timeout));
        return enter(fresh);
    }

    /// Turns until nothing is left: no listener, no connection.
    void run() {
        while (turn((duration::max)())) {}
    }
    /// Waits for `longest` at most, does what there is to do, and comes back. Zero: only looks. False: nothing is left. One
    /// thread at a time, and not inside a handler.
    bool turn(duration longest) {
        if (all_.empty()) return false;
        detail::happening found[128];
        for (const detail::happening& each :
             wait(longest, found)) // each once: none is gone by another's turn
            each.whose->on_events(each.events);
        if (stops_.load(std::memory_order_acquire) && !std::exchange(stop_is_told_, true))
            for (watched* const each : all_.all()) wake_list::call(*each);
        for (std::size_t left = wake_list::count(); left > 0; --left) {
            watched* const next = wake_list::take();
            if (next != nullptr && !next->is_gone) next->on_turn();
        }
        const time_point now = std::chrono::steady_clock::now();
        while (!all_.empty() && all_.first().due <= now) {
            watched& due = all_.first();
            if (due.is_gone) {
                destroy(due);
                continue;
            }
            call_at(due, no_deadline);
            due.on_turn();
        }
        return !all_.empty();
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

    static constexpr unsigned broken = POLLERR | POLLHUP | POLLNVAL;
    static constexpr duration idle = std::chrono::seconds(1);

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

        void join(group_type& everyone) {
            if (ws_.join(everyone) != errc::none) note(ws_.close()); // it closes
        }
        void await_connection(duration bound) {
            connecting_ = {true, deadline_after(std::chrono::steady_clock::now(), bound)};
        }

        // What is readable comes first, also after a hang-up.
        void on_events(unsigned events) override {
            if constexpr (!is_server) {
                if (std::exchange(connecting_.is_under_way, false))
                    return settle((events & broken) != 0 ? ws_.abort(errc::connection_lost) : ws_.run());
            }
            const bool may_write = (events & (stream_.write_needs() | broken)) != 0;
            const bool is_settled = wants_read_ && (events & (stream_.read_needs() | broken)) != 0 && read();
            if (is_settled && !may_write) return; // most turns
            if (may_write && stream_.has_unwritten()) stream_.flush();
            if (!is_gone) settle(may_write && wants_write_ ? ws_.run() : wants());
        }
        void take_upgraded(mutable_bytes leftover) { settle(ws_.take_upgraded(leftover)); }
        void on_turn() override {
            if constexpr (!is_server) {
                if (connecting_.is_under_way) return watch_connecting();
            }
            if (wants_read_ && stream_.has_read_ahead()) static_cast<void>(read());
            if (is_gone) return;
            const bool is_late = is_server && loop().stop_is_told_ && ws_.opened() == nullptr;
            settle(is_late ? ws_.close() : ws_.run());
        }

    private:
        static constexpr bool is_server = requires(Connection& ws) { ws.take_upgraded(mutable_bytes()); };
        struct connected {};
        struct connecting {
            bool is_under_way = false;
            time_point by = no_deadline;
        };

        [[nodiscard]] basic_loop& loop() noexcept { return static_cast<basic_loop&>(wakes()); }
        void watch_connecting() {
            if (std::chrono::steady_clock::now() >= connecting_.by)
                return settle(ws_.abort(errc::handshake_timeout));
            if (!loop().watch(*this, POLLOUT)) return settle(ws_.abort(errc::out_of_memory));
            loop().call_at(*this, connecting_.by);
        }
        /// False: there was nothing to read.
        bool read() {
            const mutable_bytes buffer = loop().buffer();
            const read_result got = buffer.empty() ? read_result{read_status::failed} : stream_.read(buffer);
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
                return loop().retire(*this);
            }
            note(wants);
            loop().call_at(*this, wants.deadline);
            if (wants.read && stream_.has_read_ahead()) call_for_turn();
        }
        void note(endpoint_wants wants) noexcept {
            wants_read_ = wants.read;
            wants_write_ = wants.write;
        }
        /// As they were told last.
        [[nodiscard]] endpoint_wants wants() const noexcept {
            return {.read = wants_read_, .write = wants_write_, .deadline = due};
        }

        bool wants_read_ : 1 = true;
        bool wants_write_ : 1 = false;
        Stream stream_;
        [[no_unique_address]] std::conditional_t<is_server, connected, connecting> connecting_;
        Connection ws_;
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
        if (fresh != nullptr) fresh->join(everyone);
        const errc answer = enter(fresh);
        if (answer == errc::none && upgraded && !fresh->is_gone) fresh->take_upgraded(upgraded->leftover);
        return answer;
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
              options_(options),
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
            loop_.call_at(*this, deadline_after(std::chrono::steady_clock::now(), pause));
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

    errc enter(watched* fresh) {
        if (fresh == nullptr) return errc::out_of_memory;
        if (!is_open_ || !all_.add(*fresh)) {
            delete fresh;
            return errc::out_of_memory;
        }
        fresh->on_turn();
        return errc::none;
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

    std::span<const detail::happening> wait(duration longest, std::span<detail::happening> room) {
        const time_point now = std::chrono::steady_clock::now();
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
        wake_list::end_sleep();
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
/// one_thread_loop::group_type. Their state is plain memory, and a message costs less (docs/benchmarks.md). Checked builds assert
/// when a second thread appears. wake() and stop_accepting() stay any thread's.
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
