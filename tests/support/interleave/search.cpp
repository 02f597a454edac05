#include "engine.hpp"

#include <chrono>
#include <csignal>
#include <sstream>

// The search: depth first through all choices, one preemption more each round; then random priorities.

namespace interleave {
namespace detail {
namespace {

// An assertion in the code under test ends the execution like any other failure, with a trace.
class abort_guard {
public:
    abort_guard() {
        struct sigaction mine{};
        mine.sa_handler = [](int) {
            if (active != nullptr) active->leave_aborted();
        };
        mine.sa_flags = SA_NODEFER;
        sigemptyset(&mine.sa_mask);
        sigaction(SIGABRT, &mine, &before_);
    }
    abort_guard(const abort_guard&) = delete;
    abort_guard& operator=(const abort_guard&) = delete;
    ~abort_guard() { sigaction(SIGABRT, &before_, nullptr); }

private:
    struct sigaction before_{};
};

} // namespace

result engine::explore(const body& run) {
    const abort_guard guard;
    const auto start = std::chrono::steady_clock::now();
    if (bounds_.replay.empty()) {
        search(run);
    } else {
        bound_ = std::atoi(bounds_.replay.c_str());
        retrace(run, bounds_.replay.substr(bounds_.replay.find(':') + 1));
    }
    found_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return found_;
}

void engine::search(const body& run) {
    for (int bound = 0;; bound = bound < 4 ? bound + 1 : bounds_.preemptions) {
        if (!search_through(run, bound)) break;
        found_.preemptions = bound;
        found_.complete = !cut_;
        found_.exhausted = found_.complete || bound >= bounds_.preemptions;
        if (found_.exhausted) break;
    }
    if (!found_.failed && !found_.complete) randomize(run);
    if (!found_.failed || found_.schedule.empty()) return;
    const result first = found_;
    retrace(run, first.schedule.substr(first.schedule.find(':') + 1));
    if (!found_.failed || found_.failure != first.failure)
        found_.failure = first.failure + " (its replay went another way)";
    found_.failed = true;
    found_.schedule = first.schedule;
    found_.executions = first.executions;
    found_.steps = first.steps;
}

bool engine::search_through(const body& run, int bound) {
    bound_ = bound;
    cut_ = false;
    visited_.clear();
    choices_.begin(chooser::strategy::search, 0, "");
    do {
        if (found_.executions >= bounds_.max_executions) return false;
        execute(run);
        if (found_.failed) return false;
    } while (choices_.advance());
    found_.states = visited_.size();
    return true;
}

void engine::randomize(const body& run) {
    bound_ = unlimited;
    choices_.begin(chooser::strategy::random, bounds_.seed, "");
    for (std::uint64_t i = 0; i < bounds_.random_executions && !found_.failed; ++i) {
        change_points_.clear();
        for (int k = 0; k < bounds_.priority_changes; ++k)
            change_points_.push_back(choices_.random() % longest_ + 1);
        lowest_priority_ = 0;
        execute(run);
    }
}

void engine::retrace(const body& run, const std::string& trail) {
    choices_.begin(chooser::strategy::replay, 0, trail);
    tracing_ = true;
    found_.failed = false;
    execute(run);
    tracing_ = false;
    found_.trace = trace_;
}

} // namespace detail

result explore(const config& bounds, const std::function<void(scenario&)>& body) {
    if (detail::active != nullptr) detail::active->fail("explore() inside explore()");
    return detail::engine(bounds).explore(body);
}

std::string result::report() const {
    std::ostringstream out;
    out << executions << " executions, " << states << " states, " << steps << " steps in " << seconds
        << " s; "
        << (complete    ? "complete"
            : exhausted ? "exhaustive up to "
                        : "cut short beyond ");
    if (!complete) out << preemptions << " preemptions";
    if (failed) out << "\nFAILED: " << failure << "\nschedule \"" << schedule << "\"\n" << trace;
    return out.str();
}

void scenario::keep(std::shared_ptr<void> made, const void* address, std::size_t size, const char* called) {
    stage_.props.push_back({std::move(made), address, size, called});
}

void scenario::thread(const char* called, std::function<void()> run) {
    stage_.threads.emplace_back(called, std::move(run));
}

void scenario::finally(std::function<void()> run) { stage_.finals.push_back(std::move(run)); }

} // namespace interleave
