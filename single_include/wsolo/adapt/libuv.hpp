// Written by tools/amalgamate.py from include/wsolo/adapt/libuv.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// WebSocket in a server that runs libuv: what comes to its listeners, TCP or pipes, is served in its loop.
// Needs: uv.h (libuv 1.19 or later).
//
//     wsolo::connection_group everyone;
//     wsolo::adapt::libuv::context context(loop);
//     /* in uv_listen's callback */ wsolo::adapt::libuv::serve(listener, chat{}, context, everyone);
//     uv_run(loop, UV_RUN_DEFAULT); // after uv_close(listener) and everyone.close_all(...): until the last one has left
//
// Laws of this file:
// - Everything belongs to the loop's thread, handlers included. Any thread may call a group's functions, and what an
//   endpoint's handle() gives: they wake the loop by one uv_async_t, which exists while there are connections.
// - A connection's two handles are closed after its end, and their memory is freed after both are closed. So uv_run() does not
//   return before the last connection has left, and no handle is left to be closed then.
// - What the socket takes at once is written from the writer's own bytes. When it is full, the next 4 KiB are copied for
//   uv_write(), which can't be cancelled: so a write that is given up keeps no bytes of the writer's, and no end waits for it.
// - All connections read into the context's one buffer, and only while they want to. Each has one timer, which moves rarely.
// - libuv does not suppress SIGPIPE when it writes, and that signal's default ends the process: a context sets it to be ignored
//   where it is not handled.

#include "../wsolo.hpp"

#if !__has_include(<uv.h>)
#error "wsolo/adapt/libuv.hpp needs libuv: uv.h (1.19 or later)."
#endif

#include "detail/ring.hpp"
#if !defined(_WIN32)
#include "posix.hpp"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>
#endif

#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <uv.h>

namespace wsolo::inline WSOLO_ABI::adapt::libuv {

class context;

namespace detail {

using adapt::detail::link;

class hub;
struct entry;
class wire;

/// A connection among all.
struct member : link {
    explicit member(wire& whose) noexcept : of(&whose) {}
    wire* of;
};

/// A connection's handles, and its writes. As a link it is in the hub's list of those that are owed a turn.
class wire : public link {
public:
    virtual ~wire();

    virtual void on_turn() = 0;
    /// Destroys what uses the handles, and closes them; at the end of that this is destroyed.
    virtual void cut() noexcept = 0;

    // ---- the transport's

    void start_write(std::span<const const_bytes> parts, write_done done) {
        const int error = try_write(parts, done);
        if (error == UV_EAGAIN) return wait_with(parts, std::move(done));
        if (error != 0) done({io_status::failed, 0, error});
    }
    /// libuv may still write what it has. A writer whose write failed writes nothing more.
    void cancel_write() noexcept {
        if (stalled_ == nullptr || stalled_->done == nullptr) return;
        const std::size_t left = uv_stream_get_write_queue_size(stream());
        write_done::adopt(std::exchange(stalled_->done, nullptr))(
            {io_status::failed, stalled_->size - left, UV_ECANCELED});
    }
    void end_output() noexcept {
        static_cast<void>(uv_shutdown(&ending_, stream(), [](uv_shutdown_t*, int) {}));
    }
    /// The handle is closed later, when its endpoint is over: the peer is not to wait for that.
    void disconnect() const noexcept {
#if !defined(_WIN32)
        uv_os_fd_t descriptor = -1;
        if (uv_fileno(&handle_.any, &descriptor) == 0) posix_socket(descriptor).disconnect();
#endif
    }
    [[nodiscard]] std::size_t unsent() const noexcept {
#if defined(SIOCOUTQ)
        uv_os_fd_t descriptor = -1;
        if (uv_fileno(&handle_.any, &descriptor) == 0) return posix_socket(descriptor).unsent();
#endif
        return 0;
    }

    // ---- the beginning

