#pragma once
// A stage for S2: the test is the peer, the reading thread and mostly the drainer too; the callers are
// threads that come to rest (step_traits.hpp), so that "it still waits" is a fact and not a guess.
//
// Law of this file: a thread that still sleeps at a case's end meets its deadline there, an hour later.

#include "complaint.hpp"
#include "rpc_session.hpp"
#include "step_traits.hpp"

namespace support {

template <class Barrier, class Wire>
struct rpc_stage {
    explicit rpc_stage(std::size_t room = 1000) : session(wire, barrier, handler(), room) {}

    void deliver(const stream& sent) {
        wire.deliver(sent, [this](wsolo::mutable_bytes bytes) { session.receive(bytes); });
    }

    typename rpc_session<Barrier, Wire>::handler handler() {
        return [this](const std::string& notification) {
            if (in_handler) in_handler(notification);
            const std::lock_guard hold(mutex);
            handled.push_back(notification.substr(2));
        };
    }

    Wire wire;
    Barrier barrier;
    std::function<void(const std::string&)> in_handler; // what a handler does before it is done
    std::mutex mutex;
    std::vector<std::string> handled; // in the order in which they were
    rpc_session<Barrier, Wire> session;
};

/// A thread that calls the peer once.
template <class Session>
class rpc_caller {
public:
    rpc_caller(Session& session, int id)
        : thread_(
              [this, &session, id] { got_ = session.request(id, step_clock::in(std::chrono::hours(1))); }) {
        thread_.run(); // its request is out, and it waits for the response
    }

    /// Returns when there is nothing more for it to do.
    void settle() { thread_.run(); }
    /// Whether it still waits, now that there is nothing more for it to do.
    [[nodiscard]] bool waits() {
        settle();
        return thread_.is_asleep();
    }
    /// What it got; if it still waits, it meets its deadline.
    [[nodiscard]] answer end() {
        if (waits()) step_clock::advance(std::chrono::hours(2));
        thread_.join();
        return got_;
    }

private:
    answer got_;
    actor thread_;
};

} // namespace support
