#pragma once
// Redis between the machines: a room is a stream, and a message's number is the stream's id of it.
//
// Laws of this file:
// - One script numbers a message and publishes it. One command, XREAD, waits for all rooms that are followed, each from the last
//   number that came.
// - The epoch changes when Redis may have forgotten what it numbered: with its run, and with a stream that is not there any more.
// - A Redis that evicts keys is refused.

#include "engine.hpp"
#include "redis.hpp"

#include <asio/steady_timer.hpp>

#include <map>

class redis_engine final : public engine {
public:
    /// How many messages a room keeps; Redis may keep some more.
    static constexpr std::string_view kept_messages = "1000";
    /// Of each room, between two turns of the loop: of the longest messages they fill a third of a member's queue (main.cpp), so
    /// that a burst does not cut off members that read.
    static constexpr std::string_view messages_at_once = "20";

    redis_engine(asio::io_context& loop, std::string host, int port);

    void open(hooks tell) override;
    void close() override;
    void find(const std::string& room, std::function<void(std::optional<message_id>)> then) override;
    void recall(const std::string& room, const message_id& after,
                std::function<void(recalled)> then) override;
    void publish(const std::string& room, std::string_view text, std::function<void(bool)> then) override;
    void follow(const std::string& room, const message_id& after) override;
    void unfollow(const std::string& room) override { followed_.erase(room); }

private:
    void connect();
    void begin();
    void lose(std::string_view why);
    void find_again();
    void read();
    void read_all_rooms();

    const std::string host_;
    const int port_;
    hooks tell_;
    redis_connection asking_; ///< everything but the one command that waits
    redis_connection feed_;
    asio::steady_timer retry_;
    asio::steady_timer again_;
    /// What Redis refused to find: it is asked again.
    std::vector<std::pair<std::string, std::function<void(std::optional<message_id>)>>> refused_;
    std::map<std::string, message_id> followed_; ///< the last number that came
    std::string epoch_;                          ///< of this run of Redis
    std::string feed_id_;                        ///< Redis's name for feed_
    std::string trouble_;                        ///< why Redis is not there: said once
    std::size_t up_ = 0;                         ///< how many of the two are
    bool is_ready_ = false;
    bool is_reading_ = false;
    bool is_stale_ = false; ///< there are rooms that the waiting command does not name
    bool is_unblocking_ = false;
    bool is_closed_ = false;
};