    [[nodiscard]] uv_stream_t* stream() noexcept { return &handle_.stream; }
    [[nodiscard]] int open(uv_stream_t& listener) noexcept {
        prepare(listener.type);
        const int error = uv_accept(&listener, stream());
        if (error == 0 && listener.type == UV_TCP) // a write is whole frames already
            static_cast<void>(uv_tcp_nodelay(&handle_.tcp, 1));
        return error;
    }
#if !defined(_WIN32)
    /// A second descriptor of it.
    [[nodiscard]] int open_copy(const uv_stream_t& of) noexcept {
        prepare(of.type);
        uv_os_fd_t original = -1;
        if (const int error = uv_fileno(reinterpret_cast<const uv_handle_t*>(&of), &original); error != 0)
            return error;
        const int copy = ::fcntl(original, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) return uv_translate_sys_error(errno);
        const int error =
            of.type == UV_NAMED_PIPE ? uv_pipe_open(&handle_.pipe, copy) : uv_tcp_open(&handle_.tcp, copy);
        if (error != 0) ::close(copy);
        return error;
    }
#endif

protected:
    explicit wire(hub& of) noexcept;

    virtual void on_read(mutable_bytes bytes) = 0;
    virtual void on_input_over(errc why) = 0;
    virtual void on_no_memory() = 0;

    void listen_to(bool wanted) {
        if (wanted == is_reading_) return;
        is_reading_ = wanted;
        if (!wanted) {
            uv_read_stop(stream());
        } else if (uv_read_start(stream(), &lend_buffer, &on_stream_read) != 0) {
            on_input_over(errc::connection_lost);
        }
    }
    void call_at(time_point when) noexcept {
        if (when == armed_) return;
        armed_ = when;
        if (when == no_deadline) return static_cast<void>(uv_timer_stop(&timer_));
        const duration left = when - std::chrono::steady_clock::now();
        const auto wait =
            left > duration::zero() ? std::chrono::ceil<std::chrono::milliseconds>(left).count() : 0;
        const auto on_time = [](uv_timer_t* timer) {
            auto& self = *static_cast<wire*>(timer->data);
            self.armed_ = no_deadline; // libuv's time may run behind: then it is set again
            self.on_turn();
        };
        static_cast<void>(uv_timer_start(&timer_, on_time, static_cast<std::uint64_t>(wait), 0));
    }
    void close_handles() noexcept {
        member_.leave();
        const auto on_closed = [](uv_handle_t* each) {
            auto* const self = static_cast<wire*>(each->data);
            if (--self->open_handles_ == 0) delete self;
        };
        uv_close(reinterpret_cast<uv_handle_t*>(&timer_), on_closed);
        uv_close(&handle_.any, on_closed);
    }

    hub& hub_;

private:
    static constexpr std::size_t max_parts = 64;
    /// A write that the socket had no room for; its bytes' own.
    struct stalled {
        uv_write_t request;
        void* done = nullptr; ///< a write_done; nullptr: it was cancelled
        std::size_t size = 0;
        char bytes[4096];
    };

    /// Not before everything else is there: from here on cut() is the way out.
    void prepare(uv_handle_type type) noexcept;

    [[nodiscard]] static uv_buf_t buffer_of(const_bytes part) noexcept {
        // libuv reads only; its buffers have no const form.
        auto* const begin = reinterpret_cast<char*>(const_cast<std::byte*>(part.data()));
        return uv_buf_init(begin, static_cast<unsigned>(part.size()));
    }
    /// 0: `done` was called. UV_EAGAIN: there is no room.
    [[nodiscard]] int try_write(std::span<const const_bytes> parts, write_done& done) noexcept {
        uv_buf_t buffers[max_parts];
        unsigned count = 0;
        for (; count < parts.size() && count < max_parts; ++count) buffers[count] = buffer_of(parts[count]);
        const int taken = uv_try_write(stream(), buffers, count);
        if (taken < 0) return taken;
        if (taken == 0) return UV_EAGAIN;
        done({io_status::ok, static_cast<std::size_t>(taken), 0});
        return 0;
    }
    void wait_with(std::span<const const_bytes> parts, write_done done) noexcept {
        stalled_.reset(new (std::nothrow) stalled);
        if (stalled_ == nullptr) return done({io_status::failed, 0, UV_ENOMEM});
        for (const const_bytes part : parts) {
            const std::size_t room = sizeof stalled_->bytes - stalled_->size;
            const std::size_t more = part.size() < room ? part.size() : room;
            std::memcpy(stalled_->bytes + stalled_->size, part.data(), more);
            stalled_->size += more;
        }
        const uv_buf_t whole = uv_buf_init(stalled_->bytes, static_cast<unsigned>(stalled_->size));
        const int error =
            uv_write(&stalled_->request, stream(), &whole, 1, [](uv_write_t* request, int status) {
                static_cast<wire*>(request->handle->data)->on_written(status);
            });
        if (error != 0) {
            stalled_.reset();
            return done({io_status::failed, 0, error});
        }
        stalled_->done = done.release();
    }
    void on_written(int status);

