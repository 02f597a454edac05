// Written by tools/amalgamate.py from include/wsolo/adapt/openssl.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// TLS by OpenSSL for adapt/poll.hpp: a session over a socket takes the socket's place.
// Needs: openssl/ssl.h (1.1.1 or later), and to be linked with OpenSSL's libraries ssl and crypto.
//
//     wsolo::adapt::openssl::context secrets("chain.pem", "key.pem");        // or an SSL_CTX of your own
//     if (!secrets) return 1;                                                // secrets.why()
//     const wsolo::adapt::openssl::secured wrap(secrets.get());
//     loop.accept(listening, everyone, [] { return chat{}; }, options, wrap);
//     poll::serve(fd, chat{}, everyone, options, wrap);
//
// Laws of this file:
// - A session has one owner for both directions, the loop: a write that waits for readability, or a read that waits for
//   writability, is what the loop watches the descriptor for.
// - Bytes that OpenSSL has encrypted count as taken: a record that did not fit into the socket is kept here, at most one of
//   16 KiB, and leaves before anything else. So the writer may put a PONG before the rest of a message, as on a socket.
// - The output ends with close_notify and then TCP's FIN. After that the peer is read to its end. A peer's stream that ends
//   without close_notify was cut off (errc::connection_lost), unless its Close had come before. (adapt/asio.hpp takes that for
//   an end, because many peers leave close_notify out, and a WebSocket's Close says whether all has come.)
// - A write that failed ends only this side's output: what the peer sent before is still read.
// - The TLS handshake is a part of the first reads, bounded by options.handshake_timeout. Renegotiation is refused.
// - The descriptor becomes non-blocking. SIGPIPE is not raised, unless SSL_OP_ENABLE_KTLS is set: then OpenSSL writes by itself.

#include "poll.hpp"

#if !__has_include(<openssl/ssl.h>)
#error                                                                                                       \
    "wsolo: adapt/openssl.hpp needs OpenSSL's headers (openssl/ssl.h); install libssl-dev, or OpenSSL, first"
#endif

#include <cstring>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string>

namespace wsolo::inline WSOLO_ABI::adapt::openssl {

namespace detail {

struct deleter {
    void operator()(SSL* which) const noexcept { ::SSL_free(which); }
    void operator()(SSL_CTX* which) const noexcept { ::SSL_CTX_free(which); }
    void operator()(BIO_METHOD* which) const noexcept { ::BIO_meth_free(which); }
};

/// OpenSSL's own, whose write() would raise SIGPIPE.
inline int send_without_signal(BIO* to, const char* data, int size) noexcept {
    ::BIO_clear_retry_flags(to);
    const auto sent =
        ::send(static_cast<int>(::BIO_get_fd(to, nullptr)), data, static_cast<std::size_t>(size),
#if defined(MSG_NOSIGNAL)
               MSG_NOSIGNAL
#else
               0 // posix_socket has set SO_NOSIGPIPE
#endif
        );
    if (sent < 0 && ::BIO_sock_should_retry(-1) != 0) ::BIO_set_retry_write(to);
    return static_cast<int>(sent);
}

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // the getters, from OpenSSL 3.5 on
#endif
inline const BIO_METHOD* socket_method() noexcept {
    static const std::unique_ptr<BIO_METHOD, deleter> made = [] {
        const BIO_METHOD* const own = ::BIO_s_socket();
        std::unique_ptr<BIO_METHOD, deleter> fresh(::BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE"));
        if (fresh != nullptr) {
            ::BIO_meth_set_write(fresh.get(), &send_without_signal);
            ::BIO_meth_set_read(fresh.get(), ::BIO_meth_get_read(own));
            ::BIO_meth_set_puts(fresh.get(), ::BIO_meth_get_puts(own));
            ::BIO_meth_set_ctrl(fresh.get(), ::BIO_meth_get_ctrl(own));
            ::BIO_meth_set_create(fresh.get(), ::BIO_meth_get_create(own));
            ::BIO_meth_set_destroy(fresh.get(), ::BIO_meth_get_destroy(own));
        }
        return fresh;
    }();
    return made.get();
}
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

} // namespace detail

/// A server's certificate and key, and what wsolo asks of TLS: version 1.2 or later, http/1.1 where the client lists protocols
/// (ALPN), no renegotiation. Any thread may make sessions of it; it must outlive them all.
class context {
public:
    /// The names of files in PEM: the certificate with its chain, and the key. Read here.
    context(const char* chain, const char* key) noexcept : made_(::SSL_CTX_new(::TLS_server_method())) {
        if (made_ == nullptr) return;
        ::SSL_CTX_set_min_proto_version(made_.get(), TLS1_2_VERSION);
        ::SSL_CTX_set_options(made_.get(), SSL_OP_NO_RENEGOTIATION);
        ::SSL_CTX_set_alpn_select_cb(made_.get(), &choose_http, nullptr);
        if (::SSL_CTX_use_certificate_chain_file(made_.get(), chain) != 1 ||
            ::SSL_CTX_use_PrivateKey_file(made_.get(), key, SSL_FILETYPE_PEM) != 1 ||
            ::SSL_CTX_check_private_key(made_.get()) != 1)
            made_.reset();
    }

