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
// - A loop is one thread's, the one that calls run() or turn(): every handler runs in it. wake() and stop_accepting() are any
//   thread's, as are a group's functions, and what an endpoint's handle() gives.
// - A connection joins its group when it is open. A handler that throws ends its own connection.
// - Each connection is looked at for what it wants and no more; one that wants neither to read nor to write is taken out of the
//   set, which would tell hang-ups unasked. None is destroyed inside its own callback.
// - Running out of descriptors refuses the newest connection and nothing else: a spare one is given up for a moment to take it
//   and close it. Left in the backlog it would make the loop spin.
// - The read buffer belongs to the loop: an idle connection has none, and after an idle second a loop has none either.
// - A stream other than a plain socket (TLS: adapt/openssl.hpp) takes its place by the concept `stream`.

#include "../endpoint/server_connection.hpp"
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
#endif

namespace wsolo::inline WSOLO_ABI::adapt::poll {

// ---- streams

enum class read_status : std::uint8_t { some, end, not_now, failed };

struct read_result {
    read_status status = read_status::not_now;
    std::size_t size = 0;
};

/// A byte stream over one descriptor, which it does not own. Everything belongs to the loop's thread. It stays where it is made,
/// because `writing_end()`, the endpoint's transport, may know it; that one's end_output() may leave something to do.
template <class T>
concept stream = requires(T& s, const T& asked, mutable_bytes into) {
    { s.read(into) } noexcept -> std::same_as<read_result>;
    { s.writing_end() } -> byte_stream;
    /// POLLIN or POLLOUT: what a read, and a write, that could not go on waits for.
    { asked.read_needs() } noexcept -> std::same_as<unsigned>;
    { asked.write_needs() } noexcept -> std::same_as<unsigned>;
    /// Bytes that were read from the descriptor, and not handed out yet: nothing tells that they are there.
    { asked.has_read_ahead() } noexcept -> std::same_as<bool>;
    /// The stream's own goodbye did not fit: finish_output() when the descriptor is writable.
    { asked.owes_goodbye() } noexcept -> std::same_as<bool>;
    { s.finish_output() } noexcept;
};

class plain_stream {
public:
    explicit plain_stream(int descriptor) noexcept : descriptor_(descriptor) {}

    read_result read(mutable_bytes into) noexcept {
        for (;;) {
            const ssize_t count = ::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT);
            if (count > 0) return {read_status::some, static_cast<std::size_t>(count)};
            if (count == 0) return {read_status::end};
            if (errno == EINTR) continue;
            return {errno == EAGAIN || errno == EWOULDBLOCK ? read_status::not_now : read_status::failed};
        }
    }
    [[nodiscard]] posix_socket writing_end() const noexcept { return posix_socket(descriptor_); }
    [[nodiscard]] unsigned read_needs() const noexcept { return POLLIN; }
    [[nodiscard]] unsigned write_needs() const noexcept { return POLLOUT; }
    [[nodiscard]] bool has_read_ahead() const noexcept { return false; }
    [[nodiscard]] bool owes_goodbye() const noexcept { return false; }
    void finish_output() noexcept {}

private:
    int descriptor_;
};

/// Makes of a connected descriptor the stream that it carries: what accept(), add() and serve() take as `wrap`. Called once for
/// each connection; it must outlive the loop if it holds anything.
struct plain {
    [[nodiscard]] plain_stream operator()(int descriptor) const noexcept { return plain_stream(descriptor); }
};

// ---- what a loop waits with

class watched; // a descriptor's place in a loop

struct happening {
    watched* whose = nullptr; ///< nullptr: the loop's own wake-up
    unsigned events = 0;      ///< POLLIN, POLLOUT, POLLERR, POLLHUP
};

