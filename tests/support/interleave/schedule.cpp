#include "engine.hpp"

// Who goes next. Going on with the thread that runs is free; taking it off while it could go on is a
// preemption.

namespace interleave::detail {

void engine::point() {
    if (!acting_) return;
    virtual_thread& me = self();
    // A thread was chosen to start: its first operation is what it was chosen for.
    const bool starts = me.fresh && can_run(me);
    me.fresh = false;
    if (!starts) reschedule();
}

void engine::reschedule() {
    if (++steps_ > bounds_.max_steps)
        fail("livelock: " + std::to_string(bounds_.max_steps) +
             " steps and no end (or a spin loop without pause())");
    list_options();
    const auto leads = [](option each) { return each.how != cause::spurious; };
    if (std::none_of(options_.begin(), options_.end(), leads)) list_forced();
    if (options_.empty()) deadlock();
    const bool can_go_on = acting_ && options_[0].thread == current_ && options_[0].how == cause::run &&
                           self().state != waiting::change;
    resume(options_[pick(can_go_on)]);
}

bool engine::can_run(const virtual_thread& thread) const noexcept {
    switch (thread.state) {
    case waiting::nothing: return true;
    case waiting::lock: return locations_[thread.target].owner < 0;
    case waiting::change:
        return thread.restless || thread.idle_pauses <= bounds_.spin_limit || looks_different(thread);
    case waiting::signal:
    case waiting::finished: return false;
    }
    return false;
}

bool engine::looks_different(const virtual_thread& thread) const noexcept {
    for (std::size_t i = 0; i < thread.looked.size(); ++i) {
        if (thread.looked[i].round != thread.round) continue;
        const location& at = locations_[i];
        if (!at.alive) return true;
        const bits now = at.what == kind::mutex ? static_cast<bits>(at.owner >= 0) : at.stores.back().value;
        if (now != thread.looked[i].value) return true;
    }
    return false;
}

// The thread that runs comes first when it can go on, and last when it paused.
void engine::list_options() {
    options_.clear();
    const bool lead = acting_ && current_ != 0 && self().state != waiting::change && can_run(self());
    const bool paused = acting_ && current_ != 0 && self().state == waiting::change && can_run(self());
    if (lead) options_.push_back({current_, cause::run});
    for (std::size_t i = 1; i <= thread_count_; ++i)
        if (i != current_ && can_run(threads_[i])) options_.push_back({i, cause::run});
    if (paused) options_.push_back({current_, cause::run});
    const bool idle = options_.empty();
    for (std::size_t i = 1; i <= thread_count_; ++i) {
        const virtual_thread& each = threads_[i];
        if (each.state == waiting::signal && each.timed &&
            (idle || each.deadline <= now_ || may_deviate(timeouts_, bounds_.timeouts)))
            options_.push_back({i, cause::timeout});
        if (each.state != waiting::change || can_run(each)) continue;
        if (each.read_clock && may_deviate(clock_steps_, bounds_.clock_steps))
            options_.push_back({i, cause::timeout});
    }
    if (!may_deviate(spurious_wakes_, bounds_.spurious_wakes)) return;
    for (std::size_t i = 1; i <= thread_count_; ++i)
        if (threads_[i].state == waiting::signal) options_.push_back({i, cause::spurious});
}

// Nothing can go on but a spinner: time passes, and it looks again.
void engine::list_forced() {
    options_.clear();
    for (std::size_t n = 1; n <= thread_count_; ++n) {
        const std::size_t i = (last_forced_ + n - 1) % thread_count_ + 1;
        if (threads_[i].state != waiting::change) continue;
        last_forced_ = i;
        options_.push_back({i, cause::timeout});
        return;
    }
}

std::size_t engine::pick(bool can_go_on) {
    if (options_.size() == 1) return 0;
    if (choices_.how() == chooser::strategy::random) return pick_random();
    if (bounds_.merge_states && choices_.at_frontier() && seen_before(can_go_on)) choices_.freeze();
    if (can_go_on && preempted_ >= bound_) {
        cut_ = true;
        return 0;
    }
    const std::size_t way = choices_.choose(options_.size());
    if (can_go_on && way != 0) ++preempted_;
    return way;
}

// Priorities as in probabilistic concurrency testing: the highest runs, and falls to the bottom at a few
// random steps.
std::size_t engine::pick_random() {
    const auto drop = [this] { self().priority = --lowest_priority_; };
    if (std::find(change_points_.begin(), change_points_.end(), steps_) != change_points_.end()) drop();
    if (self().state == waiting::change) drop();
    std::size_t best = options_.size();
    for (std::size_t i = 0; i < options_.size(); ++i) {
        const bool plain = options_[i].how == cause::run;
        if (!plain && choices_.random() % 8 == 0) best = i;
        if (!plain || (best < options_.size() && options_[best].how != cause::run)) continue;
        if (best == options_.size() ||
            threads_[options_[i].thread].priority > threads_[options_[best].thread].priority)
            best = i;
    }
    if (best == options_.size()) best = static_cast<std::size_t>(choices_.random() % options_.size());
    choices_.note(best);
    return best;
}

// Whether all that can follow from here was followed before, with at least as many preemptions left.
bool engine::seen_before(bool can_go_on) {
    bits key = mix(memory_hash_, log_hash_);
    for (std::size_t i = 1; i <= thread_count_; ++i)
        key = mix(key, threads_[i].hash ^ static_cast<bits>(threads_[i].state));
    key = mix(key, static_cast<bits>(now_));
    key = mix(key, can_go_on ? current_ : 0);
    for (const int used : {spurious_failures_, spurious_wakes_, timeouts_, clock_steps_, stale_reads_,
                           static_cast<int>(last_forced_)})
        key = mix(key, static_cast<bits>(used));
    const int left = bound_ - preempted_;
    return visited_.covers(key, left);
}

void engine::resume(option chosen) {
    virtual_thread& next = threads_[chosen.thread];
    next.woken = chosen.how;
    const bool idle = options_[0].how != cause::run;
    if (chosen.how == cause::spurious) deviate(spurious_wakes_);
    if (chosen.how == cause::timeout && next.state == waiting::change && !idle) deviate(clock_steps_);
    if (chosen.how == cause::timeout && next.state == waiting::signal && next.deadline > now_) {
        now_ = next.deadline;
        if (!idle) deviate(timeouts_);
    }
    if (chosen.thread != current_) switch_to(chosen.thread);
}

void engine::switch_to(std::size_t next) noexcept {
    const std::size_t left = current_;
    current_ = next;
    fiber::switch_to(stack_of(left), stack_of(next));
}

void engine::deadlock() {
    std::string sentence = "deadlock:";
    for (std::size_t i = 1; i <= thread_count_; ++i) {
        const virtual_thread& each = threads_[i];
        if (each.state == waiting::finished) continue;
        sentence += ' ' + each.name + (each.state == waiting::lock ? " wants " : " waits on ") +
                    label(locations_[each.target]) + ';';
    }
    sentence.back() = '.';
    fail(sentence);
}

} // namespace interleave::detail
