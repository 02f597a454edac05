// Written by tools/amalgamate.py from include/wsolo/adapt/asio.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// WebSocket in a server or client that runs Asio: over a tcp or local socket, or an ssl::stream over one.
// Needs: asio.hpp (1.22 or later), or Boost.Asio 1.74 or later where WSOLO_USE_BOOST_ASIO is defined, or only it is found.
//
//     asio::io_context loop;
//     wsolo::connection_group everyone;
//     tcp::acceptor acceptor(loop, endpoint);
//     wsolo::adapt::asio::accept(acceptor, everyone, [] { return chat{}; });
//     loop.run(); // after acceptor.close(); everyone.close_all(...): until the last one has left, within its bounds
//
// The same for coroutines: adapt/asio_conversation.hpp.
//
// Laws of this file:
// - A connection runs in its stream's executor, hooks included: a strand where several threads run the context. accept()
//   makes one for each connection.
// - Its operations hold the connection: the timer's wait until the end, a read and a write while they are under way. So it
//   keeps its context running, and nothing of it, an ssl::stream least of all, goes before what uses it. When the context is
//   destroyed first, its connections are cut off by that.
// - One read, one write and one timer at a time. A write names the writer's own bytes. A socket is written to as soon as it can
//   be; what is above a socket by Asio's operations.
// - A large read buffer belongs to the thread, and is lent for what can be read without a wait: all that a socket has, and of an
//   ssl::stream the rest of a record that OpenSSL has decrypted. A connection waits with `small_read_buffer` bytes of its own, or, on
//   a socket while messages come large, with none. While there is no memory for the large one, it reads into the small one alone.
//   Streams that are neither a socket nor an ssl::stream itself wait with `read_buffer` bytes.
// - TLS begins with a handshake, which is nothing when it was made before, and ends with close_notify. All of that is bounded.

#include "../wsolo.hpp"

#include "detail/asio_choice.hpp"

#if WSOLO_ASIO_IS_BOOST
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#else
#include <asio/basic_stream_socket.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/dispatch.hpp>
#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#endif
#if !defined(_WIN32)
#include "posix.hpp"
#endif

#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

// ssl::stream's name, not its header: that needs OpenSSL.
#if WSOLO_ASIO_IS_BOOST
namespace boost::asio {
#if defined(BOOST_ASIO_INLINE_NAMESPACE_BEGIN)
BOOST_ASIO_INLINE_NAMESPACE_BEGIN
#endif
namespace ssl {
template <typename Stream>
class stream;
}
#if defined(BOOST_ASIO_INLINE_NAMESPACE_END)
BOOST_ASIO_INLINE_NAMESPACE_END
#endif
} // namespace boost::asio
#else
namespace asio {
#if defined(ASIO_INLINE_NAMESPACE_BEGIN)
ASIO_INLINE_NAMESPACE_BEGIN
#endif
namespace ssl {
template <typename Stream>
class stream;
}
#if defined(ASIO_INLINE_NAMESPACE_END)
ASIO_INLINE_NAMESPACE_END
#endif
} // namespace asio
#endif