    static void lend_buffer(uv_handle_t* asks, std::size_t, uv_buf_t* into);
    static void on_stream_read(uv_stream_t* from, ssize_t count, const uv_buf_t* bytes) {
        auto& self = *static_cast<wire*>(from->data);
        if (count > 0)
            return self.on_read({reinterpret_cast<std::byte*>(bytes->base), static_cast<std::size_t>(count)});
        if (count == 0) return; // not now
        self.is_reading_ = false;
        uv_read_stop(from);
        if (count == UV_ENOBUFS) return self.on_no_memory();
        self.on_input_over(count == UV_EOF ? errc::none : errc::connection_lost);
    }

    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle_;
    uv_timer_t timer_;
    uv_shutdown_t ending_;
    std::unique_ptr<stalled> stalled_;
    member member_{*this};
    time_point armed_ = no_deadline;
    int open_handles_ = 2;
    bool is_reading_ = false;
};

/// The connections of a context. It is there from the first one until the last one's memory is gone.
class hub {
public:
    /// nullptr: there is no memory, or no descriptor.
    [[nodiscard]] static hub* open(context& owner, uv_loop_t* loop) noexcept {
        auto* const fresh = new (std::nothrow) hub(owner);
        if (fresh == nullptr) return nullptr;
        const auto on_wake = [](uv_async_t* wake) { static_cast<hub*>(wake->data)->give_turns(); };
        if (uv_async_init(loop, &fresh->wake_, on_wake) == 0) return fresh;
        delete fresh;
        return nullptr;
    }
    hub(const hub&) = delete;
    hub& operator=(const hub&) = delete;

    // ---- the loop's

    [[nodiscard]] uv_loop_t* loop() const noexcept { return wake_.loop; }
    void enter(member& fresh) noexcept {
        ++count_;
        fresh.enter(all_);
    }
    /// Its memory goes; with the last one's, this.
    void leave() noexcept {
        --count_;
        close_if_empty();
    }
    void close_if_empty() noexcept;
    /// The owner goes, and all with it.
    void cut_all() noexcept {
        owner_ = nullptr;
        while (!all_.is_alone()) static_cast<member*>(all_.next)->of->cut();
    }
    /// For one read. Empty: there is no memory.
    [[nodiscard]] uv_buf_t buffer() noexcept;

    // ---- any thread's

    void call(wire& whose) noexcept {
        if (mark(whose)) uv_async_send(&wake_);
    }
    /// Has call() do nothing until forget(). False: it was called before.
    bool mark(wire& whose) noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        if (!whose.is_alone()) return false;
        whose.enter(owed_);
        ++owed_count_;
        return true;
    }
    void forget(wire& whose) noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        if (!whose.is_alone()) --owed_count_;
        whose.leave();
    }

private:
    explicit hub(context& owner) noexcept : owner_(&owner) { wake_.data = this; }
    ~hub() = default;

