#include "journal.hpp"

#include <support/exact_bytes.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <unistd.h>

#if WSOLO_TEST_ASAN || defined(__SANITIZE_THREAD__)
extern "C" void __sanitizer_set_death_callback(void (*callback)());
// UBSan knows nothing of that callback; an abort says the seed too.
extern "C" const char* __ubsan_default_options();
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1"; }
#endif

namespace histories::journal {
namespace {

constexpr std::size_t capacity = std::size_t{1} << 20;
char lines[capacity];
std::atomic<std::size_t> used{0};
std::mutex writing;
char rule[64], how[512];
char runner_name[32];
std::atomic<std::uint64_t> seed_now{0};
std::atomic<bool> is_running{false}, broken{false};
std::atomic<std::uint64_t> progress{0};

constexpr unsigned patience_seconds = 15;

void put(const char* text, std::size_t size) {
    while (size != 0) {
        const ssize_t done = ::write(2, text, size);
        if (done <= 0) return;
        text += done;
        size -= static_cast<std::size_t>(done);
    }
}

/// Async-signal-safe but for snprintf, which glibc's is with integers.
void dump(const char* why) {
    if (!is_running.exchange(false)) return;
    char head[256];
    const int size =
        std::snprintf(head, sizeof head, "\n%s in the history WSOLO_HISTORY_SEED=%llu of '%s':\n", why,
                      static_cast<unsigned long long>(seed_now.load()), runner_name);
    put(head, static_cast<std::size_t>(size));
    put(lines, used);
    if (broken) {
        put(rule, std::strlen(rule));
        put(": ", 2);
        put(how, std::strlen(how));
        put("\n", 1);
    }
}

void on_signal(int number) {
    dump(number == SIGSEGV ? "A crash" : "An abort");
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void watch() {
    std::uint64_t seen = 0;
    unsigned still = 0;
    const char* const wanted = std::getenv("WSOLO_HISTORY_PATIENCE"); // seconds
    const unsigned patience = wanted == nullptr ? patience_seconds : static_cast<unsigned>(std::atoi(wanted));
    for (;;) {
        std::this_thread::sleep_for(std::chrono::seconds(1));
        const std::uint64_t now = progress;
        still = is_running && now == seen ? still + 1 : 0;
        seen = now;
        if (still < patience) continue;
        dump("A hang");
        std::_Exit(66);
    }
}

void install() {
#if WSOLO_TEST_ASAN || defined(__SANITIZE_THREAD__)
    __sanitizer_set_death_callback([] { dump("A report of the sanitizer"); });
#else
    std::signal(SIGSEGV, &on_signal);
    std::signal(SIGBUS, &on_signal);
#endif
    std::signal(SIGABRT, &on_signal);
}

} // namespace

void begin(const char* runner, std::uint64_t seed) {
    static std::atomic<int> owner{0}; // a fork has no watchdog yet
    if (owner != ::getpid()) {
        owner = ::getpid();
        install();
        std::thread(&watch).detach();
    }
    std::snprintf(runner_name, sizeof runner_name, "%s", runner);
    seed_now = seed;
    used = 0;
    lines[0] = '\0';
    rule[0] = how[0] = '\0';
    broken = false;
    ++progress;
    is_running = true;
}

void end() { is_running = false; }

void line(unsigned depth, const char* format, ...) {
    std::va_list values;
    va_start(values, format);
    line_of(depth, format, values);
    va_end(values);
}

void line_of(unsigned depth, const char* format, std::va_list values) {
    char one[400];
    const int size = std::vsnprintf(one, sizeof one, format, values);
    const std::lock_guard hold(writing);
    ++progress;
    const auto length =
        static_cast<std::size_t>(size) < sizeof one ? static_cast<std::size_t>(size) : sizeof one - 1;
    std::size_t at = used;
    if (at + 2 * depth + length + 2 > capacity) return;
    std::memset(lines + at, ' ', 2 * depth);
    at += 2 * depth;
    std::memcpy(lines + at, one, length);
    at += length;
    lines[at++] = '\n';
    used = at;
}

std::string text() { return {lines, used}; }

void break_rule(const std::string& which, const std::string& what) {
    static const char* const ignored = std::getenv("WSOLO_HISTORY_IGNORE");
    if (ignored != nullptr && std::strstr(ignored, which.c_str()) != nullptr) return;
    const std::lock_guard hold(writing);
    if (broken) return;
    std::snprintf(rule, sizeof rule, "%s", which.c_str());
    std::snprintf(how, sizeof how, "%s", what.c_str());
    broken = true;
    std::size_t at = used;
    const int size = std::snprintf(lines + at, capacity - at, "!!! %s: %s\n", rule, how);
    if (size > 0 && at + static_cast<std::size_t>(size) < capacity)
        used = at + static_cast<std::size_t>(size);
}
bool is_broken() { return broken; }
std::string broken_rule() { return rule; }
std::string broken_how() { return how; }

} // namespace histories::journal