namespace wsolo::inline WSOLO_ABI::adapt::asio::inline WSOLO_ASIO_CHOICE {

using error_code = decltype(net::error::make_error_code(net::error::eof));

/// Bytes of each connection, to wait with: a small message.
inline constexpr std::size_t small_read_buffer = 128;
/// The same where the stream is neither a socket nor an ssl::stream itself, as those of Beast.
inline constexpr std::size_t read_buffer = std::size_t{16} * 1024;

namespace detail {

template <class Stream>
inline constexpr bool is_socket = false;
template <class Protocol, class Executor>
inline constexpr bool is_socket<net::basic_stream_socket<Protocol, Executor>> = true;

/// Whether it is net::ssl::stream itself: a class that is built on one may hold decrypted bytes of its own.
template <class Stream>
inline constexpr bool is_ssl_stream = false;
template <class Next>
inline constexpr bool is_ssl_stream<net::ssl::stream<Next>> = true;

/// The socket below: of an ssl::stream, of Beast's streams, of a socket itself.
template <class Stream>
[[nodiscard]] auto& socket_of(Stream& stream) noexcept {
    if constexpr (is_socket<Stream>) {
        return stream;
    } else if constexpr (requires { stream.socket(); }) {
        return stream.socket();
    } else {
        return socket_of(stream.next_layer());
    }
}

/// A buffer for one read. The thread keeps it for the next one; a read inside of a read gets another.
class thread_buffer {
public:
    thread_buffer() : bytes_(std::move(kept())) {
        if (!bytes_) bytes_.reset(new (std::nothrow) std::byte[size_]);
    }
    thread_buffer(const thread_buffer&) = delete;
    thread_buffer& operator=(const thread_buffer&) = delete;
    ~thread_buffer() {
        if (size_ == size()) kept() = std::move(bytes_);
    }

    /// `otherwise` when there is no memory.
    [[nodiscard]] mutable_bytes view(mutable_bytes otherwise) const noexcept {
        return bytes_ ? mutable_bytes(bytes_.get(), size_) : otherwise;
    }

    static void resize(std::size_t bytes) noexcept {
        size() = bytes > small_read_buffer ? bytes : small_read_buffer + 1;
        kept().reset();
    }

private:
    using bytes = std::unique_ptr<std::byte[]>; // NOLINT(cppcoreguidelines-avoid-c-arrays)
    static std::size_t& size() noexcept {
        static thread_local std::size_t of_this_thread = std::size_t{256} * 1024;
        return of_this_thread;
    }
    static bytes& kept() noexcept {
        static thread_local bytes of_this_thread;
        return of_this_thread;
    }
    const std::size_t size_ = size();
    bytes bytes_;
};

/// The stream's end, rather than its failure. (TLS without a close_notify is an end too: what follows a WebSocket's Close, or
/// does not, says whether it was cut.)
[[nodiscard]] inline bool is_end(const error_code& error) noexcept {
    return error == net::error::eof || std::string_view(error.category().name()) == "asio.ssl.stream";
}

/// The transport of a socket: a write is over when it returns.
template <class Session>
struct socket_wire {
    io_result write(std::span<const const_bytes> parts, time_point) { return session->write(parts); }
    void finish(end_of_write) noexcept {}
    void end_output() { session->end_output(); }
    void disconnect() { session->disconnect(); }
    [[nodiscard]] std::size_t unsent() const noexcept { return session->unsent(); }
    /// For a handler, `e.transport().stream()`: to ask it, for a peer's address or certificate, and to set options. Reads, writes
    /// and ends are the session's. In the stream's executor; it lives as long as the endpoint.
    [[nodiscard]] auto& stream() const noexcept { return session->stream(); }

    Session* session;
};

/// The transport of other streams: a write says later that it is over.
template <class Session>
struct stream_wire {
    void start_write(std::span<const const_bytes> parts, time_point, write_done done) {
        session->start_write(parts, std::move(done));
    }
    void cancel_write() { session->cancel_operations(); }
    void finish(end_of_write) noexcept {}
    void end_output() { session->end_output(); }
    void disconnect() { session->disconnect(); }
    [[nodiscard]] std::size_t unsent() const noexcept { return session->unsent(); }
    /// For a handler, `e.transport().stream()`: to ask it, for a peer's address or certificate, and to set options. Reads, writes
    /// and ends are the session's. In the stream's executor; it lives as long as the endpoint.
    [[nodiscard]] auto& stream() const noexcept { return session->stream(); }

