// Random histories of a group: threads send to all, join, leave, destroy members and close all, beside the members' loops.
// Would catch: a member that misses a message or gets one twice while it is there, one that is called when it is gone, a
// count that does not add up, a member that a close passes over, a wait that ends too early. Under TSan above all.
// WSOLO_HISTORY_SEED runs the one history of that seed.

#include <support/catch.hpp>

#include <wsolo/endpoint/connection_group.hpp>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using wsolo::close_code;
using wsolo::errc;

constexpr std::size_t senders = 3;

/// What one sender says: its number and a count, in eight bytes.
struct numbered {
    std::uint32_t sender;
    std::uint32_t number;
};

/// Numbers of one history, added up by all threads.
struct sums {
    std::atomic<std::uint64_t> got{0};
    std::atomic<std::uint64_t> out_of_order{0};
    std::atomic<std::uint64_t> after_death{0};
    std::atomic<std::uint64_t> closed{0};
    std::atomic<std::uint64_t> ended{0};
    std::atomic<std::uint64_t> gone{0};
};

/// A member that writes down what it got. `Self`: what the group sends it.
template <wsolo::role Self>
struct member {
    static constexpr wsolo::role self = Self;

    explicit member(sums& adds, unsigned full_every) : adds_(adds), full_every_(full_every) {}
    ~member() {
        anchor = {};
        is_dead_.store(true, std::memory_order_relaxed);
    }

    errc send(const wsolo::shared_frame& frame)
        requires(Self == wsolo::role::server)
    {
        return take(frame.bytes().last(sizeof(numbered)));
    }
    errc send_text(std::string_view)
        requires(Self == wsolo::role::client)
    {
        return errc::raw_frame_malformed; // only binary is sent
    }
    errc send_binary(wsolo::const_bytes payload)
        requires(Self == wsolo::role::client)
    {
        return take(payload);
    }
    errc close(close_code code, std::string_view reason, wsolo::duration) {
        if (code != close_code::going_away || reason != "history") adds_.out_of_order += 1;
        if (is_closed_.exchange(true)) return errc::closed;
        adds_.closed += 1;
        return errc::none;
    }
    void abort(errc) { is_aborted_.store(true); }
    void ask_for_turn() { is_asked_.store(true); }

    // its loop's
    [[nodiscard]] bool is_over() const { return is_closed_.load() || is_aborted_.load(); }
    [[nodiscard]] bool is_asked() { return is_asked_.exchange(false); }

    wsolo::group_seat seat;
    wsolo::session_anchor<member> anchor = std::move(*wsolo::session_anchor<member>::make(*this));

private:
    errc take(wsolo::const_bytes payload) {
        if (is_dead_.load(std::memory_order_relaxed)) adds_.after_death += 1;
        if (is_closed_.load()) return errc::closed;
        numbered what{};
        std::memcpy(&what, payload.data(), sizeof what);
        // Each sender's own place, so plain memory: two threads in it are a data race.
        std::uint32_t& last = last_[what.sender];
        const bool follows = last == 0 ? what.number != 0 : what.number == last + 1;
        if (!follows) adds_.out_of_order += 1;
        last = what.number;
        if (full_every_ != 0 && what.number % full_every_ == 0) return errc::queue_full;
        adds_.got += 1;
        return errc::none;
    }

    sums& adds_;
    const unsigned full_every_;
    std::array<std::uint32_t, senders> last_{};
    std::atomic<bool> is_closed_{false};
    std::atomic<bool> is_aborted_{false};
    std::atomic<bool> is_asked_{false};
    std::atomic<bool> is_dead_{false};
};

/// One loop: a thread with members, that lets them join, turns them, ends them, leaves with them and destroys them.
template <wsolo::role Self>
void run_loop(wsolo::connection_group& everyone, sums& adds, std::uint32_t seed) {
    std::mt19937 draw(seed);
    std::vector<std::unique_ptr<member<Self>>> members;
    bool is_open = true;
    const auto end = [&](member<Self>& one) {
        wsolo::ending how;
        how.written.frames_written = 1;
        adds.ended += 1;
        one.seat.leave(how);
    };
    for (int step = 0; is_open || !members.empty(); ++step) {
        const std::size_t at = members.empty() ? 0 : draw() % members.size();
        const unsigned dice = draw() % 16;
        if (is_open && (members.empty() || (dice < 5 && members.size() < 40))) {
            auto fresh = std::make_unique<member<Self>>(adds, dice == 0 ? 5U : 0U);
            auto seat = everyone.join(fresh->anchor.handle());
            if (seat) {
                fresh->seat = std::move(*seat);
                members.push_back(std::move(fresh));
            } else {
                is_open = false;
            }
        } else if (!members.empty() && dice == 5) { // destroyed unfinished
            adds.gone += 1;
            members.erase(members.begin() + static_cast<std::ptrdiff_t>(at));
        } else if (!members.empty() && dice == 6) { // leaves first
            adds.gone += 1;
            members[at]->seat.leave();
            members.erase(members.begin() + static_cast<std::ptrdiff_t>(at));
        }
        for (std::size_t i = members.size(); i-- > 0;) {
            member<Self>& one = *members[i];
            static_cast<void>(one.is_asked());
            one.seat.tick(std::chrono::steady_clock::now());
            if (!one.is_over()) continue;
            end(one);
            members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
        }
        if (!is_open) std::this_thread::sleep_for(100us); // what is left is closed when its time has come
    }
}

