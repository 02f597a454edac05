#pragma once
// NATS between the machines: a room is a stream of JetStream, and a message's number is the stream's sequence.
//
// Laws of this file:
// - The stream keeps the room's last messages. Its epoch is when it was made.
// - NATS's client has threads of its own, and calls that wait: those are made in one more thread. What comes of them is posted to
//   the context.
// - A room is followed from a number; when the connection was lost, from the number that the rooms say then.

#include "engine.hpp"

#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>

#include <nats/nats.h>

#include <atomic>
#include <map>
#include <semaphore>

class nats_engine final : public engine {
public:
    static constexpr std::int64_t kept_messages = 1000;
    /// On their way to the rooms: then NATS's thread waits, so that a burst does not cut off members that read.
    static constexpr std::ptrdiff_t messages_at_once = 20;

    /// `url`: nats://HOST:PORT. The context is to outlive it.
    nats_engine(asio::io_context& loop, std::string url);
    ~nats_engine() override;

    void open(hooks tell) override;
    void close() override;
    void find(const std::string& room, std::function<void(std::optional<message_id>)> then) override;
    void recall(const std::string& room, const message_id& after,
                std::function<void(recalled)> then) override;
    void publish(const std::string& room, std::string_view text, std::function<void(bool)> then) override;
    void follow(const std::string& room, const message_id& after) override;
    void unfollow(const std::string& room) override;

private:
    struct subscription;
    using flag = std::shared_ptr<std::atomic<bool>>;
    using subscriptions = std::map<std::string, std::unique_ptr<subscription>>;

    void change(bool is_up);
    void post(std::function<void()> call);
    /// The worker's: whether the connection of that number is still there.
    [[nodiscard]] bool is_current(std::uint64_t run) const noexcept { return run_.load() == run; }
    [[nodiscard]] std::optional<message_id> look_up(const std::string& room);
    [[nodiscard]] recalled read_back(const std::string& room, const message_id& after);
    void subscribe(const std::string& room, const message_id& after, const flag& is_over);
    void drop(const std::string& room);

    asio::io_context& loop_;
    const std::string url_;
    hooks tell_;
    natsConnection* connection_ = nullptr;
    jsCtx* stream_ = nullptr;
    std::atomic<std::uint64_t> run_{0}; ///< changes when a connection ends
    std::atomic<bool> is_closed_{false};
    std::counting_semaphore<> slots_{messages_at_once};
    subscriptions followed_;           ///< the worker's
    std::map<std::string, flag> over_; ///< of what is followed: set as soon as it is not
    bool is_up_ = false;
    asio::thread_pool worker_{1};
};