    [[nodiscard]] explicit operator bool() const noexcept { return made_ != nullptr; }
    /// The SSL_CTX, to set further options of OpenSSL: SSL_OP_ENABLE_KTLS, client certificates, session tickets.
    [[nodiscard]] SSL_CTX* get() const noexcept { return made_.get(); }
    /// OpenSSL's text for the last failure of this thread.
    [[nodiscard]] static std::string why() {
        char text[256] = "";
        ::ERR_error_string_n(::ERR_peek_last_error(), text, sizeof text);
        return text;
    }

private:
    static int choose_http(SSL*, const unsigned char** chosen, unsigned char* size,
                           const unsigned char* offered, unsigned offered_size, void*) noexcept {
        static constexpr unsigned char http[] = "\x08http/1.1";
        unsigned char* found = nullptr;
        const int answer =
            ::SSL_select_next_proto(&found, size, http, sizeof http - 1, offered, offered_size);
        *chosen = found;
        return answer == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    std::unique_ptr<SSL_CTX, detail::deleter> made_;
};

/// A poll::stream. Everything belongs to the loop's thread. It owns the session; the descriptor stays the loop's, and outlives it.
class tls_stream {
    class end;

public:
    /// `session`, of either role and not connected to anything yet, becomes the stream's; nullptr: each read fails.
    tls_stream(int descriptor, SSL* session) noexcept : socket_(descriptor), session_(session) {
        ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
        const BIO_METHOD* const method = session == nullptr       ? nullptr
                                         : is_for_kernel(session) ? ::BIO_s_socket()
                                                                  : detail::socket_method();
        BIO* const wire = method == nullptr ? nullptr : ::BIO_new(method);
        is_broken_ = is_output_broken_ = wire == nullptr;
        if (is_broken_) return;
        ::BIO_set_fd(wire, descriptor, BIO_NOCLOSE);
        ::SSL_set_bio(session_.get(), wire, wire);
        ::SSL_set_mode(session_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                           SSL_MODE_RELEASE_BUFFERS);
        ::SSL_set_options(session_.get(), SSL_OP_NO_RENEGOTIATION);
    }
    tls_stream(const tls_stream&) = delete;
    tls_stream& operator=(const tls_stream&) = delete;

