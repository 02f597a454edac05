#pragma once
// One WebSocket in one stream of HTTP/2 (RFC 8441): what carries a server_connection over a session of nghttp2's.
//
// Laws of this file:
// - Everything is the session's thread's, but for the hook, which wakes its thread.
// - A write is over when what nghttp2 took of it has left: on_sent() says so. It takes what the peer's window has room for.
// - What comes is credited to the stream's window when the connection wants to read, so that a peer that is not read from
//   stops, and its other streams go on.
// - Our FIN is END_STREAM. A stream that is cut off, or that has more to say than anyone wants, is reset (RFC 8441 §5).

#include "../chat.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <nghttp2/nghttp2.h>
#include <optional>

class stream {
    struct wire {
        void start_write(std::span<const wsolo::const_bytes> parts, wsolo::time_point,
                         wsolo::write_done done) const {
            self->start_write(parts, std::move(done));
        }
        void cancel_write() const { self->give_up(); }
        void finish(wsolo::end_of_write) const {}
        void end_output() const {
            self->ends_ = true;
            self->resume();
        }
        void disconnect() const {} // settle() resets the stream
        stream* self;
    };
    struct wake { // any thread
        bool operator()() const {
            self->is_asked_ = true;
            return self->wake_session_(), true;
        }
        stream* self;
    };

public:
    /// `wake_session`: any thread calls it; the session's thread then calls turn().
    stream(nghttp2_session* in, std::int32_t id, std::function<void()> wake_session, const chat& handler)
        : session_(in),
          id_(id),
          wake_session_(std::move(wake_session)),
          ws_(std::in_place, wire{this}, wake{this}, handler, chat_options()) {}

    /// The 200 is queued.
    void open(wsolo::connection_group& everyone) {
        static_cast<void>(ws_->join(everyone)); // a closed one is not answered by 200
        settle(ws_->take_upgraded());
    }

    // ---- what the session tells

    void on_data(wsolo::mutable_bytes bytes) {
        nghttp2_session_consume_connection(session_, bytes.size());
        unread_ += bytes.size();
        if (ws_) settle(ws_->receive(bytes));
    }
    /// END_STREAM.
    void on_end() {
        if (ws_) settle(ws_->end_of_input());
    }
    /// It is gone: both have ended it, or one has reset it.
    void on_closed(bool in_order) {
        is_closed_ = true;
        give_up();
        if (ws_) settle(ws_->end_of_input(in_order ? wsolo::errc::none : wsolo::errc::connection_lost));
    }
    /// For a DATA frame.
    ssize_t fill(std::uint8_t* into, std::size_t room, std::uint32_t* flags) {
        std::size_t filled = 0;
        while (filled < room && next_ < count_) {
            wsolo::const_bytes& part = parts_[next_];
            const std::size_t size = std::min(room - filled, part.size());
            std::memcpy(into + filled, part.data(), size);
            filled += size;
            part = part.subspan(size);
            if (part.empty()) ++next_;
        }
        taken_ += filled;
        if (filled > 0) return static_cast<ssize_t>(filled);
        if (!ends_) return NGHTTP2_ERR_DEFERRED;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        has_ended_ = true;
        return 0;
    }
    /// All that nghttp2 had has left.
    void on_sent() {
        if (taken_ > 0 && done_) {
            finish_write(wsolo::io_status::ok); // what is left is started anew
        }
        if (!ws_ && has_ended_) reset(NGHTTP2_NO_ERROR);
    }

    // ---- the loop's

    /// After the hook, or when deadline() has passed.
    void turn() {
        const bool is_due = is_asked_.exchange(false) || std::chrono::steady_clock::now() >= wants_.deadline;
        if (ws_ && is_due) settle(ws_->run());
    }
    [[nodiscard]] wsolo::time_point deadline() const { return ws_ ? wants_.deadline : wsolo::no_deadline; }
    [[nodiscard]] bool is_live() const { return ws_.has_value(); }
    [[nodiscard]] bool is_gone() const { return !ws_ && is_closed_; }

private:
    void start_write(std::span<const wsolo::const_bytes> parts, wsolo::write_done done) {
        if (is_broken_ || is_closed_) return done({});
        count_ = std::min(parts.size(), parts_.size());
        std::copy_n(parts.begin(), count_, parts_.begin());
        next_ = 0;
        done_.emplace(std::move(done));
        resume();
    }
    /// The write in flight ends; nothing follows what was taken of it.
    void give_up() {
        if (!done_) return;
        is_broken_ = true;
        finish_write(wsolo::io_status::failed);
    }
    void finish_write(wsolo::io_status how) {
        count_ = next_ = 0;
        wsolo::write_done over = std::move(*done_);
        done_.reset();
        over({how, std::exchange(taken_, 0), 0});
    }
    void resume() {
        if (!is_closed_) nghttp2_session_resume_data(session_, id_);
    }
    void reset(std::uint32_t why) {
        if (!is_closed_ && !std::exchange(is_reset_, true))
            nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id_, why);
    }
    void settle(const wsolo::endpoint_wants& wants) {
        wants_ = wants;
        if (wants.read && !is_closed_)
            nghttp2_session_consume_stream(session_, id_, std::exchange(unread_, 0));
        if (!wants.finished) return;
        ws_.reset();
        if (!ends_) reset(NGHTTP2_CANCEL);
    }

    nghttp2_session* session_;
    std::int32_t id_;
    std::function<void()> wake_session_;
    std::atomic<bool> is_asked_{false};
    std::array<wsolo::const_bytes, 16> parts_; ///< of the write in flight; their bytes are the writer's
    std::size_t count_ = 0;
    std::size_t next_ = 0;
    std::size_t taken_ = 0;
    std::optional<wsolo::write_done> done_;
    std::size_t unread_ = 0; ///< not credited yet
    bool ends_ = false;      ///< END_STREAM is to follow
    bool has_ended_ = false;
    bool is_broken_ = false;
    bool is_closed_ = false;
    bool is_reset_ = false;
    wsolo::endpoint_wants wants_;
    std::optional<wsolo::server_connection<wire, wake, chat>> ws_;
};
