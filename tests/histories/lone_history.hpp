#pragma once
// A history of one thread: random operations on one writer, also inside of everything that the writer calls,
// on a clock that stands still. A thread that would sleep is replaced by others meanwhile: they perform
// operations, pump, and let the time pass.
//
// Laws of this file:
// - Same seed, same history. Each operation has a number and draws of its own; WSOLO_HISTORY_CUT ends the
//   operations after that number, WSOLO_HISTORY_SKIP leaves some out, and the end is performed all the same.
// - The loop of a history is diligent in most seeds: it pumps when the hook was called, when a deadline
//   passed, and when the transport takes bytes again.

#include "heap_meter.hpp"
#include "oracle.hpp"
#include "seeded.hpp"

#include <set>

namespace histories {

/// What of a history is left out.
struct shrinking {
    unsigned cut = ~0U;
    std::set<unsigned> skipped;
    std::size_t refused_allocation = 0; ///< the n-th in the writer's code; 0: none
    std::size_t refused_in_a_row = 1;
};

class lone_history final : surroundings, lone_thread, oracle {
public:
    lone_history(std::uint64_t seed, const making& how, const shrinking& less)
        : oracle(how.client, how.when_full, make_reader(how.compression), how.compression.growth()),
          seed_(seed),
          how_(how),
          less_(less),
          draws_(seed, 1) {}

    /// The configuration that belongs to a seed.
    static making draw(std::uint64_t seed);

    /// Performs it; journal::is_broken() says how it went.
    void run();

    /// The names of operations that no history of this process has performed.
    [[nodiscard]] static std::string never_performed();

private:
    enum class operation : std::uint8_t {
        send,
        burst,
        begin_message,
        write_part,
        finish_message,
        drop_message,
        close,
        raw_close,
        abort,
        flush,
        flush_until,
        flush_in_coroutine,
        send_in_coroutine,
        send_wait,
        chain,
        cork,
        uncork,
        acknowledge,
        bound_gate,
        open_gate,
        reject_gate,
        drop_gate,
        pump,
        advance,
        mood,
        complete,
        lose,
        take_handle,
        drop_handle,
        send_by_handle,
        close_by_handle,
        abort_by_handle,
        flush_by_handle,
        malformed,
        throwing_send,
        destroy,
        count_
    };
    static constexpr std::size_t operations = static_cast<std::size_t>(operation::count_);
    enum class mood : std::uint8_t { perfect, choppy, stuck, failing };

    struct thread {
        void* word = nullptr;
        int callbacks = 0; ///< of the writer, that the thread is in
    };
    struct open_message {
        bool exists = false, ended = false, has_parts = false;
        unsigned record = 0;
        bool text = false;
    };
    struct asleep {
        const void* sleeper = nullptr;
        bool woken = false;
        const item* flush = nullptr; ///< what it waits for
        std::size_t needs = 0;       ///< budget that it waits for
    };

    // The writer's surroundings.
    io write(std::span<const part> parts, time_point deadline) override;
    void start_write(std::span<const part> parts, time_point deadline) override;
    void cancel_write() override;
    bool wait_writable(time_point) override { return true; }
    void finish(bool drained) override;
    bool hook() override;
    void on_finished(const totals& report) override;
    void on_high_water() override { callback("on_high_water"); }
    void on_low_water() override { callback("on_low_water"); }
    void on_encoded() override { check_heap(); }
    void told(item& whom) override;
    bool sleep(const void* sleeper, time_point deadline) override;
    void wake(const void* sleeper) override;

    void callback(const char* name);
    void nested(unsigned most);
    void perform();
    bool perform(operation which, seeded& draw);
    void send_one(seeded& draw);
    void send_item(kind_of_send kind, std::size_t size, seeded& draw, unsigned chain = 0);
    void do_part(std::size_t place, bool last, seeded& draw);
    void do_close(seeded& draw, bool raw);
    void note_end_by(span_of_time within);
    left pump();
    void settle();
    void advance(span_of_time by);
    void complete_some(seeded& draw, bool whole);
    bool writes_are_stuck() const { return mood_ == mood::stuck; }
    std::size_t size_of_payload(seeded& draw);
    void check_heap();

    /// What a refused operation must leave as it was.
    struct standing {
        std::uint64_t dropped = 0;
        std::size_t held = 0, items = 0;
        unsigned number = 0;
    };
    [[nodiscard]] standing stands() const;
    void check_refused(const item& it, const standing& before);
    void check_stack();
    void before_call();
    void end_of_history();
    [[nodiscard]] bool alive() const { return subject_ != nullptr && subject_->is_alive() && !dying_; }
    [[nodiscard]] bool is_corked() const { return corks_ != 0; }
    [[nodiscard]] std::size_t allowed_heap() const;

    [[gnu::format(printf, 2, 3)]] void say(const char* format, ...) const;

    std::uint64_t seed_;
    making how_;
    shrinking less_;
    seeded draws_;
    std::unique_ptr<subject> subject_;
    thread main_;
    thread* running_ = &main_;

    // What was drawn for the whole history.
    mood mood_ = mood::perfect;
    bool always_perfect_ = false, diligent_ = true;
    unsigned reenters_ = 0; // percent
    unsigned wanted_ = 40;  // operations
    unsigned weights_[operations] = {};
    unsigned sizes_ = 0;
    unsigned refuses_hook_ = 0;

    unsigned number_ = 0; // of the last operation
    unsigned depth_ = 0;
    unsigned callbacks_ = 0, hooks_ = 0, pump_serial_ = 0;
    unsigned nested_operations_ = 0;
    inline static unsigned performed_[operations] = {};
    bool ending_ = false, dying_ = false;
    bool hook_due_ = false, blocked_ = false;
    bool timed_out_rightly_ = false;
    time_point pump_at_ = time_point::max();
    time_point must_end_by_ = time_point::max();
    bool is_gated_ = false;
    unsigned corks_ = 0;
    bool corked_[subject::places] = {};
    bool handle_[subject::places] = {};
    open_message message_[subject::places];
    unsigned open_record_ = 0; // number of the message that is open, or 0
    std::vector<asleep*> sleepers_;
    asleep* next_sleep_ = nullptr;
    std::size_t in_calls_ = 0; // bytes of the payloads of the calls that are under way
    std::size_t greetings_ = 0;
    unsigned pumps_ = 0; // calls of pump() under way, and whether anything else is
    unsigned calls_ = 0;
    bool finished_ = false, ended_transport_ = false;
    totals final_;
    bool has_final_ = false;
    const char* stack_base_ = nullptr;

    // A write in flight.
    bool in_flight_ = false, cancelled_ = false, is_starting_ = false;
    std::vector<part> flight_;
};

} // namespace histories
