// SPDX-License-Identifier: MIT
#pragma once
// A whole connection for a coroutine of Asio's: the stream, the handshake, messages, the end.
// Needs: asio.hpp (1.22 or later), or Boost.Asio 1.74 or later where WSOLO_USE_BOOST_ASIO is defined, or only it is found.
//
//     asio::awaitable<void> talk(tcp::socket s) {
//         wsolo::adapt::asio::conversation ws(std::move(s), everyone);
//         while (auto got = co_await ws.next())
//             if (co_await ws.send(*got) != wsolo::errc::none) co_return;
//     }
//
// Laws of this file:
// - The connection is asio.hpp's, and runs in its stream's executor; the coroutine goes on in its own.
// - The conversation owns the connection: when it goes, the connection is closed, or its opening comes to nothing.
// - A conversation may outlive its connection: each function then says what ended it.
// - Every wait may be cancelled. A context that is destroyed destroys the connection, and the coroutine that waits for it.

#include "../endpoint/conversation.hpp"
#include "asio.hpp"
#include "asio_await.hpp"

#if WSOLO_ASIO_AWAITS
namespace wsolo::inline WSOLO_ABI::adapt::asio::inline WSOLO_ASIO_CHOICE {

namespace detail {

/// What a coroutine's conversation and its connection share: whether it is open yet. Any thread.
class talk {
public:
    /// What waits for the opening. In the frame of what waits.
    class awaiter {
    public:
        explicit awaiter(std::shared_ptr<talk> of) noexcept : of_(std::move(of)) {}
        awaiter(const awaiter&) = delete;
        awaiter& operator=(const awaiter&) = delete;
        ~awaiter() { static_cast<void>(withdraw()); }

        [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }
        [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) {
            const std::lock_guard hold(of_->mutex_);
            if (of_->is_decided_) return false;
            caller_ = caller;
            next_ = std::exchange(of_->waiting_, this);
            return true;
        }
        [[nodiscard]] errc await_resume() const {
            const std::lock_guard hold(of_->mutex_);
            return of_->why_;
        }
        bool withdraw() {
            const std::lock_guard hold(of_->mutex_);
            for (awaiter** at = &of_->waiting_; *at != nullptr; at = &(*at)->next_) {
                if (*at != this) continue;
                *at = next_;
                return true;
            }
            return false;
        }

    private:
        friend talk;
        std::shared_ptr<talk> of_;
        std::coroutine_handle<> caller_;
        awaiter* next_ = nullptr;
    };

    /// Whether it was open.
    [[nodiscard]] bool is_open() const {
        const std::lock_guard hold(mutex_);
        return is_decided_ && why_ == errc::none;
    }
    /// Empty before it is open, and without an owner.
    [[nodiscard]] wsolo::conversation live() const {
        const std::lock_guard hold(mutex_);
        return live_;
    }

    // ---- the connection's

    void open(wsolo::conversation with) {
        const std::lock_guard hold(mutex_);
        if (has_owner_) live_ = std::move(with); // else it ends, and closes the connection
    }
    void decide(errc why) {
        awaiter* due = nullptr;
        {
            const std::lock_guard hold(mutex_);
            is_decided_ = true;
            why_ = why;
            due = std::exchange(waiting_, nullptr);
        }
        while (due != nullptr) std::exchange(due, due->next_)->caller_.resume();
    }
    // ---- the conversation's
    void abandon() {
        wsolo::conversation last; // ends without the lock
        const std::lock_guard hold(mutex_);
        has_owner_ = false;
        std::swap(last, live_);
    }

private:
    mutable std::mutex mutex_;
    wsolo::conversation live_;
    awaiter* waiting_ = nullptr;
    errc why_ = errc::none;
    bool is_decided_ = false;
    bool has_owner_ = true;
};

/// No hooks.
struct no_hooks {};

/// The handler of a connection whose messages a coroutine takes, with the user's other hooks.
template <class Hooks>
struct talker : Hooks, in_a_coroutine {
    static_assert(!wsolo::detail::names_on_message<Hooks>(), "messages come to next(), not to on_message");

    talker(Hooks rest_, std::shared_ptr<talk> with_)
        : Hooks(std::move(rest_)), wsolo_talk_(std::move(with_)) {}

    void on_upgraded(auto& endpoint_) {
        wsolo_talk_->open(wsolo::conversation(endpoint_));
        wsolo_talk_->decide(errc::none);
        if constexpr (wsolo::detail::has_on_upgraded<Hooks, std::remove_reference_t<decltype(endpoint_)>>)
            Hooks::on_upgraded(endpoint_);
    }

