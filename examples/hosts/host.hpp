#pragma once
// What every host program is told, and what it says: `NAME PORT [--tls CERTIFICATE KEY]`, and one line, "listening on
// 127.0.0.1:PORT". Port 0: the system chooses one.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

struct arguments {
    std::uint16_t port = 0;
    const char* certificate = nullptr; ///< files in PEM; nullptr: without TLS
    const char* key = nullptr;

    /// Ends the program when it is called in another way.
    arguments(int count, char** given) {
        const bool has_tls = count == 5 && std::strcmp(given[2], "--tls") == 0;
        if (count != 2 && !has_tls) {
            std::fprintf(stderr, "%s PORT [--tls CERTIFICATE KEY]\n", given[0]);
            std::exit(2);
        }
        port = static_cast<std::uint16_t>(std::atoi(given[1]));
        if (has_tls) certificate = given[3], key = given[4];
    }
    /// For a host that has no TLS.
    void refuse_tls() const {
        if (certificate == nullptr) return;
        std::fputs("this host has no TLS\n", stderr);
        std::exit(2);
    }
};

inline void say_listening(std::uint16_t port) {
    std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(port));
    std::fflush(stdout);
}

/// SIGTERM and SIGINT as a call in a thread of its own. To be made before any other thread is, because each thread inherits
/// which signals it leaves to this one.
class stop_signals {
public:
    stop_signals() {
        sigemptyset(&which_);
        sigaddset(&which_, SIGTERM);
        sigaddset(&which_, SIGINT);
        pthread_sigmask(SIG_BLOCK, &which_, nullptr);
    }
    stop_signals(const stop_signals&) = delete;
    stop_signals& operator=(const stop_signals&) = delete;
    /// Waits for the thread, which waits for the signal: a host ends because of one.
    ~stop_signals() {
        if (thread_.joinable()) thread_.join();
    }

    /// `stop` is called once, when the first signal comes. What it uses is to be there until this goes.
    void call(auto stop) {
        thread_ = std::thread([stop, which = which_] {
            int signal = 0;
            sigwait(&which, &signal);
            stop();
        });
    }

private:
    sigset_t which_{};
    std::thread thread_;
};