    Session* session;
};

/// The parts of a write as Asio wants them, without memory of their own.
template <std::size_t Most>
class gathered {
public:
    using value_type = net::const_buffer;
    using const_iterator = const net::const_buffer*;
    explicit gathered(std::span<const const_bytes> parts) noexcept {
        for (const const_bytes part : parts.first(parts.size() < Most ? parts.size() : Most))
            buffers_[count_++] = net::const_buffer(part.data(), part.size());
    }
    [[nodiscard]] const_iterator begin() const noexcept { return buffers_.data(); }
    [[nodiscard]] const_iterator end() const noexcept { return buffers_.data() + count_; }

private:
    std::array<net::const_buffer, Most> buffers_;
    std::size_t count_ = 0;
};

/// Neither success nor failure of an operation that does not wait.
[[nodiscard]] inline bool says_not_now(const error_code& error) noexcept {
    return error == net::error::would_block || error == net::error::try_again ||
           error == net::error::interrupted || error == net::error::no_buffer_space ||
           error == net::error::no_memory;
}

template <class Session>
struct wake {
    bool operator()() const { return session->ask(); }
    Session* session;
};

/// The user's handler, in a session that wants to know when the connection is open. (No name in it is likely to be one of the
/// user's, which it would hide.)
template <class Session, class Handler>
struct tells_of_opening : Handler {
    static_assert(std::is_class_v<Handler> && !std::is_final_v<Handler>,
                  "a handler is a class that may be derived from");

    void on_upgraded(auto& endpoint_) {
        wsolo_session_->tell_open();
        if constexpr (wsolo::detail::has_on_upgraded<Handler, std::remove_reference_t<decltype(endpoint_)>>)
            Handler::on_upgraded(endpoint_);
    }

    Session* wsolo_session_;
};

/// For a session that reports its opening to no caller.
struct unasked {
    void operator()(errc) const noexcept {}
};

/// A connection and its stream. Everything but ask() is the stream's executor's. `Opened` is called once, with none when the
/// connection is open, or with why it never was.
template <class Stream, role Self, class Handler, class Opened, class Traits = std_blocking_traits>
class session final : public std::enable_shared_from_this<session<Stream, Self, Handler, Opened, Traits>> {
    using hooks = tells_of_opening<session, Handler>;
    using group_type = basic_connection_group<Traits>;
    using wire = std::conditional_t<is_socket<Stream>, socket_wire<session>, stream_wire<session>>;
    using connection =
        std::conditional_t<Self == role::server,
                           server_connection<wire, wake<session>, hooks, in_the_loop, Traits>,
                           client_connection<wire, wake<session>, hooks, client_side<>, in_the_loop, Traits>>;
    using executor = std::decay_t<decltype(std::declval<Stream&>().get_executor())>;
    using timer = net::basic_waitable_timer<std::chrono::steady_clock,
                                            net::wait_traits<std::chrono::steady_clock>, executor>;
    static constexpr bool is_tls =
        requires(Stream& stream, void (*over)(const error_code&)) { stream.async_shutdown(over); };

    /// `opening`: until the stream can carry a WebSocket. `leaving`: only close_notify is waited for.
    enum class phase : std::uint8_t { opening, running, leaving, gone };
    enum class tls_end : std::uint8_t { none, due, under_way, over };

public:
    /// `rest`: what a server_connection, or a client_connection, is made with. Its views are not needed any more.
    template <class Options, class... Rest>
    session(Stream stream, group_type* group, Handler handler, Opened opened, const Options& options,
            const Rest&... rest)
        : stream_(std::move(stream)),
          timer_(stream_.get_executor(), deadline_after(now(), bound_of(options.handshake_timeout))),
          linger_(bound_of(options.ending.linger_timeout)),
          group_(group),
          opened_(std::move(opened)),
          ws_(wire{this}, wake<session>{this}, hooks{std::move(handler), this}, rest..., options) {}
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // ---- the beginning: one of these, once

