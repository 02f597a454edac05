// Written by tools/amalgamate.py from include/wsolo/adapt/asio_await.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// What this library offers to coroutines, in those of Asio: `co_await awaited(ws.next())` in an asio::awaitable.
// Needs: asio.hpp (1.22 or later), or Boost.Asio 1.74 or later where WSOLO_USE_BOOST_ASIO is defined, or only it is found.
//
//     using wsolo::adapt::asio::awaited;
//     asio::awaitable<void> talk(wsolo::conversation ws) {
//         while (auto next = co_await awaited(ws.next()))
//             if (co_await awaited(ws.send(*next)) != wsolo::errc::none) break;
//         co_await awaited(ws.flushed());
//     }
//
// Laws of this file:
// - It takes next(), the sends and flushed() of a conversation, flushed() and written() of a writer, reached(), drained(), and
//   anything else that has await_ready(), await_suspend() and await_resume().
// - The coroutine goes on in its own executor, posted: never inside of the endpoint's call, whose endpoint it may destroy. The
//   executor's context runs on while it waits.
// - When the context is destroyed while it waits, the coroutine is destroyed, and what it awaited is withdrawn. No other
//   thread may be about to resume it then. A written() can't be withdrawn: its outcome comes first.
// - A cancellation (Asio 1.21, Boost 1.77) withdraws too: the answer is errc::cancelled. What can't be withdrawn, or is on its
//   way already, comes as it would have come.

#include "../wsolo.hpp"

#include "detail/asio_choice.hpp"

#if WSOLO_ASIO_IS_BOOST
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/version.hpp>
#define WSOLO_ASIO_CANCELS (BOOST_ASIO_VERSION >= 102100)
#if WSOLO_ASIO_CANCELS
#include <boost/asio/associated_cancellation_slot.hpp>
#endif
#else
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/version.hpp>
#define WSOLO_ASIO_CANCELS (ASIO_VERSION >= 102100)
#if WSOLO_ASIO_CANCELS
#include <asio/associated_cancellation_slot.hpp>
#endif
#endif

#include <coroutine>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

/// Whether this Asio has coroutines with this compiler. Without them there is nothing here. (Asio 1.22 with clang 14 has none.)
#if defined(ASIO_HAS_CO_AWAIT) || defined(BOOST_ASIO_HAS_CO_AWAIT)
#define WSOLO_ASIO_AWAITS 1
#else
#define WSOLO_ASIO_AWAITS 0
#endif

#if WSOLO_ASIO_AWAITS
namespace wsolo::inline WSOLO_ABI::adapt::asio::inline WSOLO_ASIO_CHOICE {

namespace detail {

/// An operation that waits, as its context knows it.
class waiting_operation : public std::enable_shared_from_this<waiting_operation> {
public:
    waiting_operation(const waiting_operation&) = delete;
    waiting_operation& operator=(const waiting_operation&) = delete;

protected:
    waiting_operation() = default;
    virtual ~waiting_operation() = default;

private:
    friend class waiting_operations;
    std::shared_ptr<waiting_operation> next_;
    waiting_operation* previous_ = nullptr;
    bool is_listed_ = false;
};

/// The operations of one context, which it destroys when it goes. Any thread.
class waiting_operations final : public net::execution_context::service {
public:
    using key_type = waiting_operations;
    static inline net::execution_context::id id;

    explicit waiting_operations(net::execution_context& of) : service(of) {}
    waiting_operations(const waiting_operations&) = delete;
    waiting_operations& operator=(const waiting_operations&) = delete;
    ~waiting_operations() override = default;

    void add(std::shared_ptr<waiting_operation> added) {
        const std::lock_guard hold(mutex_);
        added->is_listed_ = true;
        added->previous_ = nullptr;
        added->next_ = std::move(first_);
        if (added->next_) added->next_->previous_ = added.get();
        first_ = std::move(added);
    }
    /// The list's reference. Empty when it was removed before.
    std::shared_ptr<waiting_operation> remove(waiting_operation& gone) {
        const std::lock_guard hold(mutex_);
        if (!std::exchange(gone.is_listed_, false)) return {};
        std::shared_ptr<waiting_operation>& at = gone.previous_ == nullptr ? first_ : gone.previous_->next_;
        std::shared_ptr<waiting_operation> kept = std::move(at);
        at = std::move(gone.next_);
        if (at) at->previous_ = gone.previous_;
        return kept;
    }

private:
    void shutdown() override {
        while (const std::shared_ptr<waiting_operation> last = front()) static_cast<void>(remove(*last));
    }
    std::shared_ptr<waiting_operation> front() {
        const std::lock_guard hold(mutex_);
        return first_;
    }

