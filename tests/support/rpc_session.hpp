#pragma once
// A client that calls its peer and is notified by it on one stream, the way S2's service did: the reading
// thread queues notifications with their numbers and hands each response to its caller with the mark of its
// moment; one drainer handles the notifications; a caller goes on when everything up to its mark is
// handled.
//
// Laws of this file:
// - The barrier is an argument: wsolo's, or a wrong one. It alone decides when a caller goes on.
// - receive() and lose() belong to the reading thread, handle_next() to the drainer, request() to any.

#include "rpc_wire.hpp"

#include <wsolo/sync/sequence_barrier.hpp>
#include <wsolo/write/single_writer.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>

namespace support {

/// What the peer says: "n <anything>" is a notification, "r <id> <anything>" the response to a request.
inline stream& notify(stream& sent, int number) { return sent.frame(0x81, "n " + std::to_string(number)); }
inline stream& respond(stream& sent, int id, int notifications = 0) {
    return sent.frame(0x81, "r " + std::to_string(id) + " " + std::to_string(notifications));
}

struct answer {
    wsolo::errc result = wsolo::errc::none;
    std::string text = {};
};

template <class Barrier, class Wire>
class rpc_session {
    using parker = wsolo::basic_parker<typename Barrier::traits>;
    using time_point = typename Barrier::time_point;
    struct nobody_to_wake {
        void operator()() const {}
    };
    using writer = wsolo::single_writer<typename Wire::transport, wsolo::inline_drive<nobody_to_wake>,
                                        wsolo::client_side<counted_keys>>;

public:
    using handler = std::function<void(const std::string& notification)>;

    /// Takes at most `room` notifications that wait; more are dropped.
    rpc_session(Wire& wire, Barrier& barrier, handler handle, std::size_t room = 1000)
        : out_(wire.end(), {{}}), barrier_(barrier), handle_(std::move(handle)), room_(room) {}

    void receive(wsolo::mutable_bytes bytes) {
        for (const wsolo::event& event : in_.read(bytes)) {
            const std::string text = event.copy_text();
            text[0] == 'n' ? take_notification(text) : take_response(text);
        }
    }

    /// The connection is gone: every caller that waits for it is told, but for those who have all that they wait for.
    void lose(wsolo::errc why) {
        {
            const std::lock_guard hold(mutex_);
            lost_ = why;
            for (const auto& [id, waiting] : calls_) waiting->arrived.release();
            over_.notify_all();
        }
        barrier_.close(why);
    }

    /// Handles the oldest notification. False: there is none.
    bool handle_next() {
        item next;
        {
            const std::lock_guard hold(mutex_);
            if (queue_.empty()) return false;
            next = std::move(queue_.front());
            queue_.pop_front();
        }
        [[maybe_unused]] const auto handling = barrier_.handle(next.number);
        handle_(next.text);
        return true;
    }

    /// Handles notifications until the connection is gone and none is left.
    void drain() {
        for (;;) {
            while (handle_next()) {}
            std::unique_lock hold(mutex_);
            over_.wait(hold, [this] { return !queue_.empty() || lost_ != wsolo::errc::none; });
            if (queue_.empty()) return;
        }
    }

    /// Calls the peer and waits for its response, and for what it had notified before.
    answer request(int id, time_point deadline) {
        call mine;
        {
            const std::lock_guard hold(mutex_);
            if (lost_ != wsolo::errc::none) return {lost_};
            calls_[id] = &mine;
        }
        const wsolo::errc sent = out_.send_text("request " + std::to_string(id));
        if (sent == wsolo::errc::none) mine.arrived.park_until(deadline);
        {
            const std::lock_guard hold(mutex_);
            calls_.erase(id);
            if (mine.text.empty()) return {lost_ != wsolo::errc::none ? lost_ : wsolo::errc::timed_out};
        }
        return {barrier_.wait_up_to(mine.mark, deadline), mine.text};
    }

    /// Waits until everything that was received is handled.
    wsolo::errc shutdown(time_point deadline) { return barrier_.wait_up_to(barrier_.snapshot(), deadline); }

    [[nodiscard]] int dropped() const { return dropped_; }

private:
    struct item {
        std::uint64_t number = 0;
        std::string text;
    };
    struct call {
        parker arrived;
        std::uint64_t mark = 0;
        std::string text;
    };

    void take_notification(const std::string& text) {
        const std::uint64_t number = barrier_.issue();
        {
            const std::lock_guard hold(mutex_);
            over_.notify_all();
            if (queue_.size() < room_) return queue_.push_back({number, text});
            ++dropped_;
        }
        barrier_.abandon(number);
    }

    void take_response(const std::string& text) {
        const std::lock_guard hold(mutex_);
        const auto found = calls_.find(std::stoi(text.substr(2)));
        if (found == calls_.end()) return;
        found->second->mark = barrier_.snapshot();
        found->second->text = text;
        found->second->arrived.release();
        calls_.erase(found);
    }

    wsolo::basic_reader<wsolo::client_side<counted_keys>> in_;
    writer out_;
    Barrier& barrier_;
    handler handle_;
    std::size_t room_;
    int dropped_ = 0;
    std::mutex mutex_; // guards what follows
    std::condition_variable over_;
    wsolo::errc lost_ = wsolo::errc::none;
    std::deque<item> queue_;
    std::map<int, call*> calls_;
};

} // namespace support