/// poll(): everywhere. O(descriptors) a wait.
class poll_set {
public:
    [[nodiscard]] bool is_open() const noexcept { return true; }
    /// `before` and `after`: what is watched for; 0: not in the set. `slot` is the set's own. False: no memory.
    [[nodiscard]] bool change(int descriptor, watched* whose, unsigned before, unsigned after,
                              std::size_t& slot) noexcept {
        if (before == after) return true;
        if (before == 0) {
            if (!make_room()) return false;
            slot = asked_.size();
            asked_.push_back({descriptor, static_cast<short>(after), 0});
            owners_.push_back({whose, &slot});
        } else if (after != 0) {
            asked_[slot].events = static_cast<short>(after);
        } else {
            asked_[slot] = asked_.back();
            owners_[slot] = owners_.back();
            *owners_[slot].slot = slot;
            asked_.pop_back();
            owners_.pop_back();
        }
        return true;
    }
    /// What happened, `room` of it at most; 0 after a signal or `timeout` milliseconds (negative: no end).
    [[nodiscard]] std::size_t wait(int timeout, std::span<happening> room) noexcept {
        int left = ::poll(asked_.data(), static_cast<nfds_t>(asked_.size()), timeout);
        std::size_t count = 0;
        for (std::size_t looked = 0; looked < asked_.size() && left > 0 && count < room.size(); ++looked) {
            if (++last_ >= asked_.size()) last_ = 0; // all have their turn, however many happen
            const auto events = static_cast<unsigned>(asked_[last_].revents);
            if (events == 0) continue;
            --left;
            room[count++] = {owners_[last_].whose, events};
        }
        return count;
    }

private:
    struct owner {
        watched* whose;
        std::size_t* slot;
    };

    bool make_room() noexcept {
        return wsolo::detail::call_hook([&] {
            asked_.reserve(asked_.size() < asked_.capacity() ? 0 : asked_.size() * 2 + 8);
            owners_.reserve(asked_.capacity());
        });
    }

    std::vector<pollfd> asked_;
    std::vector<owner> owners_;
    std::size_t last_ = 0;
};

#if defined(__linux__)
/// epoll: O(what happened) a wait.
class epoll_set {
public:
    epoll_set() noexcept : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
    epoll_set(const epoll_set&) = delete;
    epoll_set& operator=(const epoll_set&) = delete;
    ~epoll_set() {
        if (epoll_ >= 0) ::close(epoll_);
    }

    [[nodiscard]] bool is_open() const noexcept { return epoll_ >= 0; }
    [[nodiscard]] bool change(int descriptor, watched* whose, unsigned before, unsigned after,
                              std::size_t&) noexcept {
        if (before == after) return true;
        epoll_event event{};
        event.events = after;
        event.data.ptr = whose;
        const int operation = before == 0 ? EPOLL_CTL_ADD : after == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
        return ::epoll_ctl(epoll_, operation, descriptor, &event) == 0;
    }
    [[nodiscard]] std::size_t wait(int timeout, std::span<happening> room) noexcept {
        epoll_event found[most];
        const int most_now = static_cast<int>(room.size() < most ? room.size() : most);
        const int count = ::epoll_wait(epoll_, found, most_now, timeout); // negative: EINTR
        for (int at = 0; at < count; ++at)
            room[static_cast<std::size_t>(at)] = {static_cast<watched*>(found[at].data.ptr),
                                                  found[at].events};
        return count > 0 ? static_cast<std::size_t>(count) : 0;
    }

private:
    static constexpr std::size_t most = 128;
    static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP);

    int epoll_;
};
#endif

// ---- a loop's parts

namespace detail {

/// A place in a ring, or the ring itself.
struct link {
    link() noexcept = default;
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    [[nodiscard]] bool is_alone() const noexcept { return next == this; }
    void enter(link& ring) noexcept { // as the last one
        next = &ring;
        previous = std::exchange(ring.previous, this);
        previous->next = this;
    }
    void leave() noexcept {
        previous->next = next;
        next->previous = previous;
        next = previous = this;
    }