    /// The stream is connected.
    void start() {
        in_executor([](session& self) { self.secure(); });
    }
    /// Connects it.
    template <class Endpoints>
    void start(Endpoints where) {
        in_executor([where = std::move(where)](session& self) {
            net::async_connect(socket_of(self.stream_), where,
                               [kept = self.shared_from_this()](const error_code& error, const auto&) {
                                   error ? kept->fail(errc::connection_lost) : kept->secure();
                               });
        });
    }
    /// Another server has read the request. In the stream's executor; the views are needed only during the call.
    void start_with(const http_request& parsed, mutable_bytes leftover)
        requires(Self == role::server)
    {
        keep_time();
        prepare();
        watch(ws_.take_request(parsed, leftover));
    }

    // ---- the connection's

    [[nodiscard]] Stream& stream() noexcept { return stream_; }

    /// The schedule hook. Any thread, which holds the connection by a guard of its own and must not be the one to destroy it: what
    /// it takes hold of goes to the executor whole.
    bool ask() {
        if (is_asked_.exchange(true, std::memory_order_acq_rel)) return true;
        auto self = this->weak_from_this().lock();
        if (!self) return false;
        const bool is_posted = wsolo::detail::call_hook(
            [&] { net::post(stream_.get_executor(), [self = std::move(self)] { self->turn(); }); });
        if (!is_posted)
            is_asked_.store(false, std::memory_order_release); // no memory: the next one asks again
        return is_posted;
    }

    void tell_open() {
        is_opening_over_ = true;
        opened_(errc::none);
    }

    io_result write(std::span<const const_bytes> parts)
        requires is_socket<Stream>
    {
        error_code error;
        const std::size_t bytes = stream_.write_some(gathered<64>(parts), error);
        if (!error) return {bytes == 0 ? io_status::would_block : io_status::ok, bytes, 0};
        return {says_not_now(error) ? io_status::would_block : io_status::failed, 0, error.value()};
    }
    void start_write(std::span<const const_bytes> parts, write_done done)
        requires(!is_socket<Stream>)
    {
        write_over over{this->shared_from_this(), std::move(done)};
        if (parts.size() == 1)
            return stream_.async_write_some(net::const_buffer(parts[0].data(), parts[0].size()),
                                            std::move(over));
        stream_.async_write_some(gathered<16>(parts), std::move(over));
    }
    /// The write in flight ends; a read does too, and begins again.
    void cancel_operations() noexcept {
        error_code ignored;
        socket_of(stream_).cancel(ignored);
    }
    void end_output() {
        if constexpr (is_tls) {
            tls_end_ = tls_end::due;
            tls_end_by_ = deadline_after(now(), linger_);
            if (!is_reading_) return end_tls();
            cancel_operations();
        } else {
            shut(Socket::shutdown_send);
        }
    }
    void disconnect() noexcept {
        if (!is_ending_tls()) shut(Socket::shutdown_both);
    }
    [[nodiscard]] std::size_t unsent() noexcept {
#if defined(SIOCOUTQ)
        return posix_socket(static_cast<int>(socket_of(stream_).native_handle())).unsent();
#else
        return 0;
#endif
    }

private:
    using Socket = std::remove_reference_t<decltype(socket_of(std::declval<Stream&>()))>;
    static_assert(is_socket<Socket>, "the lowest layer of a stream is a socket");

    struct write_over {
        void operator()(const error_code& error, std::size_t bytes) {
            // The turn follows here, so that what `done` asks for need not be posted.
            self->is_asked_.store(true, std::memory_order_relaxed);
            done({error ? io_status::failed : io_status::ok, bytes, error.value()});
            self->turn();
        }
        std::shared_ptr<session> self; ///< goes after `done`, which may still ask
        write_done done;
    };

    [[nodiscard]] static time_point now() noexcept { return std::chrono::steady_clock::now(); }

    template <class Begin>
    void in_executor(Begin begin) {
        net::dispatch(stream_.get_executor(), [self = this->shared_from_this(), begin = std::move(begin)] {
            self->keep_time();
            begin(*self);
        });
    }

    // ---- opening