    std::mutex mutex_;
    std::shared_ptr<waiting_operation> first_;
};

/// A coroutine that runs at once and frees itself at its end; until then its operation may destroy it.
struct driver {
    struct promise_type {
        driver get_return_object() noexcept {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const {
#if WSOLO_HAS_EXCEPTIONS
            throw;
#endif
        }
    };
    std::coroutine_handle<> frame;
};

/// Waits for `what`, and then has `handler` called with what came of it.
template <class Awaitable, class Handler>
class operation final : public waiting_operation {
    using outcome = std::decay_t<decltype(std::declval<Awaitable&>().await_resume())>;
    using executor = net::associated_executor_t<Handler>;

public:
    operation(Awaitable& what, Handler handler)
        : what_(&what),
          executor_(net::get_associated_executor(handler)),
          work_(executor_),
          others_(&net::use_service<waiting_operations>(net::query(executor_, net::execution::context))),
          handler_(std::move(handler)) {}
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;
    ~operation() override {
        if (!handler_) return;
        // The context goes. What was awaited goes with the handler, but Asio may do that later.
        if constexpr (requires { what_->withdraw(); }) static_cast<void>(what_->withdraw());
        driver_.destroy();
    }

    void start() {
        const std::shared_ptr<waiting_operation> self = shared_from_this();
        others_->add(self);
        const std::coroutine_handle<> driving = driver_ = drive(this, *what_).frame;
        allow_cancellation();
        driving.resume(); // it may be over after this
    }

private:
    /// `what` is a parameter: g++ 12 with -fsanitize=undefined loses an operand that is reached by another one.
    static driver drive(operation* self, Awaitable& what) {
        outcome came = co_await what;
        self->finish(std::move(came));
    }

    /// Under the lock.
    void take(std::optional<Handler>& to) {
        if (!handler_) return;
        to.emplace(std::move(*handler_));
        handler_.reset();
    }
    void finish(outcome came) {
        std::optional<Handler> due;
        {
            const std::lock_guard hold(mutex_);
            take(due);
        }
        if (due) complete(std::move(*due), std::move(came));
    }
    void complete(Handler due, outcome came) {
        const std::shared_ptr<waiting_operation> kept = others_->remove(*this);
        const auto work = std::move(work_);
        net::post(executor_, [handler = std::move(due), told = std::move(came)]() mutable {
            std::move(handler)(std::move(told));
        });
    }

    void allow_cancellation() {
#if WSOLO_ASIO_CANCELS
        if constexpr (requires(Awaitable& what) { what.withdraw(); } &&
                      std::is_constructible_v<outcome, errc>) {
            auto slot = net::get_associated_cancellation_slot(*handler_);
            if (!slot.is_connected()) return;
            slot.assign([self = std::weak_ptr(std::static_pointer_cast<operation>(shared_from_this()))](
                            net::cancellation_type) {
                if (const auto live = self.lock()) live->cancel();
            });
        }
#endif
    }
    void cancel() {
        std::optional<Handler> due;
        {
            const std::lock_guard hold(mutex_); // so that what is awaited stays
            if (!handler_ || !what_->withdraw()) return;
            take(due);
            driver_.destroy();
        }
        complete(std::move(*due), outcome(errc::cancelled));
    }

    Awaitable* what_;
    executor executor_;
    net::executor_work_guard<executor> work_;
    waiting_operations* others_;
    std::mutex mutex_; ///< the thread that empties it calls the handler, or drops it
    std::optional<Handler> handler_;
    std::coroutine_handle<> driver_;
};

} // namespace detail

/// An asynchronous operation of Asio's that completes with what `co_await what` gives. `what` must live until then, as a
/// temporary in the same expression does. Another `token` where the awaitable's executor is not any_io_executor:
/// `awaited(ws.next(), asio::use_awaitable_t<my_executor>())`. One allocation for the wait, and one for its coroutine.
template <class Awaitable, class Token = net::use_awaitable_t<>>
[[nodiscard]] auto awaited(Awaitable&& what,
                           Token token = Token()) { // NOLINT(cppcoreguidelines-missing-std-forward)
    using awaitable = std::remove_reference_t<Awaitable>;
    using outcome = std::decay_t<decltype(what.await_resume())>;
    const auto start = [](auto handler, awaitable* from) {
        using operation = detail::operation<awaitable, decltype(handler)>;
        std::make_shared<operation>(*from, std::move(handler))->start();
    };
    return net::async_initiate<Token, void(outcome)>(start, token, &what);
}

} // namespace wsolo::inline WSOLO_ABI::adapt::asio::inline WSOLO_ASIO_CHOICE
#endif // WSOLO_ASIO_AWAITS