    link* next = this;
    link* previous = this;
};

/// When something is due: in a pairing heap that needs no memory of its own. O(1) to set, O(log n) amortized to take.
struct timer {
    time_point at = no_deadline;
    timer* child = nullptr;
    timer* next = nullptr;     ///< the parent's next child
    timer* previous = nullptr; ///< the child before this one, or the parent
};

class timer_heap {
public:
    [[nodiscard]] time_point first() const noexcept { return root_ == nullptr ? no_deadline : root_->at; }
    void set(timer& which, time_point at) noexcept {
        if (which.at == at) return;
        if (which.at != no_deadline) take_out(which);
        which.at = at;
        if (at != no_deadline) root_ = meld(root_, &which);
    }
    /// One that is due, and set no more; nullptr: none is.
    [[nodiscard]] timer* take(time_point now) noexcept {
        if (first() > now || root_ == nullptr) return nullptr;
        timer* const due = root_;
        set(*due, no_deadline);
        return due;
    }

private:
    static timer* meld(timer* a, timer* b) noexcept {
        if (a == nullptr || b == nullptr) return a == nullptr ? b : a;
        if (b->at < a->at) std::swap(a, b);
        b->previous = a;
        b->next = std::exchange(a->child, b);
        if (b->next != nullptr) b->next->previous = b;
        return a;
    }
    /// In pairs from the left, then those from the right.
    static timer* meld_all(timer* first) noexcept {
        timer* pairs = nullptr;
        while (first != nullptr) {
            timer* const a = first;
            timer* const b = a->next;
            first = b == nullptr ? nullptr : b->next;
            a->next = a->previous = nullptr;
            if (b != nullptr) b->next = b->previous = nullptr;
            timer* const both = meld(a, b);
            both->next = std::exchange(pairs, both);
        }
        timer* all = nullptr;
        while (pairs != nullptr) {
            timer* const rest = std::exchange(pairs->next, nullptr);
            all = meld(all, std::exchange(pairs, rest));
        }
        return all;
    }
    void take_out(timer& which) noexcept {
        if (&which == root_) {
            root_ = meld_all(which.child);
        } else {
            (which.previous->child == &which ? which.previous->child : which.previous->next) = which.next;
            if (which.next != nullptr) which.next->previous = which.previous;
            root_ = meld(root_, meld_all(which.child));
        }
        which.child = which.next = which.previous = nullptr;
    }

    timer* root_ = nullptr;
};

class owned_descriptor {
public:
    owned_descriptor() = default;
    explicit owned_descriptor(int number) noexcept : number_(number) {}
    owned_descriptor(owned_descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    owned_descriptor& operator=(owned_descriptor&& other) noexcept {
        if (number_ >= 0) ::close(number_);
        number_ = std::exchange(other.number_, -1);
        return *this;
    }
    ~owned_descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_ = -1;
};

inline void mark_own(int descriptor) noexcept { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }
inline owned_descriptor open_spare() noexcept {
    return owned_descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}
/// Negative: errno says why.
inline owned_descriptor accept_from(int listening) noexcept {
#if defined(__linux__)
    return owned_descriptor(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
#else
    owned_descriptor fresh(::accept(listening, nullptr, nullptr));
    if (fresh.get() >= 0) mark_own(fresh.get());
    return fresh;
#endif
}

/// A place in the list below, under its lock.
struct owed_turn : link {
    explicit owed_turn(watched& of) noexcept : whose(of) {}
    watched& whose;
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
            mark_own(end);
        }
#endif
    }

    [[nodiscard]] int descriptor() const noexcept { return read_.get(); }

    // ---- any thread's

    void call(owed_turn& whose) noexcept {
        bool asleep = false;
        {
            const std::scoped_lock hold(lock_);
            if (!whose.is_alone()) return;
            whose.enter(owed_);
            ++count_;
            asleep = std::exchange(is_asleep_, false);
        }
        if (asleep) ring();
    }
    void forget(owed_turn& whose) noexcept {
        const std::scoped_lock hold(lock_);
        if (whose.is_alone()) return;
        whose.leave();
        --count_;
    }
    void wake() noexcept {
        bool asleep = false;
        {
            const std::scoped_lock hold(lock_);
            is_woken_ = true;
            asleep = std::exchange(is_asleep_, false);
        }
        if (asleep) ring();
    }

    // ---- the loop's