    void prepare() {
        phase_ = phase::running;
        error_code ignored;
        auto& socket = socket_of(stream_);
        socket.non_blocking(true, ignored);
        if constexpr (std::is_same_v<typename Socket::protocol_type, net::ip::tcp>)
            socket.set_option(net::ip::tcp::no_delay(true), ignored); // a write is whole frames already
        if (group_ != nullptr && ws_.join(*group_) != errc::none)
            static_cast<void>(ws_.close(close_code::going_away)); // it closes: 503
    }
    void secure() {
        if (phase_ != phase::opening) return;
        if constexpr (is_tls) {
            stream_.async_handshake(Self == role::server ? Stream::server : Stream::client,
                                    [self = this->shared_from_this()](const error_code& error) {
                                        error ? self->fail(errc::connection_lost) : self->run();
                                    });
        } else {
            run();
        }
    }
    void run() {
        if (phase_ != phase::opening) return;
        prepare();
        watch(ws_.run());
    }
    /// The stream can't carry it.
    void fail(errc why) {
        if (phase_ == phase::opening) watch(ws_.abort(why));
    }

    // ---- turns

    void turn() {
        is_asked_.exchange(false, std::memory_order_acq_rel);
        if (phase_ == phase::running) watch(ws_.run());
    }

    void watch(const endpoint_wants& wants) {
        is_wanted_ = wants.read;
        if (wants.finished) return finish();
        if (wants.deadline != timer_.expiry()) timer_.expires_at(wants.deadline);
        if (is_wanted_ && !is_reading_ && !is_ending_tls()) read();
        if (is_socket<Stream> && wants.write && !std::exchange(is_writing_, true))
            socket_of(stream_).async_wait(Socket::wait_write,
                                          [self = this->shared_from_this()](const error_code&) {
                                              self->is_writing_ = false;
                                              self->turn();
                                          });
    }

    /// The timer always waits, so that the connection is held to its end; a new time ends a wait, and it waits again.
    void keep_time() {
        timer_.async_wait([self = this->shared_from_this()](const error_code&) { self->on_time(); });
    }
    void on_time() {
        if (phase_ != phase::gone && now() >= timer_.expiry()) {
            if (phase_ == phase::opening) fail(errc::handshake_timeout);
            if (phase_ == phase::leaving) close();
            if (tls_end_ == tls_end::due) cancel_operations(); // the read went on in the middle of a record
            turn();
        }
        if (phase_ != phase::gone) keep_time();
    }

    // ---- in

    /// A wait for a socket costs a system call of Asio's reactor, a read costs none until something is there, but needs memory
    /// of the connection's own. So only small messages, which come one at a time, are read without a wait, into `buffer_`.
    void read() {
        is_reading_ = true;
        if (std::exchange(is_kept_, false)) {
            net::post(stream_.get_executor(),
                      [self = this->shared_from_this()] { self->on_read(self->kept_error_, self->kept_); });
        } else if (comes_large_ || tls_end_ == tls_end::over) {
            socket_of(stream_).async_wait(
                Socket::wait_read,
                [self = this->shared_from_this()](const error_code& error) { self->on_readable(error); });
        } else {
            stream_.async_read_some(net::buffer(buffer_), [self = this->shared_from_this()](
                                                              const error_code& error, std::size_t bytes) {
                self->on_read(error, bytes);
            });
        }
    }
    /// After what ended a read but not the stream.
    void read_again() {
        if (is_wanted_ && !is_ending_tls()) read();
    }

