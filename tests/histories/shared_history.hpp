#pragma once
// A history of several threads: senders, a loop that pumps (or wsolo's own thread), another thread that pumps
// too, a device that ends started writes, and a user of handles who goes on while the writer is destroyed.
//
// Laws of this file:
// - The seed decides what each thread does; how they meet is the scheduler's. A seed that failed may need
//   several runs to fail again.
// - All clocks are real; no rule depends on how long something took, but for bounds that are 3 s wider than
//   what was promised.

#include "oracle.hpp"
#include "seeded.hpp"

#include <array>
#include <condition_variable>
#include <thread>

namespace histories {

class shared_history final : surroundings, oracle {
public:
    shared_history(std::uint64_t seed, const making& how)
        : oracle(how.client, how.when_full, make_reader(how.compression), how.compression.growth()),
          seed_(seed),
          how_(how) {}

    static making draw(std::uint64_t seed);
    void run();

private:
    struct relay { // a message whose next part is written by the outcome of the one before
        shared_history* self = nullptr;
        std::size_t place = 0;
        unsigned record = 0;
        bool text = false;
        std::atomic<int> parts_left{0};
        std::atomic<bool> over{false};
    };

    io write(std::span<const part> parts, time_point deadline) override;
    void start_write(std::span<const part> parts, time_point deadline) override;
    void cancel_write() override;
    bool wait_writable(time_point deadline) override;
    void finish(bool drained) override;
    bool hook() override;
    void on_finished(const totals& report) override;
    void on_high_water() override { callback(); }
    void on_low_water() override { callback(); }
    void told(item& whom) override;

    void sender(unsigned number);
    void operate(unsigned number, seeded& draw);
    void send_one(seeded& draw, bool may_wait);
    void send_relayed(unsigned number, seeded& draw);
    void write_next(relay& at);
    void close_once(seeded& draw);
    void loop();
    void other_pump();
    void device();
    void by_handle();
    void callback();
    void end_of_history(seeded& draw);
    left pump();
    void wake();
    [[nodiscard]] static seeded& draws();

    std::uint64_t seed_;
    making how_;
    std::unique_ptr<subject> subject_;
    unsigned reenters_ = 0, wanted_ = 30, senders_ = 2;
    bool pumps_twice_ = false;
    std::size_t largest_ = 300;

    std::atomic<bool> stop_{false}, closing_{false}, is_over_{false}, in_transport_{false}, healthy_{false};
    std::atomic<int> finishes_{0}, finals_{0};
    totals final_;

    std::mutex loop_mutex_;
    std::condition_variable loop_changed_;
    bool awake_ = false;

    std::mutex device_mutex_;
    std::condition_variable device_changed_;
    bool in_flight_ = false;
    std::vector<part> flight_;
    std::deque<relay> relays_;
    std::mutex relays_mutex_;
    std::vector<std::pair<item*, relay*>> relayed_;
};

} // namespace histories
