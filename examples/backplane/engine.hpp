#pragma once
// What the rooms ask of what lies between the machines: Redis (redis_engine.hpp), or another that can do this.
//
// Laws of this file:
// - It numbers and publishes in one step, and keeps what was said: for those who come back, and for a process that lost its
//   connection.
// - Everything is called in the context's one thread, answers too, and an answer never comes inside of the question. Each
//   question gets one, while the engine lives.
// - It connects again by itself. When it does, it follows no room.

#include "message_id.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// One message of a room.
struct said {
    message_id id;
    std::string text;
    bool is_ours = true; ///< otherwise another program put something there that is no text
};

class engine {
public:
    struct hooks {
        std::function<void(bool is_up)> on_change;
        std::function<void(const std::string& room, const said& what)> on_said;
    };

    engine() = default;
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    virtual ~engine() = default;

    virtual void open(hooks tell) = 0;
    /// For good: nothing of it keeps the context running, and no hook is called.
    virtual void close() = 0;

    // ---- while it is up

    /// The number of the last message; empty: the connection was lost. What the engine refuses it is asked again.
    virtual void find(const std::string& room, std::function<void(std::optional<message_id>)> then) = 0;
    struct recalled {
        bool is_lost = false;  ///< the connection was
        bool is_known = false; ///< `after` itself is there, or is the beginning
        std::vector<said> messages;
    };
    /// What was said after `after`.
    virtual void recall(const std::string& room, const message_id& after,
                        std::function<void(recalled)> then) = 0;
    /// False: it may not have been published.
    virtual void publish(const std::string& room, std::string_view text, std::function<void(bool)> then) = 0;
    /// on_said() is told of what comes after this number, or of what is left of it.
    virtual void follow(const std::string& room, const message_id& after) = 0;
    virtual void unfollow(const std::string& room) = 0;
};
