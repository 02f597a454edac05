#include "redis.hpp"

#include <asio/post.hpp>

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
    : loop_(loop), on_change_(std::move(on_change)) {}

void redis_connection::open(const std::string& host, int port) {
    redisAsyncContext* const fresh = redisAsyncConnect(host.c_str(), port);
    if (fresh == nullptr || fresh->err != 0) {
        if (fresh != nullptr) redisAsyncFree(fresh);
        asio::post(loop_, [this] { on_change_(false); });
        return;
    }
    watch_ = std::make_shared<watch>(loop_, *fresh, *this);
    watch_->held = watch_;
    redisAsyncSetConnectCallback(fresh, [](const redisAsyncContext* of, int status) {
        redis_connection* const owner = watch::owner_of(of);
        if (owner != nullptr) status == REDIS_OK ? owner->on_change_(true) : owner->fail();
    });
    redisAsyncSetDisconnectCallback(fresh, [](const redisAsyncContext* of, int) {
        if (redis_connection* const owner = watch::owner_of(of)) owner->fail();
    });
}

void redis_connection::fail() {
    watch_->owner = nullptr; // hiredis ends it
    watch_.reset();
    on_change_(false);
}

void redis_connection::close() {
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
    const auto answered = [](redisAsyncContext*, void* reply, void* hook) noexcept {
        const std::unique_ptr<on_answer> of(static_cast<on_answer*>(hook));
        (*of)(static_cast<const redisReply*>(reply));
    };
    if (watch_ != nullptr && watch_->context != nullptr &&
        redisAsyncCommandArgv(watch_->context, answered, kept.get(), static_cast<int>(words.size()),
                              starts.data(), sizes.data()) == REDIS_OK) {
        static_cast<void>(kept.release());
    } else {
        asio::post(loop_, [lost = std::shared_ptr<on_answer>(std::move(kept))] { (*lost)(nullptr); });
    }
}