    std::shared_ptr<talk> wsolo_talk_;
};

} // namespace detail

/// A connection for a coroutine of Asio's, which owns it: its end closes the connection (1000), unless that has begun. Each
/// function that waits may be cancelled (errc::cancelled), and the coroutine goes on in its own executor. Move-only. One
/// coroutine at a time awaits next(), others may send; close(), abort() and live() are any thread's.
class conversation {
public:
    /// A server's: see serve(). `hooks` has any of a handler's but on_message(): on_request(), on_finished().
    template <class Stream, class Hooks = detail::no_hooks>
    conversation(Stream stream, connection_group& group, const server_options& options = {},
                 Hooks hooks = {}) {
        using handler = detail::talker<Hooks>;
        using session = detail::session<Stream, role::server, handler, decided>;
        std::make_shared<session>(std::move(stream), &group, handler(std::move(hooks), shared_),
                                  decided{shared_}, options)
            ->start();
    }
    /// A client's: see connect().
    template <class Stream, class Endpoints, class Hooks = detail::no_hooks>
    conversation(Stream stream, Endpoints where, const client_request& request,
                 const client_options& options = {}, Hooks hooks = {}) {
        asio::connect(std::move(stream), std::move(where), detail::talker<Hooks>(std::move(hooks), shared_),
                      request, options, decided{shared_});
    }
    conversation(conversation&&) noexcept = default;
    conversation& operator=(conversation&& other) noexcept {
        std::swap(shared_, other.shared_);
        return *this;
    }
    ~conversation() {
        if (shared_) shared_->abandon();
    }

    /// errc::none once it is open, or why it never was. The functions below wait for that too.
    [[nodiscard]] net::awaitable<errc> opened() {
        const auto kept = shared_;
        co_return co_await awaited(detail::talk::awaiter(kept));
    }
    /// The next message, or why there is none: errc::closed after the last one, or what ended the connection.
    [[nodiscard]] net::awaitable<result<message>> next() {
        const auto kept = shared_;
        if (!kept->is_open()) {
            if (const errc why = co_await opened(); why != errc::none) co_return why;
        }
        co_return co_await awaited(kept->live().next());
    }
    /// errc::none when it was accepted, after waiting while options.writing.limits leave no room; or why not. The payload stays
    /// where it is until then. A text is UTF-8 (RFC 6455 §5.6).
    [[nodiscard]] net::awaitable<errc> send_text(std::string_view payload) {
        return after_opening([payload](const wsolo::conversation& ws) { return ws.send_text(payload); });
    }
    [[nodiscard]] net::awaitable<errc> send_binary(const_bytes payload) {
        return after_opening([payload](const wsolo::conversation& ws) { return ws.send_binary(payload); });
    }
    [[nodiscard]] net::awaitable<errc> send(const message& what) {
        return after_opening([&what](const wsolo::conversation& ws) { return ws.send(what); });
    }
    /// errc::none when all that was sent before is written, or the first reason why some of it is not.
    [[nodiscard]] net::awaitable<errc> flushed() {
        return after_opening([](const wsolo::conversation& ws) { return ws.flushed(); });
    }

    /// These never wait. errc::closed before it is open.
    [[nodiscard]] errc close(close_code code = close_code::normal, std::string_view reason = {}) const {
        return shared_->live().close(code, reason);
    }
    void abort(errc why = errc::aborted) const { shared_->live().abort(why); }
    /// What it is once it is open: for try_send_text() and the like, and for coroutines of other kinds. While a copy lives, the
    /// connection is not closed.
    [[nodiscard]] wsolo::conversation live() const { return shared_->live(); }

private:
    /// A session's `Told`. What was open was decided on by the handler.
    struct decided {
        void operator()(errc why) const {
            if (why != errc::none) with->decide(why);
        }
        std::shared_ptr<detail::talk> with;
    };

    template <class Start>
    [[nodiscard]] net::awaitable<errc> after_opening(Start start) {
        const auto kept = shared_;
        if (!kept->is_open()) {
            if (const errc why = co_await opened(); why != errc::none) co_return why;
        }
        co_return co_await awaited(start(kept->live()));
    }

    std::shared_ptr<detail::talk> shared_ = std::make_shared<detail::talk>();
};

} // namespace wsolo::inline WSOLO_ABI::adapt::asio::inline WSOLO_ASIO_CHOICE
#endif // WSOLO_ASIO_AWAITS