    /// False: there is something to do.
    [[nodiscard]] bool begin_sleep() noexcept {
        const std::scoped_lock hold(lock_);
        is_asleep_ = !std::exchange(is_woken_, false) && owed_.is_alone();
        return is_asleep_;
    }
    void end_sleep() noexcept {
        const std::scoped_lock hold(lock_);
        is_asleep_ = false;
    }
    [[nodiscard]] std::size_t count() noexcept {
        const std::scoped_lock hold(lock_);
        return count_;
    }
    /// The first in the row; nullptr: none is left.
    [[nodiscard]] watched* take() noexcept {
        const std::scoped_lock hold(lock_);
        if (owed_.is_alone()) return nullptr;
        auto& first = static_cast<owed_turn&>(*owed_.next);
        first.leave();
        --count_;
        return &first.whose;
    }
    void clear() noexcept {
        std::uint64_t rung[8];
        static_cast<void>(!::read(read_.get(), rung, sizeof rung));
    }

private:
    void ring() noexcept {
        const std::uint64_t one = 1;
        const int to = write_.get() >= 0 ? write_.get() : read_.get();
        static_cast<void>(!::write(to, &one, sizeof one)); // full: it is awake
    }

    owned_descriptor read_, write_; ///< an eventfd is both
    std::mutex lock_;
    link owed_;
    std::size_t count_ = 0;
    bool is_asleep_ = false;
    bool is_woken_ = false;
};

/// A handler whose connection joins a group when it is open.
template <class Handler>
struct joining : Handler {
    joining(Handler&& handler, connection_group& joined) : Handler(std::move(handler)), group(&joined) {}

    void on_upgraded(auto& e) {
        using endpoint_type = std::remove_reference_t<decltype(e)>;
        static_assert(!wsolo::detail::names_on_upgraded<Handler>() ||
                          wsolo::detail::has_on_upgraded<Handler, endpoint_type>,
                      "on_upgraded is called as on_upgraded(endpoint&)");
        if (e.join(*group) != errc::none) static_cast<void>(e.close(close_code::going_away)); // it closes
        if constexpr (wsolo::detail::has_on_upgraded<Handler, endpoint_type>) Handler::on_upgraded(e);
    }

    connection_group* group;
};

} // namespace detail

/// What a loop knows of a descriptor; the loop's own.
class watched : public detail::link, public detail::timer {
public:
    watched(int number, detail::wake_list& wakes) noexcept : descriptor(number), wakes_(wakes) {}
    /// The last that called for a turn is gone by now: the connection was a part of this.
    virtual ~watched() { wakes_.forget(owed); }
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;

    virtual void on_events(unsigned events) = 0;
    virtual void on_turn() = 0; ///< it was called for, or its time has come
    virtual void on_stop() = 0; ///< no more is accepted

    const int descriptor;
    unsigned interest = 0;
    std::size_t slot = 0; ///< the set's
    bool is_gone = false;
    detail::owed_turn owed{*this};

private:
    detail::wake_list& wakes_;
};

// ---- the loop

/// See the file's laws. `Set` is epoll_set or poll_set.
template <class Set>
class basic_loop {
public:
    /// Takes two descriptors or three. That there were none is told by accept() and add().
    basic_loop() noexcept {
        is_open_ = set_.is_open() && wakes_.descriptor() >= 0 &&
                   set_.change(wakes_.descriptor(), nullptr, 0, POLLIN, wake_slot_);
    }
    basic_loop(const basic_loop&) = delete;
    basic_loop& operator=(const basic_loop&) = delete;
    /// Cuts off what is left: no Close, no on_finished. No other thread may be in wake() or stop_accepting().
    ~basic_loop() {
        while (!all_.is_alone()) retire(static_cast<watched&>(*all_.next));
        bury();
    }

