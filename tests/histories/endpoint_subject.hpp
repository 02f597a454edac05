#pragma once
// One endpoint under test behind virtual functions: either role, handled in the loop (by a handler that may keep messages,
// or by one that is lent them, with one_thread_traits), in a pool that the history plays, or by a coroutine; and what it calls.
//
// Laws of this file:
// - Only endpoint_subjects.cpp names the template. Options, errors and endings are the library's own values.
// - The loop and each thread of the pool are threads of their own to the library (Traits::thread_slot), although one
//   thread plays them all.

#include "heap_meter.hpp"
#include "subject.hpp"

#include <wsolo/testing/pair.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace histories {

using wsolo::errc;
using clock = wsolo::testing::virtual_clock;
using time_point = wsolo::time_point;
using span_of_time = wsolo::duration;

enum class handled_by : std::uint8_t { loop, lent, pool, coroutine };

/// The thread that runs now, as the library sees it.
struct played_thread {
    static inline void* loop = nullptr;
    static inline void** word = &loop;

    explicit played_thread(void*& mine) : before_(std::exchange(word, &mine)) {}
    played_thread(const played_thread&) = delete;
    played_thread& operator=(const played_thread&) = delete;
    ~played_thread() { word = before_; }

private:
    void** before_;
};

/// What an endpoint calls.
class endpoint_surroundings {
public:
    endpoint_surroundings() = default;
    endpoint_surroundings(const endpoint_surroundings&) = delete;
    endpoint_surroundings& operator=(const endpoint_surroundings&) = delete;
    virtual ~endpoint_surroundings() = default;

    // The transport.
    virtual void before_write() = 0;
    virtual void wrote(std::string_view bytes) = 0;
    virtual void ended_output() = 0; ///< after our FIN was sent, however
    virtual void disconnected() = 0;
    virtual void writer_finished() = 0;
    // The loop.
    virtual void receives(std::size_t bytes) = 0;
    virtual void input_ends(errc why) = 0;
    virtual void wants(const wsolo::endpoint_wants& now) = 0;
    // Hooks.
    virtual void schedule() = 0;
    virtual void work_asked() = 0;
    virtual errc on_message(bool is_text, std::string_view payload) = 0;
    virtual void on_ping() = 0;
    virtual void on_pong() = 0;
    virtual void on_peer_close(wsolo::close_code code) = 0;
    virtual void on_room() = 0;
    virtual void on_beat() = 0;
    virtual void on_refused(std::string_view payload) = 0;
    virtual void on_finished(const wsolo::ending& how) = 0;
    // A coroutine.
    virtual bool waits_elsewhere() = 0; ///< before it answers
    virtual void elsewhere() = 0;       ///< it is suspended: resume_coroutine() is owed
    virtual void answers() = 0;
    virtual void messages_over(errc why) = 0;
};

class endpoint_subject {
public:
    endpoint_subject() = default;
    endpoint_subject(const endpoint_subject&) = delete;
    endpoint_subject& operator=(const endpoint_subject&) = delete;
    virtual ~endpoint_subject() = default;

    // Any thread's.
    virtual errc send(bool is_text, std::string_view payload) = 0;
    virtual errc send_shared(std::string_view payload) = 0; ///< of a client: as send()
    virtual errc send_parts(bool is_text, std::string_view payload, std::size_t cut, unsigned& frames) = 0;
    virtual errc send_ping(std::string_view payload) = 0;
    virtual errc close(unsigned code, std::string_view reason,
                       span_of_time within) = 0; ///< zero: the default bound
    virtual void abort() = 0;
    virtual void work() = 0;
    virtual void take_handle() = 0;
    virtual void drop_handle() = 0;
    virtual errc send_by_handle(std::string_view payload) = 0; ///< text
    virtual errc close_by_handle() = 0;
    // The loop's.
    virtual wsolo::endpoint_wants call_after_the_end(unsigned which) = 0;
    virtual void resume_coroutine() = 0;
    virtual void destroy() = 0;
    virtual bool is_alive() const = 0;
    virtual void trim() = 0; ///< the compression's memory, between messages
    virtual std::size_t compression_memory() const = 0;

    virtual std::size_t queued_bytes() const = 0;
    virtual std::size_t queued_frames() const = 0;
    virtual std::size_t queued_messages() const = 0;
    virtual bool is_reading_paused() const = 0;
};

/// Drives it on that end, from now on.
std::unique_ptr<endpoint_subject> make_endpoint(bool is_client, handled_by where,
                                                const wsolo::endpoint_options& how, const agreement& agreed,
                                                wsolo::testing::pair_end& end, endpoint_surroundings& around);
std::unique_ptr<endpoint_subject> make_compressing_endpoint(bool is_client, handled_by where,
                                                            const wsolo::endpoint_options& how,
                                                            const agreement& agreed,
                                                            wsolo::testing::pair_end& end,
                                                            endpoint_surroundings& around);

} // namespace histories
