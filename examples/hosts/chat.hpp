#pragma once
// What every host program says, whatever carries it: the one protocol that tests/hosts examines.
//
//     path /ws                 is the WebSocket; any other is answered by plain HTTP
//     text, binary             is echoed, but for these texts:
//     push N SIZE              another thread sends N texts "push I ....", each of SIZE bytes
//     bye                      is answered by a Close: 1001 "bye"
//
// Laws of this file:
// - A pusher waits for no connection: one that has no room has its next turn when on_room() says so.
// - Pushes take turns in the order in which they came. A turn is `pusher::quantum` texts, or as many as there is room for.

#include <wsolo/endpoint/server_connection.hpp>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

/// The thread that pushes. It must outlive the handlers that know it. Any thread may call it.
class pusher {
public:
    static constexpr std::uint32_t quantum = 1000;

    void push(auto handle, std::uint32_t count, std::uint32_t size) {
        add([handle, count, size, next = std::uint32_t{0}]() mutable {
            const auto live = handle.try_use();
            if (!live) return turn::over;
            for (std::uint32_t sent = 0; next < count; ++next, ++sent) {
                if (sent == quantum) return turn::more;
                std::string text = "push " + std::to_string(next) + ' ';
                text.resize(std::max<std::size_t>(size, text.size()), '.');
                const wsolo::errc answer = live->send_text(text);
                if (answer == wsolo::errc::queue_full) return turn::full;
                if (answer != wsolo::errc::none) return turn::over;
            }
            return turn::over;
        });
    }
    /// A connection may have room again.
    void rouse() {
        const std::scoped_lock hold(lock_);
        has_news_ = true;
        changed_.notify_one();
    }

private:
    enum class turn : std::uint8_t { more, full, over };
    using job = std::function<turn()>;

    void add(job fresh) {
        const std::scoped_lock hold(lock_);
        jobs_.push_back(std::move(fresh));
        has_news_ = true;
        changed_.notify_one();
    }

    void work(const std::stop_token& stop) {
        std::unique_lock hold(lock_);
        while (changed_.wait(hold, stop, [this] { return has_news_; }) && !stop.stop_requested()) {
            has_news_ = false;
            for (std::size_t left = jobs_.size(); left > 0; --left) {
                job next = std::move(jobs_.front());
                jobs_.pop_front();
                hold.unlock();
                const turn answer = next();
                if (answer == turn::over) next = nullptr; // lets go of the connection, without the lock
                hold.lock();
                has_news_ = has_news_ || answer == turn::more;
                if (answer != turn::over) jobs_.push_back(std::move(next));
            }
        }
    }

    std::mutex lock_;
    std::condition_variable_any changed_;
    std::deque<job> jobs_;
    bool has_news_ = false; ///< a job came, one has more to do, or there is room again
    std::jthread thread_{[this](const std::stop_token& stop) { work(stop); }};
};

/// One connection's handler.
struct chat {
    pusher* pushes;

    void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) {
        if (asked.target() != "/ws") reply.respond({.status = 200, .body = "This is a host of wsolo: /ws\n"});
    }
    wsolo::errc on_message(auto& ws, const wsolo::message& got) {
        std::uint32_t count = 0;
        std::uint32_t size = 0;
        if (got.is_text() && got.text() == "bye") return ws.close(wsolo::close_code::going_away, "bye");
        if (!got.is_text() || !asks_for_push(got.text(), count, size)) return ws.send(got);
        pushes->push(ws.handle(), count, size);
        return wsolo::errc::none;
    }
    void on_room(auto&) { pushes->rouse(); }
    void on_finished(auto&, const wsolo::ending&) { pushes->rouse(); }

private:
    static bool asks_for_push(std::string_view text, std::uint32_t& count, std::uint32_t& size) {
        if (!text.starts_with("push ")) return false;
        const char* const end = text.data() + text.size();
        const auto first = std::from_chars(text.data() + 5, end, count);
        if (first.ec != std::errc{} || first.ptr == end || *first.ptr != ' ') return false;
        const auto second = std::from_chars(first.ptr + 1, end, size);
        return second.ec == std::errc{} && second.ptr == end;
    }
};

/// The bounds that tests/hosts knows.
inline wsolo::server_options chat_options() {
    using namespace std::chrono_literals;
    wsolo::server_options how;
    how.handshake_timeout = 5s;
    how.writing.timeouts.write = 2s;
    how.writing.timeouts.drain = 2s;
    how.ending.close_timeout = 2s;
    how.ending.linger_timeout = 2s;
    how.max_unsent = 1024 * 1024;
    return how;
}