    /// Serves each connection that comes to `listening`, with a handler that `make` makes. The descriptor is the loop's from now
    /// on, whatever the answer. `everyone`, and what `wrap` knows, must outlive the loop. Errors: out_of_memory, of
    /// descriptors too.
    template <class Make, class Wrap = plain>
    [[nodiscard]] errc accept(int listening, connection_group& everyone, Make make,
                              const server_options& options = {}, Wrap wrap = {}) {
        detail::owned_descriptor owned(listening);
        if (!is_open_) return errc::out_of_memory;
        auto* const fresh = new (std::nothrow)
            door<Make, Wrap>(*this, std::move(owned), everyone, std::move(make), options, std::move(wrap));
        if (fresh == nullptr) return errc::out_of_memory;
        fresh->enter(all_);
        if (watch(*fresh, POLLIN)) return errc::none;
        retire(*fresh);
        return errc::out_of_memory;
    }

    /// Serves a connected socket, from its request on. As accept() otherwise.
    template <class Handler, class Wrap = plain>
    [[nodiscard]] errc add(int connected, Handler handler, connection_group& everyone,
                           const server_options& options = {}, Wrap wrap = {}) {
        return enter(detail::owned_descriptor(connected), connected, std::move(handler), everyone, options,
                     wrap, nullptr);
    }
    /// The same, but the descriptor stays the caller's, and is in use until `report` is written: in the turn in which the
    /// connection has ended.
    template <class Handler, class Wrap = plain>
    [[nodiscard]] errc add_borrowed(int connected, Handler handler, connection_group& everyone,
                                    const server_options& options, Wrap wrap, ending& report) {
        return enter({}, connected, std::move(handler), everyone, options, wrap, &report);
    }

    /// Turns until nothing is left: no listener, no connection.
    void run() {
        while (turn(duration::max())) {}
    }
    /// Waits for `longest` at most, does what there is to do, and comes back. Zero: only looks. False: nothing is left. One
    /// thread at a time, and not inside a handler.
    bool turn(duration longest) {
        if (!is_open_ || all_.is_alone()) return false;
        happening found[128];
        for (const happening& each : wait(longest, found)) {
            if (each.whose == nullptr) {
                wakes_.clear();
            } else if (!each.whose->is_gone) {
                each.whose->on_events(each.events);
            }
        }
        if (stops_.exchange(false, std::memory_order_acquire)) stop();
        for (std::size_t left = wakes_.count(); left > 0; --left) {
            watched* const next = wakes_.take();
            if (next != nullptr && !next->is_gone) next->on_turn();
        }
        const time_point now = std::chrono::steady_clock::now();
        while (detail::timer* const due = timers_.take(now)) static_cast<watched*>(due)->on_turn();
        bury();
        return !all_.is_alone();
    }

    /// Has a turn() that waits come back, or the next one not wait. Any thread.
    void wake() noexcept { wakes_.wake(); }
    /// Closes the listeners, and refuses (503) those whose request is not complete. Any thread.
    void stop_accepting() noexcept {
        stops_.store(true, std::memory_order_release);
        wake();
    }

private:
    static constexpr std::size_t buffer_size = 256 * 1024;
    static constexpr unsigned broken = POLLERR | POLLHUP | POLLNVAL;

    struct wake_hook { // any thread
        detail::wake_list* wakes;
        watched* whose;
        bool operator()() const noexcept { return wakes->call(whose->owed), true; }
    };

    // ---- a connection

    template <class Handler, class Stream>
    class peer final : public watched {
        using transport = decltype(std::declval<Stream&>().writing_end());

    public:
        template <class Wrap>
        peer(basic_loop& loop, detail::owned_descriptor owned, int number, Handler&& handler,
             connection_group& everyone, const server_options& options, Wrap& wrap, ending* report)
            : watched(number, loop.wakes_),
              loop_(loop),
              owned_(std::move(owned)),
              report_(report),
              stream_(wrap(number)),
              ws_(stream_.writing_end(), wake_hook{&loop.wakes_, this},
                  detail::joining<Handler>(std::move(handler), everyone), options) {}