/// Returns what happened, for a look at whether it was much.
wsolo::group_report run_history(std::uint32_t seed) {
    INFO("WSOLO_HISTORY_SEED=" << seed);
    std::mt19937 draw(seed);
    const bool disconnects = draw() % 4 == 0;
    const bool aborts = draw() % 4 == 0;
    const bool hurries = draw() % 3 == 0;
    const auto spread = std::chrono::milliseconds(draw() % 2 == 0 ? 0 : draw() % 20);
    auto everyone = std::make_unique<wsolo::connection_group>(
        disconnects ? wsolo::when_member_full::disconnect : wsolo::when_member_full::skip);
    sums adds;
    std::atomic<std::uint64_t> accepted{0}, full{0}, refused{0};
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (std::uint32_t id = 0; id < senders; ++id)
        threads.emplace_back([&, id] {
            for (std::uint32_t number = 1; !is_over.load(); ++number) {
                const numbered what{id, number};
                const auto sum = everyone->send_binary(std::as_bytes(std::span(&what, 1)));
                accepted += sum.accepted;
                full += sum.full;
                refused += sum.refused;
                if (number % 64 == id) std::this_thread::yield();
            }
        });
    threads.emplace_back(
        [&, at = static_cast<std::uint32_t>(draw())] { run_loop<wsolo::role::server>(*everyone, adds, at); });
    threads.emplace_back(
        [&, at = static_cast<std::uint32_t>(draw())] { run_loop<wsolo::role::client>(*everyone, adds, at); });
    std::this_thread::sleep_for(std::chrono::microseconds(draw() % 20'000));
    if (aborts) everyone->abort_all();
    std::array<errc, 2> closes{errc::none, errc::none};
    std::thread other([&] {
        if (hurries) closes[1] = everyone->close_all(close_code::going_away, "history", 5s, spread);
    });
    closes[0] = everyone->close_all(close_code::going_away, "history", 5s, spread);
    const errc waited = everyone->wait(std::chrono::steady_clock::now() + 60s);
    const wsolo::group_report report = everyone->report();
    other.join();
    is_over = true;
    for (std::thread& each : threads) each.join();

    CHECK(waited == errc::none);
    CHECK((closes[0] == errc::none) != (hurries && closes[1] == errc::none)); // one of them was the first
    CHECK(adds.out_of_order == 0);
    CHECK(adds.after_death == 0);
    CHECK(adds.got == accepted);
    CHECK(refused == 0);
    CHECK(report.present == 0);
    CHECK(report.joined == report.closed_in_order + report.gone);
    CHECK(report.closed_in_order == adds.ended);
    CHECK(report.gone == adds.gone);
    CHECK(report.frames_written == adds.ended);
    CHECK(everyone->report().times_full == full);
    CHECK(everyone->send_text("to no member").accepted == 0);
    everyone.reset();
    wsolo::group_report happened = report;
    happened.messages_handled = accepted;
    happened.times_full = full;
    return happened;
}

} // namespace

TEST_CASE("a group's members come, go, get all that is sent to all, and are all closed",
          "[endpoint][group]") {
    if (const char* seed = std::getenv("WSOLO_HISTORY_SEED"))
        return static_cast<void>(run_history(static_cast<std::uint32_t>(std::strtoul(seed, nullptr, 10))));
    std::uint64_t accepted = 0, full = 0, joined = 0, closed = 0, gone = 0;
    for (std::uint32_t seed = 1; seed <= 30; ++seed) {
        const wsolo::group_report happened = run_history(seed);
        accepted += happened.messages_handled;
        full += happened.times_full;
        joined += happened.joined;
        closed += happened.closed_in_order;
        gone += happened.gone;
    }
    INFO(joined << " joined, " << closed << " ended, " << gone << " were gone; " << accepted << " accepted, "
                << full << " without room");
    CHECK(accepted > 1000);
    CHECK(joined > 100);
    CHECK(full > 0);
    CHECK(closed > 0);
    CHECK(gone > 0);
}

TEST_CASE("many more histories of a group", "[endpoint][group][.full]") {
    for (std::uint32_t seed = 1000; seed < 1500; ++seed) static_cast<void>(run_history(seed));
}