    poll::read_result read(mutable_bytes into) noexcept {
        if (is_broken_) return {poll::read_status::failed};
        std::size_t count = 0;
        while (count < into.size()) {
            std::size_t more = 0;
            ::ERR_clear_error();
            const int answer = ::SSL_read_ex(session_.get(), into.data() + count, into.size() - count, &more);
            if (answer == 1) {
                count += more;
                continue;
            }
            if (const auto needed = needs_of(answer, is_broken_)) {
                read_needs_ = *needed;
                has_read_ahead_ = false;
                return {count > 0 ? poll::read_status::some : poll::read_status::not_now, count};
            }
            if (count > 0) break; // the next read says the end
            return {is_broken_ ? poll::read_status::failed : poll::read_status::end};
        }
        has_read_ahead_ = true;
        return {poll::read_status::some, count};
    }
    [[nodiscard]] end writing_end() noexcept;
    [[nodiscard]] unsigned read_needs() const noexcept { return read_needs_; }
    [[nodiscard]] unsigned write_needs() const noexcept { return write_needs_; }
    [[nodiscard]] bool has_read_ahead() const noexcept { return has_read_ahead_; }
    [[nodiscard]] bool has_unwritten() const noexcept { return kept_size_ > 0 || owes_close_notify_; }
    void flush() noexcept {
        if (write_kept() == poll::read_status::not_now) return;
        if (owes_close_notify_) send_close_notify();
        if (is_left_ && !has_unwritten()) socket_.disconnect();
    }

    /// The session, to ask OpenSSL for the peer's certificate, the protocol, the cipher. It lives as long as the stream.
    [[nodiscard]] SSL* session() const noexcept { return session_.get(); }

private:
    static constexpr std::size_t record = 16 * 1024;

    /// Whether kernel TLS is wanted: OpenSSL's alerts then need its own write().
    static bool is_for_kernel([[maybe_unused]] const SSL* session) noexcept {
#if defined(SSL_OP_ENABLE_KTLS)
        return (::SSL_get_options(session) & SSL_OP_ENABLE_KTLS) != 0;
#else
        return false;
#endif
    }
    /// What an answer waits for, POLLIN or POLLOUT. Nothing: that direction is over, and `is_broken` says whether by a failure.
    std::optional<unsigned> needs_of(int answer, bool& is_broken) noexcept {
        switch (::SSL_get_error(session_.get(), answer)) {
        case SSL_ERROR_WANT_READ: return unsigned{POLLIN};
        case SSL_ERROR_WANT_WRITE: return unsigned{POLLOUT};
        case SSL_ERROR_ZERO_RETURN: return std::nullopt;
        default: is_broken = true; return std::nullopt; // also an end without close_notify
        }
    }

    io_result write(std::span<const const_bytes> parts) noexcept {
        std::size_t taken = 0;
        switch (write_kept()) {
        case poll::read_status::some: break;
        case poll::read_status::not_now: return {io_status::would_block, 0, 0};
        default: return {io_status::failed, 0, EPIPE};
        }
        for (const_bytes part : parts)
            while (!part.empty()) {
                const const_bytes next = part.first(part.size() < record ? part.size() : record);
                const std::size_t left = write_record(next);
                if (is_output_broken_)
                    return taken > 0 ? io_result{io_status::ok, taken, 0}
                                     : io_result{io_status::failed, 0, EPIPE};
                taken += next.size();
                part = part.subspan(next.size());
                if (left > 0) return {io_status::ok, taken, 0};
            }
        return {io_status::ok, taken, 0};
    }