        // What is readable comes first, also after a hang-up.
        void on_events(unsigned events) override {
            if (stream_.owes_goodbye() && (events & (POLLOUT | broken)) != 0) stream_.finish_output();
            const bool may_write = wants_.write && (events & (stream_.write_needs() | broken)) != 0;
            if (wants_.read && (events & (stream_.read_needs() | broken)) != 0) read();
            if (!is_gone) settle(may_write ? ws_.run() : wants_);
        }
        void on_turn() override {
            if (wants_.read && stream_.has_read_ahead()) read();
            if (!is_gone) settle(ws_.run());
        }
        void on_stop() override {
            if (ws_.opened() == nullptr) settle(ws_.close());
        }

    private:
        void read() {
            const mutable_bytes buffer = loop_.buffer();
            const read_result got = buffer.empty() ? read_result{read_status::failed} : stream_.read(buffer);
            switch (got.status) {
            case read_status::some: return settle(ws_.receive(buffer.first(got.size)));
            case read_status::end: return settle(ws_.end_of_input());
            case read_status::failed: return settle(ws_.end_of_input(errc::connection_lost));
            case read_status::not_now: return;
            }
        }
        void settle(endpoint_wants wants) {
            wants_ = wants;
            unsigned wanted = stream_.owes_goodbye() ? POLLOUT : 0U;
            if (wants.read) wanted |= stream_.read_needs();
            if (wants.write) wanted |= stream_.write_needs();
            if (!wants.finished && !loop_.watch(*this, wanted)) wants_ = ws_.abort(errc::out_of_memory);
            if (wants_.finished) {
                if (report_ != nullptr) *report_ = ws_.how_it_ended();
                return loop_.retire(*this);
            }
            loop_.timers_.set(*this, wants_.deadline);
            if (wants_.read && stream_.has_read_ahead()) loop_.wakes_.call(owed);
        }

        basic_loop& loop_;
        detail::owned_descriptor owned_;
        ending* report_;
        Stream stream_;
        endpoint_wants wants_;
        server_connection<transport, wake_hook, detail::joining<Handler>> ws_;
    };

    template <class Handler, class Wrap>
    errc enter(detail::owned_descriptor owned, int number, Handler&& handler, connection_group& everyone,
               const server_options& options, Wrap& wrap, ending* report) {
        using stream_type = decltype(wrap(number));
        static_assert(stream<stream_type>);
        if (!is_open_) return errc::out_of_memory;
        const int on = 1; // the writer gathers frames itself; Nagle would only delay the last one
        ::setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        auto* const fresh = new (std::nothrow) peer<Handler, stream_type>(
            *this, std::move(owned), number, std::move(handler), everyone, options, wrap, report);
        if (fresh == nullptr) return errc::out_of_memory;
        fresh->enter(all_);
        fresh->on_turn();
        return errc::none;
    }

    // ---- a listener

    template <class Make, class Wrap>
    class door final : public watched {
    public:
        door(basic_loop& loop, detail::owned_descriptor listening, connection_group& everyone, Make make,
             const server_options& options, Wrap wrap)
            : watched(listening.get(), loop.wakes_),
              loop_(loop),
              listening_(std::move(listening)),
              everyone_(everyone),
              make_(std::move(make)),
              options_(options),
              wrap_(std::move(wrap)) {
            ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
        }

        void on_events(unsigned) override {
            for (int left = 64; left > 0; --left) {
                detail::owned_descriptor fresh = detail::accept_from(descriptor);
                if (fresh.get() >= 0) {
                    static_cast<void>(wsolo::detail::call_hook([&] { // a handler that is not made
                        auto handler = make_();
                        const int number = fresh.get();
                        static_cast<void>(loop_.enter(std::move(fresh), number, std::move(handler), everyone_,
                                                      options_, wrap_, nullptr));
                    }));
                    continue;
                }
                switch (errno) {
                case ECONNABORTED:
                case EINTR:
                case EPROTO: continue; // this one vanished
#if EAGAIN != EWOULDBLOCK
                case EWOULDBLOCK:
#endif
                case EAGAIN: return;
                default:
                    if (!refuse_one()) return pause();
                }
            }
        }
        void on_turn() override {
            if (!loop_.watch(*this, POLLIN)) pause();
        }
        void on_stop() override { loop_.retire(*this); }

