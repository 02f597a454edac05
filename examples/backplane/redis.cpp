#include "redis.hpp"

#include <asio/post.hpp>

#include <iterator>
#include <utility>

/// Does for hiredis what its adapters for libev or libuv do: waits for the descriptor. hiredis owns the descriptor and the
/// context, which holds this until it goes; waits that are under way then find `context` empty.
struct redis_connection::watch : std::enable_shared_from_this<watch> {
    watch(asio::io_context& loop, redisAsyncContext& of, redis_connection& whose)
        : socket(loop, of.c.fd), context(&of), owner(&whose) {
        of.data = this;
        of.ev.data = this;
        of.ev.addRead = [](void* self) { static_cast<watch*>(self)->want(true, &watch::reads); };
        of.ev.delRead = [](void* self) { static_cast<watch*>(self)->reads.wanted = false; };
        of.ev.addWrite = [](void* self) { static_cast<watch*>(self)->want(false, &watch::writes); };
        of.ev.delWrite = [](void* self) { static_cast<watch*>(self)->writes.wanted = false; };
        of.ev.cleanup = [](void* self) { static_cast<watch*>(self)->forget(); };
    }

    struct direction {
        bool wanted = false;
        bool is_waiting = false;
    };

    void want(bool to_read, direction watch::* which) {
        (this->*which).wanted = true;
        if (std::exchange((this->*which).is_waiting, true)) return;
        const auto what =
            to_read ? asio::posix::stream_descriptor::wait_read : asio::posix::stream_descriptor::wait_write;
        socket.async_wait(what, [this, to_read, which, self = shared_from_this()](std::error_code error) {
            (this->*which).is_waiting = false;
            if (error || context == nullptr || !(this->*which).wanted) return;
            to_read ? redisAsyncHandleRead(context) : redisAsyncHandleWrite(context);
            if (context != nullptr && (this->*which).wanted) want(to_read, which);
        });
    }
    void forget() {
        if (owner == nullptr) context->data = nullptr; // for the callbacks that are yet to come
        context = nullptr;
        static_cast<void>(socket.release()); // hiredis closes it
        held = nullptr;
    }
    static redis_connection* owner_of(const redisAsyncContext* of) {
        return of->data == nullptr ? nullptr : static_cast<watch*>(of->data)->owner;
    }

    asio::posix::stream_descriptor socket;
    redisAsyncContext* context;
    redis_connection* owner; ///< nullptr: it is not to be told of the end
    direction reads, writes;
    std::shared_ptr<watch> held; ///< by hiredis
};

redis_connection::redis_connection(asio::io_context& loop, std::function<void(bool)> on_change)
    : loop_(loop), resolver_(loop), silence_(loop), on_change_(std::move(on_change)) {}

// hiredis would wait for the name's address, and the loop with it.
void redis_connection::open(const std::string& host, int port) {
    unanswered_ = 0;
    is_resolving_ = true;
    wait_for_answer();
    resolver_.async_resolve(host, std::to_string(port), [this](std::error_code error, const auto& found) {
        if (error == asio::error::operation_aborted || !std::exchange(is_resolving_, false)) return;
        if (error) return fail();
        auto which = found.begin();
        std::advance(which, static_cast<std::ptrdiff_t>(tries_++ % found.size()));
        connect(which->endpoint());
    });
}

void redis_connection::connect(const asio::ip::tcp::endpoint& where) {
    redisAsyncContext* const fresh = redisAsyncConnect(where.address().to_string().c_str(), where.port());
    if (fresh == nullptr || fresh->err != 0) {
        if (fresh != nullptr) redisAsyncFree(fresh);
        return fail();
    }
    watch_ = std::make_shared<watch>(loop_, *fresh, *this);
    watch_->held = watch_;
    redisAsyncSetConnectCallback(fresh, [](const redisAsyncContext* of, int status) {
        redis_connection* const owner = watch::owner_of(of);
        if (owner == nullptr) return;
        if (status != REDIS_OK) return owner->fail();
        owner->silence_.cancel();
        owner->on_change_(true);
    });
    redisAsyncSetDisconnectCallback(fresh, [](const redisAsyncContext* of, int) {
        if (redis_connection* const owner = watch::owner_of(of)) owner->fail();
    });
}

void redis_connection::fail() {
    if (watch_ != nullptr) watch_->owner = nullptr; // hiredis ends it
    watch_.reset();
    silence_.cancel();
    on_change_(false);
}

void redis_connection::wait_for_answer() {
    silence_.expires_after(patience);
    silence_.async_wait([this](std::error_code error) {
        if (error) return;
        close();
        on_change_(false);
    });
}

void redis_connection::on_answered() {
    --unanswered_ == 0 ? static_cast<void>(silence_.cancel()) : wait_for_answer();
}

void redis_connection::close() {
    is_resolving_ = false;
    resolver_.cancel();
    silence_.cancel();
    const std::shared_ptr<watch> old = std::exchange(watch_, nullptr);
    if (old == nullptr) return;
    old->owner = nullptr;
    if (old->context != nullptr) redisAsyncFree(old->context);
}

void redis_connection::ask(const std::vector<std::string_view>& words, on_answer then) {
    std::vector<const char*> starts;
    std::vector<std::size_t> sizes;
    for (const std::string_view word : words) {
        starts.push_back(word.data());
        sizes.push_back(word.size());
    }
    auto kept = std::make_unique<on_answer>(std::move(then));
    const auto answered = [](redisAsyncContext* from, void* reply, void* hook) noexcept {
        const std::unique_ptr<on_answer> of(static_cast<on_answer*>(hook));
        redis_connection* const owner = watch::owner_of(from);
        if (owner != nullptr && reply != nullptr) owner->on_answered();
        (*of)(static_cast<const redisReply*>(reply));
    };
    if (watch_ != nullptr && watch_->context != nullptr &&
        redisAsyncCommandArgv(watch_->context, answered, kept.get(), static_cast<int>(words.size()),
                              starts.data(), sizes.data()) == REDIS_OK) {
        static_cast<void>(kept.release());
        if (unanswered_++ == 0) wait_for_answer();
    } else {
        asio::post(loop_, [lost = std::shared_ptr<on_answer>(std::move(kept))] { (*lost)(nullptr); });
    }
}