    void give_turns() {
        for (std::size_t left = count(); left > 0; --left)
            if (wire* const next = take()) next->on_turn();
    }
    [[nodiscard]] std::size_t count() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        return owed_count_;
    }
    [[nodiscard]] wire* take() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        if (owed_count_ == 0) return nullptr;
        --owed_count_;
        auto* const first = static_cast<wire*>(owed_.next);
        first->leave();
        return first;
    }

    uv_async_t wake_;
    context* owner_;
    link all_;
    std::size_t count_ = 0;
    std::mutex lock_;
    link owed_;
    std::size_t owed_count_ = 0;
};

inline wire::wire(hub& of) noexcept : hub_(of) { hub_.enter(member_); }
inline wire::~wire() {
    member_.leave();
    hub_.forget(*this); // the last that called for a turn is gone by now
    hub_.leave();
}
inline void wire::prepare(uv_handle_type type) noexcept {
    uv_loop_t* const loop = hub_.loop();
    // These answer 0, or can't be given a type that they don't know.
    static_cast<void>(uv_timer_init(loop, &timer_));
    static_cast<void>(type == UV_NAMED_PIPE ? uv_pipe_init(loop, &handle_.pipe, 0)
                                            : uv_tcp_init(loop, &handle_.tcp));
    timer_.data = handle_.any.data = this;
}
inline void wire::on_written(int status) {
    const std::unique_ptr<stalled> over = std::move(stalled_);
    if (over->done == nullptr) return;
    // The turn follows here: the loop need not be woken for it.
    hub_.mark(*this);
    write_done::adopt(over->done)(status == 0 ? io_result{io_status::ok, over->size, 0}
                                              : io_result{io_status::failed, 0, status});
    hub_.forget(*this);
    on_turn();
}
inline void wire::lend_buffer(uv_handle_t* asks, std::size_t, uv_buf_t* into) {
    *into = static_cast<wire*>(asks->data)->hub_.buffer();
}

} // namespace detail

/// What the connections of one loop share: a read buffer, and the way to wake the loop. Made and destroyed in the loop's thread;
/// the loop outlives it.
class context {
public:
    explicit context(uv_loop_t* loop) noexcept : loop_(loop) {
#if !defined(_WIN32)
        struct sigaction now{};
        if (::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) {
            now.sa_handler = SIG_IGN;
            ::sigaction(SIGPIPE, &now, nullptr);
        }
#endif
    }
    context(const context&) = delete;
    context& operator=(const context&) = delete;
    /// Cuts off what is left: no Close, no on_finished. The handlers are destroyed in this call, the handles in the loop's next
    /// turn. Don't destroy it inside a handler.
    ~context() {
        if (hub_ != nullptr) hub_->cut_all();
    }

private:
    friend detail::hub;
    friend detail::entry;

    static constexpr std::size_t buffer_size = std::size_t{256} * 1024;

    uv_loop_t* const loop_;
    detail::hub* hub_ = nullptr; ///< while there are connections
    std::unique_ptr<char[]> buffer_;
};

namespace detail {

inline void hub::close_if_empty() noexcept {
    if (count_ > 0) return;
    if (owner_ != nullptr) owner_->hub_ = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&wake_),
             [](uv_handle_t* wake) { delete static_cast<hub*>(wake->data); });
}
inline uv_buf_t hub::buffer() noexcept {
    auto& kept = owner_->buffer_; // there are no reads without an owner
    if (kept == nullptr) kept.reset(new (std::nothrow) char[context::buffer_size]);
    return uv_buf_init(kept.get(), kept == nullptr ? 0 : context::buffer_size);
}

/// A connection that is served.
template <class Handler>
class session final : public wire {
    struct transport {
        void start_write(std::span<const const_bytes> parts, time_point, write_done done) const {
            self->start_write(parts, std::move(done));
        }
        void cancel_write() const noexcept { self->cancel_write(); }
        void finish(end_of_write) const noexcept {}
        void end_output() const noexcept { self->end_output(); }
        void disconnect() const noexcept { self->disconnect(); }
        [[nodiscard]] std::size_t unsent() const noexcept { return self->unsent(); }
        wire* self;
    };
    struct wake { // any thread
        bool operator()() const noexcept {
            of->call(*self);
            return true;
        }
        hub* of;
        wire* self;
    };

public:
    session(hub& of, Handler&& handler, const server_options& options)
        : wire(of), ws_(std::in_place, transport{this}, wake{&of, this}, std::move(handler), options) {}

