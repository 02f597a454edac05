#include "scene.hpp"

#include "wrong_feed.hpp"
#include "wsolo_feed.hpp"

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdio>

namespace demo {
namespace {

using namespace std::chrono_literals;
constexpr unsigned worker_count = 2;
constexpr std::size_t message_size = 256;
constexpr auto report_pace = 250ms;
constexpr auto worker_pace = 10ms;

std::string_view name_of(policy when_full) {
    switch (when_full) {
    case policy::skip: return "skip";
    case policy::drop_oldest: return "drop_oldest";
    case policy::disconnect: return "disconnect";
    }
    return "";
}

std::optional<policy> policy_of(std::string_view name) {
    for (const policy each : {policy::skip, policy::drop_oldest, policy::disconnect})
        if (name == name_of(each)) return each;
    return std::nullopt;
}

bool is_number(std::string_view verb) { return verb == "connections" || verb == "rate" || verb == "slow"; }

/// The bounds of the page's sliders.
unsigned fit(std::string_view verb, unsigned number) {
    if (verb == "connections") return std::clamp(number, 2U, 128U);
    if (verb == "rate") return std::clamp(number, 10U, 500U);
    return std::clamp(number, 4U, 256U);
}

[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
    char text[512];
    va_list values;
    va_start(values, format);
    const int size = std::vsnprintf(text, sizeof text, format, values);
    va_end(values);
    return {text, std::min(sizeof text - 1, static_cast<std::size_t>(std::max(size, 0)))};
}

} // namespace

scene::scene(wsolo::connection_group& pages) : pages_(pages) {
    open();
    peers_.set_count(how_.connections);
    for (unsigned worker = 0; worker < worker_count; ++worker)
        workers_.emplace_back([this, worker](const std::stop_token& stop) { work(worker, stop); });
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

scene::~scene() {
    thread_.request_stop();
    thread_.join();
    for (std::jthread& each : workers_) each.request_stop();
    const std::shared_ptr<feed> last = [&] {
        const std::scoped_lock hold(lock_);
        return std::exchange(feed_, nullptr);
    }();
    if (last) static_cast<void>(last->stop(false)); // a worker that waits in a write comes back
    workers_.clear();
}

bool scene::command(std::string_view words) {
    const std::size_t space = words.find(' ');
    if (space == std::string_view::npos) return false;
    order given{std::string(words.substr(0, space)), std::string(words.substr(space + 1)), 0};
    if (is_number(given.verb)) {
        const char* const end = given.object.data() + given.object.size();
        const auto [stopped, error] = std::from_chars(given.object.data(), end, given.number);
        if (error != std::errc() || stopped != end) return false;
        given.number = fit(given.verb, given.number);
    } else if (given.verb == "server") {
        if (given.object != "wsolo" && given.object != "wrong") return false;
    } else if (given.verb == "policy") {
        if (!policy_of(given.object)) return false;
    } else if (given.verb != "deploy") {
        return false;
    }
    const std::scoped_lock hold(lock_);
    if (orders_.size() >= 64) return true; // a key is held down
    orders_.push_back(std::move(given));
    news_.notify_all();
    return true;
}

void scene::run(const std::stop_token& stop) {
    auto next_report = clock::now();
    while (!stop.stop_requested()) {
        std::optional<order> given;
        {
            std::unique_lock hold(lock_);
            news_.wait_until(hold, stop, next_report, [&] { return !orders_.empty() && !ending_.valid(); });
            if (!orders_.empty() && !ending_.valid()) {
                given = std::move(orders_.front());
                orders_.pop_front();
            }
        }
        if (given) obey(*given);
        if (ending_.valid() && ending_.wait_for(0s) == std::future_status::ready) finish_end();
        if (clock::now() < next_report) continue;
        report();
        next_report = clock::now() + report_pace;
    }
    if (ending_.valid()) ending_.wait();
}

void scene::obey(const order& given) {
    if (given.verb == "connections") {
        how_.connections = given.number;
        peers_.set_count(given.number);
    } else if (given.verb == "rate") {
        how_.per_second = per_second_ = given.number;
    } else if (given.verb == "slow") {
        how_.slow_kib = given.number;
        peers_.set_slow_kib(given.number);
    } else if (given.verb == "deploy") {
        begin_end(true);
    } else if (given.verb == "server") {
        if (how_.is_wrong == (given.object == "wrong")) return;
        how_.is_wrong = given.object == "wrong";
        begin_end(false);
    } else if (const auto chosen = policy_of(given.object); chosen && *chosen != how_.when_full) {
        how_.when_full = *chosen;
        if (!how_.is_wrong) begin_end(false);
    }
}

// ---- a server's life

void scene::open() {
    std::shared_ptr<feed> fresh;
    if (how_.is_wrong) {
        fresh = std::make_shared<wrong_feed>(how_);
    } else {
        fresh = std::make_shared<wsolo_feed>(how_);
    }
    ++generation_;
    is_wrong_now_ = how_.is_wrong;
    received_before_ = peers_.received();
    per_second_ = how_.per_second;
    peers_.set_port(fresh->port());
    const std::scoped_lock hold(lock_);
    feed_ = std::move(fresh);
}

void scene::begin_end(bool is_deploy) {
    peers_.set_port(0);
    {
        const std::scoped_lock hold(lock_);
        ended_ = std::exchange(feed_, nullptr);
    }
    is_deploy_ = is_deploy;
    end_began_ = clock::now();
    if (is_deploy) tell("Deploy: the server is told to end.");
    ending_ = std::async(std::launch::async, [this, old = ended_, is_deploy] {
        if (!is_deploy) peers_.drop_all(); // the visitor's doing, and no part of what is shown
        const end_report how = old->stop(is_deploy);
        // The peers read what is on its way, and see their end.
        for (int i = is_deploy ? 60 : 20; i > 0 && peers_.connected() > 0; --i)
            std::this_thread::sleep_for(50ms);
        peers_.drop_all();
        return how;
    });
}

void scene::finish_end() {
    const end_report how = ending_.get();
    const double took = std::chrono::duration<double>(clock::now() - end_began_).count();
    const std::uint64_t accepted = ended_->accepted() - ended_->dropped();
    const std::uint64_t arrived = peers_.received() - received_before_;
    const unsigned long long lost = accepted > arrived ? accepted - arrived : 0;
    if (is_deploy_) {
        tell(print("Deploy done in %.1f s: %llu closed in order, %llu cut off. Of %llu messages accepted, "
                   "%llu never arrived.",
                   took, static_cast<unsigned long long>(how.in_order),
                   static_cast<unsigned long long>(how.cut_off), static_cast<unsigned long long>(accepted),
                   lost));
    } else {
        tell(how_.is_wrong ? "Now: the server that writes twice." : "Now: wsolo.");
    }
    ended_.reset();
    open();
}

// ---- the workers

void scene::work(unsigned worker, const std::stop_token& stop) {
    std::string text(message_size, '.');
    std::uint64_t number = 0;
    double owed = 0;
    auto last = clock::now();
    while (!stop.stop_requested()) {
        std::this_thread::sleep_for(worker_pace);
        const auto now = clock::now();
        owed += std::chrono::duration<double>(now - last).count() * per_second_;
        owed = std::min(owed, per_second_ * 0.1); // what was missed is not made up for
        last = now;
        const std::shared_ptr<feed> to = [&] {
            const std::scoped_lock hold(lock_);
            return feed_;
        }();
        for (; owed >= 1 && to && !stop.stop_requested(); owed -= 1) {
            const std::string head =
                print("worker %u message %llu ", worker, static_cast<unsigned long long>(number++));
            std::copy(head.begin(), head.end(), text.begin());
            to->push(text);
        }
    }
}

// ---- what the page is told

void scene::tell(const std::string& line) { said_ += (said_.empty() ? "" : "\\n") + line; }

void scene::report() {
    const peer_figures at = peers_.take_figures();
    const std::shared_ptr<feed> now = [&] {
        const std::scoped_lock hold(lock_);
        return feed_ ? feed_ : ended_;
    }();
    const double seconds = std::max(at.seconds, 0.001);
    const double fast = std::max<double>(1, how_.connections - 1);
    std::string json = print(
        R"({"server":"%s","chosen":"%s","policy":"%s","connections":%u,"rate":%u,"slow_kib":%u,"generation":%u,"ending":%s,)",
        is_wrong_now_ ? "wrong" : "wsolo", how_.is_wrong ? "wrong" : "wsolo", name_of(how_.when_full).data(),
        how_.connections, how_.per_second, how_.slow_kib, generation_,
        ending_.valid() ? (is_deploy_ ? "\"deploy\"" : "\"switch\"") : "null");
    json += print(
        R"("messages":%.0f,"mib":%.2f,"fast":%.1f,"slow":%.1f,"p50":%.3f,"p99":%.3f,"slow_pong":%.1f,)",
        static_cast<double>(at.messages + at.slow_messages) / seconds,
        static_cast<double>(at.bytes) / seconds / 1048576, static_cast<double>(at.messages) / seconds / fast,
        static_cast<double>(at.slow_messages) / seconds, at.pong_p50_ms, at.pong_p99_ms, at.slow_pong_ms);
    json += print(R"("torn":%llu,"closed":%llu,"lost":%llu,"backlog":%zu,"skipped":%llu,"dropped":%llu,)",
                  static_cast<unsigned long long>(at.torn), static_cast<unsigned long long>(at.closed),
                  static_cast<unsigned long long>(at.lost), now ? now->slow_backlog() : std::size_t{0},
                  static_cast<unsigned long long>(now ? now->skipped() : 0),
                  static_cast<unsigned long long>(now ? now->dropped() : 0));
    json += R"("peers":")" + at.states + R"(","said":")" + std::exchange(said_, {}) + "\"}";
    static_cast<void>(pages_.send_text(json));
}

} // namespace demo