    /// Once something can be read from the socket itself.
    void on_readable(const error_code& failure) {
        is_reading_ = false;
        if (phase_ != phase::running) return;
        if (!is_wanted_ || failure == net::error::operation_aborted) return read_again();
        if (failure) return take(failure, {});
        read_all(0);
    }
    /// Into the thread's buffer, after `read` bytes that are in `buffer_` already.
    void read_all(std::size_t read) {
        const thread_buffer lent;
        const mutable_bytes room = lent.view(buffer_);
        std::memmove(room.data(), buffer_.data(), read); // may be the same
        error_code error;
        const std::size_t bytes = read_at_once(room.subspan(read), error);
        const bool is_over = error && !says_not_now(error);
        if (read == 0 && bytes == 0 && !is_over) return read_again();
        if constexpr (is_socket<Stream>) comes_large_ = read + bytes > buffer_.size();
        if (is_over && read != 0) keep(error, 0);
        take(error, room.first(read + bytes));
    }
    std::size_t read_at_once(mutable_bytes into, error_code& error) {
        if constexpr (is_ssl_stream<Stream>)
            if (tls_end_ != tls_end::over) return read_rest_of_record(into);
        return socket_of(stream_).read_some(net::buffer(into.data(), into.size()), error);
    }
    /// OpenSSL, whose functions are found by their argument's type, only copies what it has decrypted. It neither reads nor writes
    /// for that, so that a write in flight is not concerned. (The stream's own read_some() would go on to the socket.)
    std::size_t read_rest_of_record(mutable_bytes into) noexcept {
        auto* const tls = stream_.native_handle();
        const auto decrypted = static_cast<std::size_t>(SSL_pending(tls));
        const std::size_t most = decrypted < into.size() ? decrypted : into.size();
        const int bytes = most == 0 ? 0 : SSL_read(tls, into.data(), static_cast<int>(most));
        return bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
    }

    /// Once the stream has brought something.
    void on_read(const error_code& error, std::size_t bytes) {
        is_reading_ = false;
        if (phase_ == phase::gone) return;
        if (tls_end_ == tls_end::due) return end_tls(); // what it brought is of no interest any more
        if (phase_ != phase::running) return;
        if (bytes == 0 && error == net::error::operation_aborted) return read_again();
        if (!is_wanted_) return keep(error, bytes);
        if constexpr (is_socket<Stream> || is_ssl_stream<Stream>)
            if (bytes == buffer_.size()) return read_all(bytes); // there may be more
        take(error, mutable_bytes(buffer_).first(bytes));
    }
    /// For the next read().
    void keep(const error_code& error, std::size_t bytes) noexcept {
        kept_ = bytes;
        kept_error_ = error;
        is_kept_ = true;
    }

    void take(const error_code& error, mutable_bytes bytes) {
        if (!bytes.empty()) return watch(ws_.receive(bytes)); // an error will come again
        watch(ws_.end_of_input(is_end(error) ? errc::none : errc::connection_lost));
    }

    // ---- the end

    [[nodiscard]] bool is_ending_tls() const noexcept {
        return tls_end_ == tls_end::due || tls_end_ == tls_end::under_way;
    }
    void end_tls() {
        if constexpr (is_tls) {
            tls_end_ = tls_end::under_way;
            stream_.async_shutdown(
                [self = this->shared_from_this()](const error_code& error) { self->on_tls_ended(error); });
        }
    }
    /// The peer said it too; or it did not, and what it still sends is read from the socket and thrown away.
    void on_tls_ended(const error_code& error) {
        tls_end_ = tls_end::over;
        shut(Socket::shutdown_send);
        if (phase_ == phase::leaving) return close();
        if (phase_ != phase::running) return;
        is_kept_ = false;
        if (error && !is_end(error)) return read_again();
        watch(ws_.end_of_input());
    }

    void finish() {
        if (phase_ >= phase::leaving) return;
        phase_ = phase::leaving;
        if (!std::exchange(is_opening_over_, true)) {
            const errc why = ws_.how_it_ended().reason;
            static_cast<void>(
                wsolo::detail::call_hook([&] { opened_(why == errc::none ? errc::aborted : why); }));
        }
        if (!is_ending_tls()) return close();
        timer_.expires_at(tls_end_by_);
    }
    void close() {
        phase_ = phase::gone;
        error_code ignored;
        socket_of(stream_).close(ignored);
        timer_.cancel();
    }
    void shut(typename Socket::shutdown_type which) noexcept {
        error_code ignored;
        socket_of(stream_).shutdown(which, ignored);
    }

