#pragma once
// The server as wsolo makes it: one loop, one writer for each connection, a group for the broadcast and for the deploy.

#include "feed.hpp"

#include <wsolo/adapt/poll.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace demo {

class wsolo_feed final : public feed {
public:
    explicit wsolo_feed(const settings& how);
    ~wsolo_feed() override;

    [[nodiscard]] std::uint16_t port() const noexcept override { return port_; }
    void push(std::string_view text) override;
    end_report stop(bool is_deploy) override;

    [[nodiscard]] std::uint64_t accepted() const noexcept override { return accepted_; }
    [[nodiscard]] std::uint64_t dropped() const override { return dropped_ + slow().dropped; }
    [[nodiscard]] std::uint64_t skipped() const noexcept override { return skipped_; }
    [[nodiscard]] std::size_t slow_backlog() const override { return slow().queued; }

private:
    /// Of the slow peer's connection; nothing while there is none.
    struct slow_state {
        std::size_t queued = 0;
        std::uint64_t dropped = 0;
    };
    [[nodiscard]] slow_state slow() const;

    /// A connection's handler.
    struct visit {
        wsolo_feed* home;
        bool is_slow = false;

        void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply);
        void on_upgraded(auto& e) {
            if (!is_slow) return;
            const std::scoped_lock hold(home->lock_);
            home->ask_slow_ = [weak = e.handle()] {
                const auto live = weak.try_use();
                return live
                           ? slow_state{live->writer().queued_bytes(), live->writer().report().frames_dropped}
                           : slow_state{};
            };
        }
        void on_message(auto&, const wsolo::message&) {} // peers only listen
        void on_finished(auto&, const wsolo::ending& how) { home->dropped_ += how.written.frames_dropped; }
    };

    std::atomic<std::uint64_t> accepted_ = 0;
    std::atomic<std::uint64_t> dropped_ = 0;
    std::atomic<std::uint64_t> skipped_ = 0;
    mutable std::mutex lock_;
    std::function<slow_state()> ask_slow_;
    wsolo::connection_group everyone_;
    wsolo::adapt::poll::loop loop_;
    std::uint16_t port_ = 0;
    bool is_stopped_ = false;
    std::jthread thread_; ///< the loop's; the last, because it uses the others
};

} // namespace demo