    void start(connection_group& everyone) {
        settle(ws_->join(everyone) == errc::none ? ws_->run() : ws_->close(close_code::going_away));
    }
    void start(connection_group& everyone, const http_request& parsed, mutable_bytes leftover) {
        if (ws_->join(everyone) != errc::none) return settle(ws_->close(close_code::going_away));
        settle(ws_->take_request(parsed, leftover));
    }
    void on_turn() override {
        if (ws_) settle(ws_->run());
    }
    void cut() noexcept override {
        ws_.reset();
        close_handles();
    }

private:
    void on_read(mutable_bytes bytes) override { settle(ws_->receive(bytes)); }
    void on_input_over(errc why) override { settle(ws_->end_of_input(why)); }
    void on_no_memory() override { settle(ws_->abort(errc::out_of_memory)); }

    void settle(const endpoint_wants& wants) {
        if (wants.finished) return cut();
        call_at(wants.deadline);
        listen_to(wants.read); // the last: it may end here
    }

    std::optional<server_connection<transport, wake, Handler>> ws_;
};

/// The way in.
struct entry {
    template <class Handler, class Open, class... Request>
    static errc serve(context& at, Handler handler, connection_group& everyone, const server_options& options,
                      Open open, const Request&... request) {
        if (at.hub_ == nullptr) at.hub_ = hub::open(at, at.loop_);
        if (at.hub_ == nullptr) return errc::out_of_memory;
        session<Handler>* fresh = nullptr;
        const bool is_made = wsolo::detail::call_hook([&] { // libuv, which calls this, is C
            fresh = new (std::nothrow) session<Handler>(*at.hub_, std::move(handler), options);
        });
        if (!is_made || fresh == nullptr) {
            if (at.hub_ != nullptr) at.hub_->close_if_empty();
            return errc::out_of_memory;
        }
        if (const int error = open(static_cast<wire&>(*fresh)); error != 0) {
            fresh->cut();
            const bool is_short = error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOMEM;
            return is_short ? errc::out_of_memory : errc::connection_lost;
        }
        fresh->start(everyone, request...);
        return errc::none;
    }
};

} // namespace detail

/// Serves one connection that came to `listener`, a TCP handle or a pipe, from its request to its end. Call it in uv_listen's
/// callback when the status is 0. The connection becomes a member of `everyone` when it is open; if that group has closed, the
/// request is answered by 503. Copies `options`. Errors: out_of_memory, also when the handler's move throws: the connection
/// still waits in the listener, and libuv reports no further one before it was taken; connection_lost: the peer had gone.
template <class Handler>
[[nodiscard]] errc serve(uv_stream_t* listener, Handler handler, context& at, connection_group& everyone,
                         const server_options& options = {}) {
    return detail::entry::serve(at, std::move(handler), everyone, options,
                                [&](detail::wire& fresh) { return fresh.open(*listener); });
}

#if !defined(_WIN32)
/// The same for a connected stream whose request the server's own HTTP has read; `leftover` is what it read after the request
/// (connection.hpp, take_request()). The connection uses a copy of the stream's descriptor: stop reading before this call, and
/// uv_close() the stream after it. The views are needed only during the call. Errors: out_of_memory, of descriptors too, and
/// connection_lost; then the stream is unchanged, and yours.
template <class Handler>
[[nodiscard]] errc serve(uv_stream_t* connected, const http_request& parsed, mutable_bytes leftover,
                         Handler handler, context& at, connection_group& everyone,
                         const server_options& options = {}) {
    return detail::entry::serve(
        at, std::move(handler), everyone, options,
        [&](detail::wire& fresh) { return fresh.open_copy(*connected); }, parsed, leftover);
}
#endif

} // namespace wsolo::inline WSOLO_ABI::adapt::libuv
