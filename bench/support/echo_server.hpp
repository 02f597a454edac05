#pragma once
// A server program of bench/echo as a child process: where it listens, what it costs.

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace bench {

[[noreturn]] inline void give_up(const std::string& why) {
    std::cerr << why << "\n";
    std::exit(1);
}

/// What this program was started with: a set that run_on() has narrowed would leave its children no choice.
inline const cpu_set_t& processors() {
    static const cpu_set_t all = [] {
        cpu_set_t given;
        CPU_ZERO(&given);
        static_cast<void>(::sched_getaffinity(0, sizeof given, &given));
        return given;
    }();
    return all;
}

/// Those of them that come at `place`: one, or all where there are fewer than two.
inline cpu_set_t processor_at(std::size_t place) {
    const cpu_set_t& all = processors();
    cpu_set_t one;
    CPU_ZERO(&one);
    for (std::size_t each = 0; each < CPU_SETSIZE && CPU_COUNT(&all) > 1; ++each) {
        if (!CPU_ISSET(each, &all) || place-- > 0) continue;
        CPU_SET(each, &one);
        return one;
    }
    return all;
}

/// The processor that what is called runs on from now on, if there are two at least.
inline void run_on(std::size_t place) {
    const cpu_set_t one = processor_at(place);
    ::sched_setaffinity(0, sizeof one, &one);
}

/// As many descriptors as this process may have.
inline std::size_t raise_descriptors() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    return static_cast<std::size_t>(files.rlim_cur);
}

/// A program with pipes to its input and from its output. It is killed with this.
class child {
public:
    child(const std::string& program, std::vector<std::string> arguments, std::size_t processor,
          int listen_to = 1) {
        int in[2], out[2];
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) give_up("pipe");
        arguments.insert(arguments.begin(), program);
        std::vector<char*> given;
        for (std::string& each : arguments) given.push_back(each.data());
        given.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(in[0], 0);
            ::dup2(out[1], listen_to);
            run_on(processor);
            ::execvp(program.c_str(), given.data());
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        in_ = in[1];
        out_ = out[0];
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child() {
        stop(SIGKILL);
        ::close(in_);
        ::close(out_);
    }

    void say(char what) {
        if (::write(in_, &what, 1) != 1) give_up("a server does not listen");
    }
    /// Its next line, within 10 s; empty: it ended.
    std::string line() {
        std::string all;
        for (char next = 0;;) {
            pollfd readable{out_, POLLIN, 0};
            if (::poll(&readable, 1, 10'000) <= 0) give_up("a program says nothing");
            if (::read(out_, &next, 1) != 1 || next == '\n') return all;
            all += next;
        }
    }
    /// What it says until its end.
    std::string rest() {
        std::string all;
        char some[4096];
        for (ssize_t count = 0; (count = ::read(out_, some, sizeof some)) > 0;)
            all.append(some, static_cast<std::size_t>(count));
        return all;
    }
    void stop(int by) {
        if (pid_ <= 0) return;
        ::kill(pid_, by);
        ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    }
    void signal(int which) const { ::kill(pid_, which); }
    [[nodiscard]] pid_t id() const { return pid_; }

private:
    pid_t pid_ = -1;
    int in_ = -1, out_ = -1;
};

class echo_server {
public:
    /// On the first processor; the load has the second.
    explicit echo_server(const std::string& program, std::vector<std::string> arguments = {})
        : process_(program, std::move(arguments), 0) {
        const std::string said = process_.line();
        constexpr std::string_view before = "listening on ";
        if (!std::string_view(said).starts_with(before)) give_up(program + " does not listen");
        port_ = static_cast<std::uint16_t>(std::atoi(said.c_str() + before.size()));
        if (::clock_getcpuclockid(process_.id(), &clock_) != 0) give_up("no clock of a process");
        const cpu_set_t meant = processor_at(0);
        cpu_set_t there;
        if (::sched_getaffinity(process_.id(), sizeof there, &there) != 0 || !CPU_EQUAL(&there, &meant))
            give_up(program + " is not on the processor that is meant for it");
    }

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] pid_t id() const { return process_.id(); }
    /// CPU time that all of its threads had, in ns.
    [[nodiscard]] double cpu() const {
        timespec used{};
        ::clock_gettime(clock_, &used);
        return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
    }
    /// Of a server that was started with --heap: bytes in use.
    [[nodiscard]] double heap() {
        process_.say('?');
        const std::string said = process_.line();
        return said.starts_with("heap ") ? std::strtod(said.c_str() + 5, nullptr) : 0;
    }
    /// Bytes of its memory that are in the machine's, without those that files stand for.
    [[nodiscard]] double resident() const {
        std::ifstream status("/proc/" + std::to_string(id()) + "/status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("RssAnon:")) return std::strtod(line.c_str() + 8, nullptr) * 1024;
        }
        return 0;
    }

private:
    child process_;
    clockid_t clock_{};
    std::uint16_t port_ = 0;
};

/// System calls of a process while this is there, by strace.
class call_counter {
public:
    /// False: there is no strace, or it may not look.
    static bool works() {
        child sleeper("sleep", {"10"}, 1);
        call_counter probe(sleeper.id());
        return probe.is_attached_;
    }

    explicit call_counter(pid_t whose)
        : strace_("strace", {"-c", "-f", "-U", "calls,name", "-p", std::to_string(whose)}, 1, 2) {
        is_attached_ = strace_.line().find("attached") != std::string::npos;
    }
    /// All of them, once.
    double stop() {
        strace_.signal(SIGINT);
        const std::string table = strace_.rest();
        const std::size_t total = table.rfind(" total");
        if (!is_attached_ || total == std::string::npos) return -1;
        const std::size_t line = table.rfind('\n', total) + 1;
        return std::strtod(table.c_str() + line, nullptr);
    }

private:
    child strace_;
    bool is_attached_ = false;
};

} // namespace bench
