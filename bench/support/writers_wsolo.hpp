#pragma once
// wsolo's three drives over the shipped POSIX transport: a loop of its own (deferred, and inline with the
// loop for what is left), and the threaded one.

#include "writers_common.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/write/single_writer.hpp>
#include <wsolo/write/threaded.hpp>

#include <sys/eventfd.h>

namespace bench {

/// The shipped transport; for the null wire one that takes everything.
class wire_transport {
public:
    static constexpr bool never_waits = true;

    explicit wire_transport(const wire& to) : socket_(to.descriptor()) {}

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) noexcept {
        wsolo::io_result result{wsolo::io_status::ok, 0, 0};
        if (socket_.descriptor() >= 0)
            result = socket_.write(parts, deadline);
        else
            for (const wsolo::const_bytes part : parts) result.transferred += part.size();
        written_by_this_thread += result.transferred;
        return result;
    }
    [[nodiscard]] bool wait_writable(wsolo::time_point deadline) noexcept {
        return socket_.wait_writable(deadline);
    }
    void finish(wsolo::end_of_write why) noexcept {
        if (socket_.descriptor() >= 0) socket_.finish(why);
    }

private:
    wsolo::adapt::posix_socket socket_;
};

inline wsolo::writer_options bounded_writer() {
    wsolo::writer_options options;
    options.limits.max_bytes = backlog_bytes;
    options.limits.max_frames = 1024 * 1024; // the bytes are the bound
    return options;
}

/// Common to the three: how a frame is offered.
template <class Writer>
bool offer(Writer& to, wsolo::const_bytes payload) {
    const wsolo::errc error = to.send_binary(payload);
    if (error != wsolo::errc::none && error != wsolo::errc::queue_full) std::abort();
    return error == wsolo::errc::none;
}

/// An event loop reduced to one writer: sleeps on an eventfd, pumps when the hook says so.
class writer_loop {
public:
    writer_loop() : event_(::eventfd(0, 0)) { must(event_ >= 0); }
    writer_loop(const writer_loop&) = delete;
    writer_loop& operator=(const writer_loop&) = delete;
    ~writer_loop() { ::close(event_); }

    void wake() const {
        const std::uint64_t one = 1;
        must(::write(event_, &one, sizeof one) == sizeof one);
    }

    template <class Writer>
    void run(Writer& writer) const {
        wsolo::pump_result left{};
        while (left.status != wsolo::pump_status::finished) {
            std::uint64_t wakes = 0;
            must(::read(event_, &wakes, sizeof wakes) == sizeof wakes);
            while ((left = writer.pump()).status == wsolo::pump_status::blocked)
                static_cast<void>(writer.wait_writable(left.deadline));
        }
    }

private:
    int event_;
};

struct wake_loop {
    const writer_loop* loop;
    void operator()() const { loop->wake(); }
};

template <class Hook>
class wsolo_looped {
public:
    using producer = plain_producer<wsolo_looped>;
    static constexpr std::size_t farewell = 4;

    explicit wsolo_looped(wire& to)
        : writer_(wire_transport(to), Hook{wake_loop{&loop_}}, bounded_writer()),
          thread_([this] { loop_.run(writer_); }) {}

    bool try_send(wsolo::const_bytes payload) { return offer(writer_, payload); }
    void finish() {
        must(writer_.close(wsolo::close_code::normal, {}, std::chrono::seconds(100)) == wsolo::errc::none);
        loop_.wake(); // inline, the close may have been written here, and the loop not asked for anything
        thread_.join();
        must(writer_.report().is_clean() && writer_.report().frames_dropped == 0);
    }

private:
    writer_loop loop_;
    wsolo::single_writer<wire_transport, Hook> writer_;
    std::thread thread_;
};

struct wsolo_deferred : wsolo_looped<wake_loop> {
    static constexpr const char* name = "wsolo_deferred";
    using wsolo_looped::wsolo_looped;
};

struct wsolo_inline : wsolo_looped<wsolo::inline_drive<wake_loop>> {
    static constexpr const char* name = "wsolo_inline";
    using wsolo_looped::wsolo_looped;
};

class wsolo_threaded {
public:
    static constexpr const char* name = "wsolo_threaded";
    using producer = plain_producer<wsolo_threaded>;
    static constexpr std::size_t farewell = 4;

    explicit wsolo_threaded(wire& to) : writer_(wire_transport(to), bounded_writer()) {}

    bool try_send(wsolo::const_bytes payload) { return offer(writer_.writer(), payload); }
    void finish() {
        must(writer_->close(wsolo::close_code::normal, {}, std::chrono::seconds(100)) == wsolo::errc::none);
        must(writer_.wait() && writer_->report().is_clean() && writer_->report().frames_dropped == 0);
    }

private:
    wsolo::threaded_writer<wire_transport> writer_;
};

} // namespace bench