    Stream stream_;
    timer timer_;
    const duration linger_;
    time_point tls_end_by_ = no_deadline;
    std::atomic<bool> is_asked_{false};
    phase phase_ = phase::opening;
    tls_end tls_end_ = tls_end::none;
    bool is_wanted_ = false; ///< what a read would bring
    bool is_reading_ = false;
    bool is_writing_ = false; ///< it is waited until the socket takes more
    bool is_opening_over_ = false;
    bool is_kept_ = false; ///< what a read brought is still to be taken
    bool comes_large_ = is_socket<Stream>;
    std::size_t kept_ = 0;
    error_code kept_error_;
    std::array<std::byte, is_socket<Stream> || is_ssl_stream<Stream> ? small_read_buffer : read_buffer>
        buffer_;
    group_type* const group_;
    [[no_unique_address]] Opened opened_;
    connection ws_; ///< the last: what it does at its end finds the others
};

} // namespace detail

/// Bytes that one read of a socket may bring in this thread, which has one buffer of that size for all its connections: 256 KiB
/// unless it is said. Peers that send much are served with fewer system calls by a larger one. For the threads that run a context,
/// each for itself, before or in a handler.
inline void set_thread_read_buffer(std::size_t bytes) noexcept { detail::thread_buffer::resize(bytes); }

/// A server's connection on a connected stream. It becomes a member of `group` when it is open (once the group closes, a
/// request is answered by 503), and ends by itself. `group` outlives the context's run. Any thread, before and while the
/// context runs. Copies `options`. One allocation, and Asio's for its operations. With a group of one_thread_traits the connection
/// has them too: one thread runs the context, and no other one touches them, serve() included.
template <class Stream, class Handler, class Traits>
void serve(Stream stream, Handler handler, basic_connection_group<Traits>& group,
           const server_options& options = {}) {
    using session = detail::session<Stream, role::server, Handler, detail::unasked, Traits>;
    std::make_shared<session>(std::move(stream), &group, std::move(handler), detail::unasked(), options)
        ->start();
}

/// The same for a request that the server's own HTTP has read, and what it read after it (connection.hpp, take_request()). TLS
/// has been agreed on. In the stream's executor; the views are needed only during the call.
template <class Stream, class Handler, class Traits>
void serve(Stream stream, const http_request& parsed, mutable_bytes leftover, Handler handler,
           basic_connection_group<Traits>& group, const server_options& options = {}) {
    using session = detail::session<Stream, role::server, Handler, detail::unasked, Traits>;
    std::make_shared<session>(std::move(stream), &group, std::move(handler), detail::unasked(), options)
        ->start_with(parsed, leftover);
}

/// A client's connection: connects `stream` to the first of `where` that answers (a resolver's results, or another sequence of
/// endpoints), agrees on TLS if it has it, asks. All of it within options.handshake_timeout. `opened(errc)` is called once, in the
/// stream's executor: none when the connection is open, or why it never was. The views of `request` are needed only during the
/// call. What TLS asks for (the server's name, its verification) is the stream's owner's to set before.
template <class Stream, class Endpoints, class Handler, class Opened = detail::unasked>
void connect(Stream stream, Endpoints where, Handler handler, const client_request& request,
             const client_options& options = {}, Opened opened = {}) {
    using session = detail::session<Stream, role::client, Handler, Opened>;
    std::make_shared<session>(std::move(stream), nullptr, std::move(handler), std::move(opened), options,
                              request)
        ->start(std::move(where));
}

/// The same on a stream that is connected.
template <class Stream, class Handler, class Opened = detail::unasked>
void connect(Stream stream, Handler handler, const client_request& request,
             const client_options& options = {}, Opened opened = {}) {
    using session = detail::session<Stream, role::client, Handler, Opened>;
    std::make_shared<session>(std::move(stream), nullptr, std::move(handler), std::move(opened), options,
                              request)
        ->start();
}

/// A server's options, and where the connections of one accept() run.
struct listen_options : server_options {
    /// Each connection runs in a strand of its own. False: in the acceptor's executor, for a context that one thread runs.
    bool strands = true;
};

namespace detail {

/// A socket is its own stream.
struct as_it_is {
    template <class Socket>
    Socket operator()(Socket&& socket) const {
        return std::forward<Socket>(socket);
    }
};

template <class Acceptor, class Group, class Factory, class Wrap>
class listener : public std::enable_shared_from_this<listener<Acceptor, Group, Factory, Wrap>> {
    using executor = typename Acceptor::executor_type;
    using strand = net::strand<executor>;
    /// The connections' executors have the acceptor's type, where a strand fits into that.
    using connection_executor = std::conditional_t<std::is_convertible_v<strand, executor>, executor, strand>;

public:
    listener(Acceptor& from, Group& group, Factory make, const listen_options& options, Wrap wrap)
        : from_(from),
          group_(group),
          make_(std::move(make)),
          options_(shared_options(options)),
          wrap_(std::move(wrap)),
          pause_(from.get_executor()) {}

