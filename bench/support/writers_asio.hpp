#pragma once
// Asio as its examples have it: each frame is posted to a strand, appended to a deque there, and written by
// one async_write at a time; one thread runs the context.

#include "writers_common.hpp"

#include <asio.hpp>

#include <atomic>
#include <deque>

namespace bench {

class asio_strand {
public:
    static constexpr const char* name = "asio_strand";
    using producer = plain_producer<asio_strand>;
    static constexpr std::size_t farewell = 0;

    explicit asio_strand(wire& to) : is_null_(to.is_null()) {
        // A duplicate, since Asio closes its own.
        if (!is_null_) socket_.assign(::dup(to.descriptor()));
        thread_ = std::thread([this] { context_.run(); });
    }

    bool try_send(wsolo::const_bytes payload) {
        std::string frame = frame_of(payload);
        if (held_.load(std::memory_order_relaxed) + frame.size() > backlog_bytes) return false;
        held_.fetch_add(frame.size(), std::memory_order_relaxed);
        asio::post(strand_, [this, frame = std::move(frame)]() mutable {
            queue_.push_back(std::move(frame));
            if (queue_.size() == 1) write_front();
        });
        return true;
    }
    void finish() {
        work_.reset();
        thread_.join();
    }

private:
    void write_front() {
        if (is_null_) {
            asio::post(strand_, [this] { written(); });
            return;
        }
        asio::async_write(socket_, asio::buffer(queue_.front()),
                          asio::bind_executor(strand_, [this](const asio::error_code& error, std::size_t) {
                              must(!error);
                              written();
                          }));
    }
    void written() {
        held_.fetch_sub(queue_.front().size(), std::memory_order_relaxed);
        queue_.pop_front();
        if (!queue_.empty()) write_front();
    }

    bool is_null_;
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
    asio::strand<asio::io_context::executor_type> strand_{context_.get_executor()};
    asio::posix::stream_descriptor socket_{context_};
    std::deque<std::string> queue_;
    std::atomic<std::size_t> held_{0};
    std::thread thread_;
};

} // namespace bench
