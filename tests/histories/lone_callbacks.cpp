// A history of one thread: what the writer calls, and what is done from inside.

#include "lone_parts.hpp"

#include <algorithm>
#include <stdexcept>

namespace histories {

using namespace std::chrono_literals;

void lone_history::callback(const char* name) {
    ++callbacks_;
    if (subject_ == nullptr || (!subject_->is_alive() && !dying_))
        broke("late_callback", std::string(name) + " after the writer's end");
    check_stack();
    const raised inside(running_->callbacks, 1);
    seeded draw(seed_, 0x1000'0000ULL + callbacks_);
    if (draw.chance(reenters_)) nested(2);
}

void lone_history::nested(unsigned most) {
    if (depth_ >= 3 || !alive() || journal::is_broken()) return;
    const raised deeper(depth_, 1U);
    for (unsigned i = 0; i < most; ++i) {
        if (number_ >= wanted_ || number_ >= less_.cut || ending_ || !alive()) return;
        perform();
    }
}

void lone_history::check_stack() {
#if HISTORIES_REFUSE_MEMORY // under a sanitizer a frame has another size
    char here = 0;
    const std::ptrdiff_t used = stack_base_ - &here;
    if (used > static_cast<std::ptrdiff_t>(96 * 1024 * (depth_ + 1)))
        broke("recursion",
              std::to_string(used) + " bytes of stack in use, " + std::to_string(depth_) + " callbacks deep");
#endif
}

io lone_history::write(std::span<const part> parts, time_point deadline) {
    std::size_t offered = 0;
    for (const part each : parts) {
        if (each.empty()) broke("transport", "an empty part is offered");
        offered += each.size();
    }
    if (offered == 0) broke("transport", "nothing is offered");
    if (ended_transport_) broke("transport", "a write after finish()");
    callback("write");
    seeded draw(seed_, 0x2000'0000ULL + ++callbacks_);
    io how{taken::ok, offered, 0};
    if (mood_ == mood::choppy) {
        how.bytes = draw.chance(30)
                        ? offered
                        : draw.between(1, draw.chance(50) ? std::min<std::size_t>(offered, 9) : offered);
        if (draw.chance(25)) how = {taken::would_block, draw.chance(50) ? 0 : draw.below(offered), 105};
        if (draw.chance(3) && deadline != time_point::max() && !always_perfect_ && depth_ == 0) {
            lone_thread::now = std::max(lone_thread::now, deadline);
            how = {taken::timed_out, draw.below(offered), 0};
        }
    } else if (mood_ == mood::stuck) {
        how = {taken::would_block, 0, 11};
    } else if (mood_ == mood::failing && draw.chance(30)) {
        how = {draw.chance(30) ? taken::throws : taken::failed, draw.below(offered), 32};
        if (how.how == taken::throws) how.bytes = 0;
    }
    std::size_t rest = how.bytes;
    for (const part each : parts) {
        const std::size_t share = std::min(rest, each.size());
        took(reinterpret_cast<const char*>(each.data()), share);
        rest -= share;
    }
    say("write: %zu of %zu bytes, %s", how.bytes, offered,
        how.how == taken::ok            ? "ok"
        : how.how == taken::would_block ? "would block"
        : how.how == taken::timed_out   ? "timed out"
                                        : "failed");
    if (journal::is_broken()) how.how = taken::failed;
    return how;
}

void lone_history::start_write(std::span<const part> parts, time_point) {
    if (in_flight_) broke("transport", "a second write is started");
    if (ended_transport_) broke("transport", "a write after finish()");
    in_flight_ = true;
    cancelled_ = false;
    flight_.assign(parts.begin(), parts.end());
    say("start_write: %zu parts", parts.size());
    seeded draw(seed_, 0x3000'0000ULL + ++callbacks_);
    const bool at_once = mood_ != mood::stuck && draw.chance(25);
    callback("start_write");
    if (at_once && in_flight_) {
        const raised inside(running_->callbacks, 1);
        complete_some(draw, draw.chance(50));
    }
}

void lone_history::complete_some(seeded& draw, bool whole) {
    std::size_t offered = 0;
    for (const part each : flight_) offered += each.size();
    io how{taken::ok, offered, 0};
    if (!whole && !always_perfect_) {
        if (mood_ != mood::perfect) how.bytes = draw.between(1, offered);
        if (mood_ == mood::failing && draw.chance(30)) how = {taken::failed, draw.below(offered), 32};
        if (cancelled_ && draw.chance(70))
            how = {taken::failed, draw.chance(50) ? 0 : draw.below(offered), 125};
    }
    std::size_t rest = how.bytes;
    unsigned seen = 0;
    for (const part each : flight_) {
        const std::size_t share = std::min(rest, each.size());
        for (std::size_t i = 0; i < share; i += 16)
            seen += std::to_integer<unsigned>(each[i]); // read it in any case
        if (subject_->is_alive()) took(reinterpret_cast<const char*>(each.data()), share);
        rest -= share;
    }
    say("complete: %zu of %zu bytes, %s (%u)", how.bytes, offered, how.how == taken::ok ? "ok" : "failed",
        seen % 10);
    in_flight_ = cancelled_ = false;
    flight_.clear();
    const raised call(calls_, 1U);
    subject_->complete(how);
}

void lone_history::cancel_write() {
    say("cancel_write");
    cancelled_ = true;
    callback("cancel_write");
    seeded draw(seed_, 0x4000'0000ULL + ++callbacks_);
    if (in_flight_ && draw.chance(50)) {
        const raised inside(running_->callbacks, 1);
        complete_some(draw, false);
    }
}

void lone_history::finish(bool drained) {
    say("finish: %s", drained ? "drained" : "broken");
    if (ended_transport_) broke("transport", "finish() is called twice");
    ended_transport_ = true;
    if (in_flight_ && !dying_) broke("transport", "finish() with a write in flight");
    callback("finish");
}

bool lone_history::hook() {
    say("hook");
    hook_due_ = true;
    ++hooks_;
    blocked_ = false;
    callback("hook");
    seeded draw(seed_, 0x5000'0000ULL + ++callbacks_);
    if (pumps_ == 1 && calls_ == 0 && depth_ == 0 && alive() && number_ >= 3 && running_ == &main_ &&
        must_end_by_ != time_point::max() && corks_ == 0 && !is_gated_ && open_record_ == 0 &&
        draw.chance(50)) {
        // The thread that the hook wakes is quick: it pumps, is told `finished`, and destroys the writer.
        bool has_messages = false;
        for (const open_message& each : message_) has_messages = has_messages || each.exists;
        if (!has_messages) {
            thread other;
            thread* const before = std::exchange(running_, &other);
            lone_thread::word = &other.word;
            say("another thread pumps, and destroys the writer when that says finished");
            left got = left::more;
            for (int i = 0; i < 50 && got == left::more; ++i) {
                hook_due_ = false;
                ++pump_serial_;
                const pumped was = subject_->pump();
                got = was.status;
                blocked_ = got == left::blocked;
                pump_at_ = was.deadline;
            }
            for (const open_message& each : message_) has_messages = has_messages || each.exists;
            if (got == left::finished && !has_messages && corks_ == 0) {
                if (!has_final_) final_ = subject_->report();
                has_final_ = true;
                dying_ = true;
                subject_->destroy();
                dying_ = false;
                writer_is_gone();
                say("destroyed");
            }
            running_ = before;
            lone_thread::word = &before->word;
        }
    }
    if (refuses_hook_ != 0 && draw.chance(refuses_hook_)) {
        say("the hook refuses");
        timed_out_rightly_ = true;
        if (draw.chance(50)) throw std::runtime_error("a hook that throws");
        return false;
    }
    return true;
}

void lone_history::on_finished(const totals& report) {
    say("on_finished: %s, written %llu, dropped %llu", str(report.reason).c_str(),
        static_cast<unsigned long long>(report.frames_written),
        static_cast<unsigned long long>(report.frames_dropped));
    if (finished_) broke("outcome", "on_finished() is called twice");
    finished_ = true;
    final_ = report;
    has_final_ = true;
    if (always_perfect_ && diligent_ && !timed_out_rightly_ && !is_gated_ && how_.completes == false &&
        (report.reason == errc::drain_timed_out || report.reason == errc::write_timed_out))
        broke("timed_out", "a writable transport, and the end is " + str(report.reason));
    callback("on_finished");
}

void lone_history::told(item& whom) {
    const heap::outside out;
    journal::line(depth_, "told #%u: %s", whom.number, str(whom.outcome).c_str());
    if (std::exchange(told_by_caller, false)) return;
    if (whom.chain > 1 && alive() && !ending_ && !journal::is_broken()) {
        ++callbacks_;
        check_stack();
        const raised inside(running_->callbacks, 1);
        seeded draw(seed_, 0x6000'0000ULL + callbacks_);
        send_item(kind_of_send::text, smallest, draw, whom.chain - 1);
        return;
    }
    callback("outcome");
    seeded draw(seed_, 0x9000'0000ULL + ++callbacks_);
    if (whom.outcome == errc::dropped_oldest && reenters_ != 0 && alive() && !ending_ && draw.chance(30)) {
        // Another thread pumps while the send that displaced it is under way.
        thread other;
        thread* const before = std::exchange(running_, &other);
        lone_thread::word = &other.word;
        static_cast<void>(pump());
        running_ = before;
        lone_thread::word = &before->word;
    }
}

void lone_history::wake(const void* sleeper) {
    for (asleep* each : sleepers_)
        if (each->sleeper == sleeper) each->woken = true;
}

bool lone_history::sleep(const void* sleeper, time_point deadline) {
    if (journal::is_broken()) {
        lone_thread::now =
            deadline == time_point::max() ? lone_thread::now : std::max(deadline, lone_thread::now);
        return deadline == time_point::max();
    }
    asleep own;
    asleep& me = next_sleep_ != nullptr ? *next_sleep_ : own;
    next_sleep_ = nullptr;
    me.sleeper = sleeper;
    me.woken = false;
    sleepers_.push_back(&me);
    say("(sleeps)");
    if (running_->callbacks != 0) broke("self_wait", "a wait inside of a callback sleeps");

    thread other;
    thread* const before = std::exchange(running_, &other);
    lone_thread::word = &other.word;
    {
        const raised deeper(depth_, 1U);
        const auto go_on = [&] { return !me.woken && !journal::is_broken(); };
        for (unsigned i = 0; i < 3 && go_on() && depth_ <= 3; ++i) {
            if (number_ >= wanted_ || number_ >= less_.cut || ending_ || !alive()) break;
            seeded draw(seed_, 0x8000'0000ULL + ++callbacks_);
            if (me.needs != 0 && draw.chance(40)) { // what makes room without a write
                if (!less_.skipped.contains(++number_)) send_item(kind_of_send::keyed, smallest, draw);
            } else {
                perform();
            }
            if (!go_on() || !alive()) break;
            // Is there room for the one that waits for it, and none that waits before it?
            if (me.needs != 0 && sleepers_.front() == &me && sleepers_.size() == 1 &&
                !subject_->is_finished()) {
                const std::size_t bound = open_record_ != 0 ? how_.max_bytes / 2 : how_.max_bytes;
                const std::uint32_t frames = open_record_ != 0 ? how_.max_frames / 2 : how_.max_frames;
                if (subject_->queued_bytes() + me.needs <= bound && subject_->queued_frames() < frames &&
                    how_.when_full != policy::drop_oldest)
                    broke("room", "there is room for one that waits for " + std::to_string(me.needs) +
                                      " bytes: " + std::to_string(subject_->queued_bytes()) + " of " +
                                      std::to_string(how_.max_bytes) + " in use");
            }
        }
        left last = left::blocked;
        for (unsigned i = 0; i < 100 && go_on() && alive() && calls_ <= 1 && pumps_ == 0; ++i) {
            if (in_flight_ && mood_ != mood::stuck) {
                seeded draw(seed_, 0x7000'0000ULL + ++callbacks_);
                complete_some(draw, false);
                hook_due_ = true;
            }
            if (!hook_due_ && last != left::more && (last != left::blocked || mood_ == mood::stuck)) break;
            last = pump();
        }
        if (go_on() && me.flush != nullptr && last == left::idle && !is_gated_ && !is_corked() &&
            all_before_is_written(*me.flush))
            broke("flush_waits", of(*me.flush) + " sleeps, and all before it is written");
    }
    running_ = before;
    lone_thread::word = &before->word;
    std::erase(sleepers_, &me);
    if (me.woken) return true;
    if (deadline == time_point::max()) {
        broke("hang", "a thread sleeps without a deadline, and no thread can wake it");
        journal::line(0, "no way out");
        std::abort();
    }
    lone_thread::now = std::max(lone_thread::now, deadline);
    if (lone_thread::now >= must_end_by_) timed_out_rightly_ = true; // nothing pumped at that moment
    say("(timed out)");
    return false;
}

} // namespace histories