    void next() {
        if (!from_.is_open()) return;
        const auto take = [self = this->shared_from_this()](const error_code& error, auto socket) {
            self->on_accepted(error, std::move(socket));
        };
        if (options_.strands) {
            from_.async_accept(connection_executor(net::make_strand(from_.get_executor())), take);
        } else {
            from_.async_accept(take);
        }
    }

private:
    template <class Socket>
    void on_accepted(const error_code& error, Socket socket) {
        if (error == net::error::operation_aborted) return; // closed; it may be gone
        if (!error) {
            static_cast<void>(wsolo::detail::call_hook([&] { begin(std::move(socket)); }));
            return next();
        }
        if (error == net::error::connection_aborted) return next();
        // Too many descriptors, or no memory: those that are there may go meanwhile.
        pause_.expires_after(std::chrono::milliseconds(100));
        pause_.async_wait([self = this->shared_from_this()](const error_code&) { self->next(); });
    }
    template <class Socket>
    void begin(Socket socket) {
        if constexpr (std::is_invocable_v<Factory&, const Socket&>) {
            auto handler = make_(std::as_const(socket));
            serve(wrap_(std::move(socket)), std::move(handler), group_, options_);
        } else {
            serve(wrap_(std::move(socket)), make_(), group_, options_);
        }
    }

    Acceptor& from_;
    Group& group_;
    Factory make_;
    const listen_options options_;
    Wrap wrap_;
    net::basic_waitable_timer<std::chrono::steady_clock, net::wait_traits<std::chrono::steady_clock>,
                              executor>
        pause_;
};

} // namespace detail

/// Serves whatever connects, until `acceptor.close()`. The acceptor, which is used in its executor, and `group` outlive the
/// context's run. `make` makes each connection's handler, from nothing or from the accepted socket (a const reference), and
/// `wrap` its stream: `[&](tcp::socket&& s) { return ssl::stream<tcp::socket>(std::move(s), tls); }`. What they throw drops
/// that connection. While the system has no descriptor to give, it is asked again ten times a second. A group of
/// one_thread_traits: see serve(); `options.strands` is then false, too.
template <class Acceptor, class Traits, class Factory, class Wrap = detail::as_it_is>
void accept(Acceptor& acceptor, basic_connection_group<Traits>& group, Factory make,
            const listen_options& options = {}, Wrap wrap = {}) {
    using listener = detail::listener<Acceptor, basic_connection_group<Traits>, Factory, Wrap>;
    auto made = std::make_shared<listener>(acceptor, group, std::move(make), options, std::move(wrap));
    net::dispatch(acceptor.get_executor(), [made] { made->next(); });
}

} // namespace wsolo::inline WSOLO_ABI::adapt::asio::inline WSOLO_ASIO_CHOICE
