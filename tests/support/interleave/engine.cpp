#include "engine.hpp"

#include <exception>

namespace interleave::detail {
namespace {

// What a failed execution leaves behind is held for ever: its fibers are in the middle of something.
struct leftover {
    std::vector<std::unique_ptr<fiber>> stacks;
    stage props;
    std::vector<std::function<void()>> bodies;
};
std::vector<leftover>& leftovers() {
    static auto& all = *new std::vector<leftover>;
    return all;
}

} // namespace

engine::engine(const config& bounds) : bounds_(bounds) {
    for (std::size_t i = 0; i < max_threads; ++i) workers_[i] = {this, i, nullptr};
}

fiber& engine::stack_of(std::size_t id) {
    worker& each = workers_[id];
    if (each.stack == nullptr) each.stack = std::make_unique<fiber>(&engine::work, &each);
    return *each.stack;
}

void engine::work(void* argument) {
    worker& me = *static_cast<worker*>(argument);
    // Each turn of the loop is an execution; act() and direct() return in the next one.
    for (;;) {
        try {
            if (me.id == 0)
                me.owner->direct(*me.owner->body_);
            else
                me.owner->act();
        } catch (const std::exception& thrown) {
            me.owner->fail(me.owner->self().name + " lets an exception out: " + thrown.what());
        } catch (...) {
            me.owner->fail(me.owner->self().name + " lets an exception out");
        }
    }
}

void engine::execute(const body& run) {
    reset();
    body_ = &run;
    active = this;
    fiber::switch_to(outside_, stack_of(0));
    active = nullptr;
    if (std::exchange(aborted_, false)) settle(self().name + " called abort(): see the sentence on stderr");
    ++found_.executions;
    found_.steps += steps_;
    longest_ = std::max(longest_, steps_);
    if (found_.failed) abandon();
    if (choices_.diverged() && !found_.failed) {
        found_.failed = true;
        found_.failure = "the same choices led elsewhere: what runs here is not deterministic";
    }
}

void engine::reset() {
    choices_.rewind();
    location_count_ = 0;
    addresses_.clear();
    shadow_.clear();
    ordered_.clear();
    muted_ = true;
    released_count_ = 0;
    memory_hash_ = log_hash_ = 0;
    log_.clear();
    now_ = 1'000'000'000;
    steps_ = 0;
    last_forced_ = 0;
    preempted_ = spurious_failures_ = spurious_wakes_ = timeouts_ = clock_steps_ = stale_reads_ =
        deviations_ = 0;
    acting_ = false;
    current_ = thread_count_ = 0;
    trace_.clear();
    virtual_thread& first = threads_[0];
    first.id = 0;
    first.name = "the body";
    first.known.clear();
    first.known.clock[0] = 1;
    first.hash = 1;
    first.state = waiting::nothing;
    first.slot = nullptr;
    first.looked.clear();
}

void engine::direct(const body& run) {
    scenario script(stage_);
    muted_ = false;
    run(script);
    muted_ = true;
    if (stage_.threads.empty() || stage_.threads.size() >= max_threads)
        fail("a scenario has one to seven threads");
    set_out();
    acting_ = true;
    reschedule();
    acting_ = false;
    virtual_thread& me = self();
    me.name = "finally";
    for (std::size_t i = 1; i <= thread_count_; ++i) me.known.join(threads_[i].known);
    if (tracing_) trace("all threads have ended");
    muted_ = false;
    for (const auto& each : stage_.finals) each();
    clear_stage();
    muted_ = true;
    active = nullptr;
    fiber::switch_to(stack_of(0), outside_);
}

void engine::set_out() {
    thread_count_ = stage_.threads.size();
    for (std::size_t i = 1; i <= thread_count_; ++i) {
        virtual_thread& each = threads_[i];
        each.id = i;
        each.name = stage_.threads[i - 1].first;
        each.body = std::move(stage_.threads[i - 1].second);
        each.state = waiting::nothing;
        each.fresh = true;
        each.restless = each.read_clock = false;
        each.idle_pauses = 0;
        each.slot = nullptr;
        each.round = 1;
        each.priority = static_cast<std::int64_t>(
            choices_.how() == chooser::strategy::random ? choices_.random() >> 2U : 0);
        each.known = threads_[0].known;
        each.known.clock[i] = 1;
        each.hash = mix(threads_[0].hash, i);
        each.looked.clear();
    }
    ++threads_[0].known.clock[0];
}

void engine::clear_stage() {
    stage_.finals.clear();
    stage_.threads.clear();
    for (std::size_t i = 1; i <= thread_count_; ++i) threads_[i].body = nullptr;
    while (!stage_.props.empty()) {
        stage_.props.back().object.reset();
        stage_.props.pop_back();
    }
}

void engine::act() {
    muted_ = false;
    self().body();
    muted_ = true;
    virtual_thread& me = self();
    me.state = waiting::finished;
    me.hash = mix(me.hash, 17);
    if (tracing_) trace("ends");
    bool all = true;
    for (std::size_t i = 1; i <= thread_count_; ++i) all = all && threads_[i].state == waiting::finished;
    if (all)
        switch_to(0);
    else
        reschedule();
}

void engine::fail(std::string sentence) {
    settle(std::move(sentence));
    leave();
}

void engine::settle(std::string sentence) {
    muted_ = true;
    looking_ = false;
    found_.failed = true;
    found_.failure = std::move(sentence);
    found_.schedule = std::to_string(bound_) + ": " + choices_.text();
    if (tracing_) trace("FAILS: " + found_.failure);
}

void engine::leave() {
    active = nullptr;
    fiber::switch_to(stack_of(current_), outside_);
    std::abort();
}

// Called by a signal handler: the words come later, elsewhere.
void engine::leave_aborted() {
    aborted_ = true;
    leave();
}

void engine::abandon() {
    leftover all;
    for (worker& each : workers_)
        if (each.stack != nullptr) all.stacks.push_back(std::move(each.stack));
    all.props = std::move(stage_);
    stage_ = {};
    for (virtual_thread& each : threads_) all.bodies.push_back(std::exchange(each.body, nullptr));
    leftovers().push_back(std::move(all));
}

void engine::record(bits value) {
    log_.push_back(value);
    log_hash_ = mix(log_hash_, value + 1);
    if (tracing_) trace("records " + std::to_string(value));
}

} // namespace interleave::detail
