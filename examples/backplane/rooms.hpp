#pragma once
// Rooms that span processes: who is in them here, and what is said in them anywhere.
//
//     there.enter("lobby", after, who);   // what was said after `after`, and then what is said
//     there.say("lobby", "hello", who);   // to all in the room, in every process, the speaker too
//
// Laws of this file:
// - A member gets every number once and in order. Where that can't be, it is told "resync EPOCH-NUMBER": what it knows may have a
//   hole; what comes from here on has none, after this number.
// - What comes is one frame for all members here.
// - A member that is too slow for its queue is cut off. It comes back with its last number, to this process or another.
// - What a member says is in the room when it comes back with its number. What may not have got there is answered "unsaid TEXT".
// - Everything happens in the context's one thread.

#include "engine.hpp"

#include <wsolo/endpoint/connection_group.hpp>

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

class rooms {
public:
    using member_number = std::uint64_t;

    /// What is sent to one who comes back: beyond it, it is told to resync.
    static constexpr std::size_t max_history = 256 * 1024;
    /// What is kept for one meanwhile, before the engine has answered: beyond it too.
    static constexpr std::size_t max_kept = 2 * 1024 * 1024;
    /// How much may be on its way to the engine.
    static constexpr std::size_t max_unconfirmed = 1000;

    /// The engine is to outlive it.
    explicit rooms(engine& between);

    [[nodiscard]] member_number enter(const std::string& room, std::optional<message_id> after, visitor who);
    void leave(const std::string& room, member_number whose);
    void say(const std::string& room, std::string_view text, visitor who);

    /// Whether the engine is there: what a balancer wants to know.
    [[nodiscard]] bool is_ready() const noexcept { return is_ready_; }
    /// Closes the engine once the last member has left.
    void end();

private:
    /// One who is not in the group yet, because what it missed is on its way.
    struct arrival {
        visitor who;
        std::optional<message_id> after;
        bool is_asked = false;          ///< the engine was
        std::optional<message_id> upto; ///< what it has been sent, if the room here is not there yet
        std::vector<std::pair<message_id, wsolo::shared_frame>>
            kept; ///< what was said since the engine was asked
        std::size_t kept_size = 0;
    };
    struct room {
        wsolo::connection_group members{wsolo::when_member_full::disconnect};
        std::optional<message_id> at; ///< the last number seen; empty: not known yet
        std::map<member_number, wsolo::group_seat> seats;
        std::map<member_number, arrival> arrivals;
    };

    void find(const std::string& name);
    void admit_all(const std::string& name, room& in);
    void admit(const std::string& name, room& in, member_number whose);
    static void catch_up(room& in, member_number whose, const engine::recalled& missed);
    static void seat(room& in, member_number whose);
    static void deliver(room& in, const said& what);
    static void resync(room& in, const message_id& at);
    void finish_if_ended();

    engine& between_;
    std::map<std::string, room> rooms_;
    std::size_t unconfirmed_ = 0;
    member_number last_member_ = 0;
    bool is_ready_ = false;
    bool is_ending_ = false;
};
