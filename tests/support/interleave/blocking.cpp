#include "engine.hpp"

#include <limits>

// What threads sleep on, and time. A mutex hands on everything its last owner knew; a condition variable
// hands on nothing. Time moves when a choice says so, or when nothing else can go on.

namespace interleave::detail {
namespace {

constexpr std::int64_t one_hour = std::int64_t{3600} * 1'000'000'000;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

} // namespace

void engine::take(location& mutex) {
    virtual_thread& me = self();
    mutex.owner = static_cast<int>(current_);
    me.known.join(mutex.released);
    me.hash = mutex.hash = mix(me.hash, mutex.hash);
    commit(mutex);
}

void engine::release(location& mutex) {
    virtual_thread& me = self();
    mutex.owner = -1;
    mutex.released = me.known;
    me.hash = mix(me.hash, mutex.key);
    mutex.hash = mix(me.hash, mutex.hash);
    commit(mutex);
}

void engine::lock(const void* mutex) {
    location& at = use({mutex, 0}, kind::mutex, "lock");
    if (at.owner == static_cast<int>(current_))
        fail(self().name + " locks " + label(at) + " again while it holds it");
    self().state = waiting::lock;
    self().target = static_cast<std::uint32_t>(at.index);
    point();
    self().state = waiting::nothing;
    if (at.owner >= 0) fail(self().name + " locks " + label(at) + ", which a thread that ended still holds");
    take(use({mutex, 0}, kind::mutex, "lock"));
    if (tracing_) trace("locks " + label(at));
}

bool engine::try_lock(const void* mutex) {
    point();
    location& at = use({mutex, 0}, kind::mutex, "try_lock");
    const bool taken = at.owner < 0;
    if (taken) {
        take(at);
    } else {
        self().hash = mix(self().hash, at.hash);
        look(at.index, 1);
    }
    if (tracing_) trace((taken ? "locks " : "can't lock ") + label(at));
    return taken;
}

void engine::unlock(const void* mutex) {
    point();
    location& at = use({mutex, 0}, kind::mutex, "unlock");
    if (at.owner != static_cast<int>(current_))
        fail(self().name + " unlocks " + label(at) + " without holding it");
    release(at);
    if (tracing_) trace("unlocks " + label(at));
}

bool engine::wait(const void* condition, const void* mutex, const std::int64_t* deadline) {
    point();
    location& on = use({condition, 0}, kind::condition, "wait");
    location& held = use({mutex, 0}, kind::mutex, "wait");
    virtual_thread& me = self();
    if (held.owner != static_cast<int>(current_))
        fail(me.name + " waits on " + label(on) + " without the lock");
    if (!acting_) fail(me.name + " waits on " + label(on) + " where no thread is left to wake it");
    me.hash = mix(me.hash, on.key);
    me.idle_pauses = 0;
    release(held);
    me.state = waiting::signal;
    me.target = static_cast<std::uint32_t>(on.index);
    me.wait_mutex = static_cast<std::uint32_t>(held.index);
    me.timed = deadline != nullptr && *deadline != never;
    me.deadline = me.timed ? *deadline : never;
    if (tracing_) trace("waits on " + label(on) + (me.timed ? " until a deadline" : ""));
    reschedule();
    const cause how = me.woken;
    me.hash = mix(me.hash, static_cast<bits>(how) + 11);
    if (tracing_ && how != cause::run) trace(how == cause::timeout ? "times out" : "wakes spuriously");
    // A notified thread was resumed because the lock is free; others still have to come by it.
    if (how != cause::run) {
        me.state = waiting::lock;
        me.target = static_cast<std::uint32_t>(held.index);
        point();
    }
    me.state = waiting::nothing;
    take(use({mutex, 0}, kind::mutex, "lock"));
    if (tracing_) trace("has " + label(held) + " back");
    return how != cause::timeout;
}

void engine::notify(const void* condition, bool all) {
    point();
    location& on = use({condition, 0}, kind::condition, "notify");
    self().hash = mix(self().hash, on.key);
    places_.clear();
    for (std::size_t i = 1; i <= thread_count_; ++i)
        if (threads_[i].state == waiting::signal && threads_[i].target == on.index) places_.push_back(i);
    if (tracing_) trace((all ? "notifies all on " : "notifies one on ") + label(on));
    if (places_.empty()) return;
    if (!all) places_ = {places_[choices_.choose(places_.size())]};
    for (const std::size_t i : places_) {
        virtual_thread& woken = threads_[i];
        woken.state = waiting::lock;
        woken.woken = cause::run;
        woken.target = woken.wait_mutex;
        self().hash = mix(self().hash, i);
    }
}

std::int64_t engine::now() {
    point();
    virtual_thread& me = self();
    if (acting_ && may_deviate(clock_steps_, bounds_.clock_steps) && choices_.choose(2) == 1) {
        deviate(clock_steps_);
        now_ += one_hour;
    }
    me.read_clock = true;
    me.hash = mix(me.hash, static_cast<bits>(now_));
    if (tracing_) trace("reads the clock: " + std::to_string(now_ / 1'000'000'000) + " s");
    return now_;
}

void engine::pause() {
    virtual_thread& me = self();
    if (!acting_) return;
    const bool is_idle = !me.restless && !looks_different(me);
    me.idle_pauses = is_idle ? me.idle_pauses + 1 : 0;
    me.hash = mix(me.hash, 13 + static_cast<bits>(me.idle_pauses));
    me.state = waiting::change;
    me.fresh = false;
    ++steps_;
    reschedule();
    me.state = waiting::nothing;
    // What it looked at it will see as it is now: a store doesn't stay unseen for ever.
    for (std::size_t i = 0; i < me.looked.size(); ++i) {
        if (me.looked[i].round != me.round || locations_[i].what != kind::atomic) continue;
        me.known.observe(i, locations_[i].stores.back().where);
        me.hash = mix(me.hash, locations_[i].stores.back().hash);
    }
    ++me.round;
    me.restless = false;
    me.read_clock = false;
    if (me.woken == cause::timeout) now_ += one_hour;
    me.hash = mix(me.hash, static_cast<bits>(me.woken) + static_cast<bits>(now_));
    if (tracing_)
        trace(me.woken == cause::run ? "goes on spinning" : "goes on spinning though nothing changed");
}

} // namespace interleave::detail
