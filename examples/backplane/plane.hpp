#pragma once
// Rooms that span processes: who is in them here, and what Redis says in them.
//
//     rooms.enter("lobby", after, who);   // what was said after `after`, and then what is said
//     rooms.say("lobby", "hello", who);   // to all in the room, in every process, the speaker too
//
// Laws of this file:
// - A room is a stream in Redis, and its id of a message is the message's number. Numbering and publishing are one step there.
// - Each process reads each of its rooms from the last number that it has seen, so a connection that was lost loses nothing. What
//   comes is one frame for all members here.
// - A member gets every number once and in order. Where that can't be, it is told "resync EPOCH-NUMBER": what it knows may have a
//   hole; what comes from here on has none, after this number.
// - A member that is too slow for its queue is cut off. It comes back with its last number, to this process or another.
// - What a member says is in the room when it comes back with its number. What may not have got there is answered "unsaid TEXT".
// - Everything happens in the context's one thread.

#include "message_id.hpp"
#include "redis.hpp"

#include <wsolo/endpoint/connection_group.hpp>

#include <asio/steady_timer.hpp>

#include <map>

/// A connection that may be gone by now.
struct visitor {
    std::function<wsolo::errc(const wsolo::shared_frame&)> send;
    std::function<wsolo::result<wsolo::group_seat>(wsolo::connection_group&)> join;

    /// Of an endpoint's handle().
    static visitor of(auto handle) {
        return {[handle](const wsolo::shared_frame& frame) {
                    const auto live = handle.try_use();
                    return live ? live->send(frame) : wsolo::errc::closed;
                },
                [handle](wsolo::connection_group& group) { return group.join(handle); }};
    }
};

class plane {
public:
    using member_number = std::uint64_t;

    /// How many messages a room keeps for those who come back; Redis may keep some more.
    static constexpr std::string_view kept_messages = "1000";
    /// Of each room, between two turns of the loop: of the longest messages they fill a third of a member's queue (main.cpp), so that
    /// a burst does not cut off members that read.
    static constexpr std::string_view messages_at_once = "20";
    /// What is sent to one who comes back: beyond it, it is told to resync.
    static constexpr std::size_t max_history = 256 * 1024;
    /// How much may be on its way to Redis.
    static constexpr std::size_t max_unconfirmed = 1000;

    plane(asio::io_context& loop, std::string host, int port);

    [[nodiscard]] member_number enter(const std::string& room, std::optional<message_id> after, visitor who);
    void leave(const std::string& room, member_number whose);
    void say(const std::string& room, std::string_view text, visitor who);

    /// Whether Redis is there: what a balancer wants to know.
    [[nodiscard]] bool is_ready() const noexcept { return is_ready_; }
    /// Lets go of Redis once the last member has left. Then nothing here keeps the context running.
    void end();

private:
    /// One who is not in the group yet, because what it missed is on its way.
    struct arrival {
        visitor who;
        std::optional<message_id> after;
        bool is_asked = false;          ///< Redis was
        std::optional<message_id> upto; ///< what it has been sent, if the room here is not there yet
        std::vector<std::pair<message_id, wsolo::shared_frame>> kept; ///< what was said since Redis was asked
    };
    struct room {
        wsolo::connection_group members{wsolo::when_member_full::disconnect};
        std::optional<message_id> at; ///< the last number seen; empty: not known yet
        std::map<member_number, wsolo::group_seat> seats;
        std::map<member_number, arrival> arrivals;
    };

    void connect();
    void lose(std::string_view why);
    void begin();
    void resume(std::uint64_t epoch);
    void finish_if_ended();

    void find(const std::string& name);
    void admit_all(const std::string& name, room& in);
    void admit(const std::string& name, room& in, member_number whose);
    void catch_up(room& in, member_number whose, const redisReply* history);
    static void seat(room& in, member_number whose);

    void read();
    void read_all_rooms();
    static void deliver(room& in, const redisReply& entry);
    static void resync(room& in, const message_id& at);

    asio::io_context& loop_;
    const std::string host_;
    const int port_;
    redis_connection asking_; ///< everything but the one command that waits
    redis_connection feed_;
    asio::steady_timer retry_;
    asio::steady_timer silence_;
    std::map<std::string, room> rooms_;
    std::uint64_t epoch_ = 0; ///< of this run of Redis
    std::string feed_id_;     ///< Redis's name for feed_
    std::string trouble_;     ///< why Redis is not there: said once
    std::size_t up_ = 0;      ///< how many of the two are
    std::size_t unconfirmed_ = 0;
    member_number last_member_ = 0;
    bool is_ready_ = false;
    bool is_reading_ = false;
    bool is_stale_ = false; ///< there are rooms that the waiting command does not name
    bool is_unblocking_ = false;
    bool is_ending_ = false;
};