    std::size_t break_output() noexcept {
        is_output_broken_ = true;
        return 0;
    }
    /// How much of it is kept, because the descriptor has no room.
    std::size_t write_record(const_bytes next) noexcept {
        // A session that failed begins its handshake anew, which some versions of OpenSSL try.
        if (is_broken_ && ::SSL_in_init(session_.get()) != 0) return break_output();
        while (!next.empty()) {
            std::size_t taken = 0;
            ::ERR_clear_error();
            const int answer = ::SSL_write_ex(session_.get(), next.data(), next.size(), &taken);
            if (answer == 1) {
                next = next.subspan(taken);
                continue;
            }
            const auto needed = needs_of(answer, is_output_broken_);
            if (!needed) return break_output();
            write_needs_ = *needed;
            if (kept_ == nullptr) kept_.reset(new (std::nothrow) std::byte[record]);
            if (kept_ == nullptr) return break_output();
            std::memmove(kept_.get(), next.data(), kept_size_ = next.size());
            return kept_size_;
        }
        kept_size_ = 0;
        return 0;
    }
    /// some: nothing is kept any more.
    poll::read_status write_kept() noexcept {
        if (!is_output_broken_ && kept_size_ == 0) return poll::read_status::some;
        if (!is_output_broken_ && write_record({kept_.get(), kept_size_}) > 0)
            return poll::read_status::not_now;
        kept_size_ = 0;
        if (is_output_broken_) return poll::read_status::failed;
        kept_.reset(); // an idle connection holds none
        return poll::read_status::some;
    }

    void end_output() noexcept {
        owes_close_notify_ = true;
        flush();
    }
    /// All was taken when the output ended, and what is left of it leaves first; otherwise it is cut off.
    void disconnect() noexcept {
        is_left_ = true;
        if (owes_close_notify_) return;
        kept_size_ = 0;
        socket_.disconnect();
    }
    void send_close_notify() noexcept {
        if (!is_broken_ && !is_output_broken_ && ::SSL_in_init(session_.get()) == 0) {
            ::ERR_clear_error();
            const int answer = ::SSL_shutdown(session_.get());
            if (answer < 0 && ::SSL_get_error(session_.get(), answer) == SSL_ERROR_WANT_WRITE) {
                write_needs_ = POLLOUT;
                return;
            }
        }
        owes_close_notify_ = false;
        socket_.end_output();
    }

    posix_socket socket_;
    std::unique_ptr<SSL, detail::deleter> session_;
    std::unique_ptr<std::byte[]> kept_; ///< what OpenSSL has encrypted, and could not write
    std::size_t kept_size_ = 0;
    unsigned read_needs_ = POLLIN;
    unsigned write_needs_ = POLLOUT;
    bool has_read_ahead_ = false;
    bool owes_close_notify_ = false;
    bool is_left_ = false;   ///< disconnect() was called
    bool is_broken_ = false; ///< what the peer says can't be read any more
    bool is_output_broken_ = false;
};

/// The endpoint's transport: a reference to the stream, which outlives it. The loop's thread uses it.
class tls_stream::end {
public:
    explicit end(tls_stream& of) noexcept : whole_(&of) {}

    io_result write(std::span<const const_bytes> parts, time_point) noexcept { return whole_->write(parts); }
    void finish(end_of_write why) noexcept { whole_->socket_.finish(why); }
    void end_output() noexcept { whole_->end_output(); }
    void disconnect() noexcept { whole_->disconnect(); }
    /// As tls_stream's: for a handler, `e.transport().session()`.
    [[nodiscard]] SSL* session() const noexcept { return whole_->session(); }
#if defined(SIOCOUTQ)
    /// Bytes of the wire that the peer has not acknowledged, and what is kept.
    [[nodiscard]] std::size_t unsent() const noexcept {
        return whole_->socket_.unsent() + whole_->kept_size_;
    }
#endif

private:
    tls_stream* whole_;
};

inline tls_stream::end tls_stream::writing_end() noexcept { return end(*this); }

/// The `wrap` for accept(), add() and serve() of adapt/poll.hpp: each connection is a session of this context, as the server.
/// For an SSL_CTX of your own set an ALPN callback if it needs one. The loop's thread uses it.
class secured {
public:
    explicit secured(SSL_CTX* of) noexcept : context_(of) {}

    [[nodiscard]] tls_stream operator()(int descriptor) const noexcept {
        SSL* const session = ::SSL_new(context_);
        if (session != nullptr) ::SSL_set_accept_state(session);
        return {descriptor, session};
    }

private:
    SSL_CTX* context_;
};

} // namespace wsolo::inline WSOLO_ABI::adapt::openssl