    private:
        /// No descriptor or memory for another one: takes it with the spare one, and closes it.
        bool refuse_one() {
            spare_ = {};
            const bool took_one = detail::accept_from(descriptor).get() >= 0;
            spare_ = detail::open_spare();
            return took_one;
        }
        void pause() {
            static_cast<void>(loop_.watch(*this, 0));
            loop_.timers_.set(*this, std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
        }

        basic_loop& loop_;
        detail::owned_descriptor listening_;
        detail::owned_descriptor spare_ = detail::open_spare();
        connection_group& everyone_;
        Make make_;
        const server_options options_;
        Wrap wrap_;
    };

    // ---- all of them

    bool watch(watched& which, unsigned interest) noexcept {
        if (!set_.change(which.descriptor, &which, which.interest, interest, which.slot)) return false;
        which.interest = interest;
        return true;
    }
    /// Destroyed at the turn's end, because it may be in a call of its own.
    void retire(watched& which) noexcept {
        which.is_gone = true;
        static_cast<void>(watch(which, 0));
        timers_.set(which, no_deadline);
        which.leave();
        which.enter(gone_);
    }
    void bury() {
        while (!gone_.is_alone()) {
            auto* const next = static_cast<watched*>(gone_.next);
            next->leave();
            delete next;
        }
    }
    void stop() {
        for (detail::link* next = all_.next; next != &all_;) {
            watched& each = static_cast<watched&>(*next);
            next = next->next; // on_stop() may retire it
            each.on_stop();
        }
    }

    std::span<const happening> wait(duration longest, std::span<happening> room) {
        time_point now = std::chrono::steady_clock::now();
        time_point until = deadline_after(now, longest);
        if (timers_.first() < until) until = timers_.first();
        const bool may_be_idle = buffer_ != nullptr && until - now > idle;
        if (may_be_idle) until = now + idle;
        const bool sleeps = until > now && wakes_.begin_sleep();
        const std::size_t count = set_.wait(sleeps ? milliseconds_to(until, now) : 0, room);
        if (sleeps) wakes_.end_sleep();
        if (sleeps && count == 0 && may_be_idle) buffer_.reset();
        return room.first(count);
    }
    static int milliseconds_to(time_point until, time_point now) noexcept {
        if (until == no_deadline) return -1;
        constexpr std::chrono::minutes longest{1};
        const duration left = until - now;
        return static_cast<int>(
            std::chrono::ceil<std::chrono::milliseconds>(left < longest ? left : duration(longest)).count());
    }

    /// Empty: there is no memory.
    mutable_bytes buffer() noexcept {
        if (buffer_ == nullptr) buffer_.reset(new (std::nothrow) std::byte[buffer_size]);
        return {buffer_.get(), buffer_ == nullptr ? 0 : buffer_size};
    }
    static constexpr duration idle = std::chrono::seconds(1);

    detail::wake_list wakes_;
    Set set_;
    std::size_t wake_slot_ = 0;
    bool is_open_ = false;
    std::atomic<bool> stops_{false};
    detail::timer_heap timers_;
    detail::link all_, gone_;
    std::unique_ptr<std::byte[]> buffer_;
};

#if defined(__linux__)
using loop = basic_loop<epoll_set>;
#else
using loop = basic_loop<poll_set>;
#endif

/// Serves one connected socket in this thread, from its request to its end: how it ended. The descriptor stays the caller's, who
/// closes it afterwards. A group's close_all() ends it; before it is open, only options.handshake_timeout bounds it. One
/// descriptor (two where there is no eventfd) and, while it is not idle, a read buffer.
template <class Handler, class Wrap = plain>
ending serve(int connected, Handler handler, connection_group& everyone, const server_options& options = {},
             Wrap wrap = {}) {
    basic_loop<poll_set> alone;
    ending how;
    const errc refused =
        alone.add_borrowed(connected, std::move(handler), everyone, options, std::move(wrap), how);
    if (refused != errc::none) how.reason = refused;
    alone.run();
    return how;
}

} // namespace wsolo::inline WSOLO_ABI::adapt::poll
