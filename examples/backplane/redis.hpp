#pragma once
// One connection to Redis: hiredis's asynchronous client on an Asio context.
//
// Laws of this file:
// - Everything happens in the context's one thread. Commands are answered in the order in which they were given.
// - Each command gets one answer: Redis's, or nullptr when the connection was lost, or is not there. Never inside of ask().
// - What is waited for is bounded, the name's address and the connection too: when nothing comes for `patience` the
//   connection is lost.
// - It does not connect again by itself: its owner is told, and knows what was lost.

// First, because Asio before 1.24 chooses its allocation by what the standard library has said by then: all files must agree.
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <hiredis/async.h>

class redis_connection {
public:
    /// No command takes that long: the one that waits comes back after 5 s.
    static constexpr std::chrono::seconds patience{10};

    using on_answer = std::function<void(const redisReply*)>; ///< the reply is there during the call

    /// `on_change(is_up)`: it came up, or it is down (or never came up).
    redis_connection(asio::io_context& loop, std::function<void(bool)> on_change);
    redis_connection(const redis_connection&) = delete;
    redis_connection& operator=(const redis_connection&) = delete;
    ~redis_connection() { close(); }

    /// Not while it is up, or on its way. A host that has several addresses: each time the next one.
    void open(const std::string& host, int port);
    /// Commands without an answer get nullptr, inside of this or soon after it. on_change() is not called.
    void close();
    void ask(const std::vector<std::string_view>& words, on_answer then);

private:
    struct watch;

    void connect(const asio::ip::tcp::endpoint& where);
    void fail();
    void wait_for_answer();
    void on_answered();

    asio::io_context& loop_;
    asio::ip::tcp::resolver resolver_;
    asio::steady_timer silence_;
    bool is_resolving_ = false;
    std::size_t tries_ = 0;
    std::size_t unanswered_ = 0;
    std::function<void(bool)> on_change_;
    std::shared_ptr<watch> watch_;
};

/// What a reply says, as text; empty for what is not a string.
[[nodiscard]] inline std::string_view text_of(const redisReply* reply) noexcept {
    if (reply == nullptr || reply->str == nullptr) return {};
    return {reply->str, reply->len};
}
[[nodiscard]] inline bool is_error(const redisReply* reply) noexcept {
    return reply == nullptr || reply->type == REDIS_REPLY_ERROR;
}
