#pragma once
// SIGINT and SIGTERM as something to poll.

#include "descriptor.hpp"

#include <cerrno>
#include <csignal>
#include <sys/signalfd.h>
#include <system_error>

namespace loop {

/// Made before any thread is, so that every thread leaves the signals to it.
class stop_signals {
public:
    stop_signals() {
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGINT);
        sigaddset(&wanted, SIGTERM);
        ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
        source_ = descriptor(::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
        if (!source_) throw std::system_error(errno, std::generic_category(), "signalfd");
    }

    /// Takes one signal; false when none has arrived.
    [[nodiscard]] bool take() noexcept {
        signalfd_siginfo info;
        return ::read(source_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info);
    }
    [[nodiscard]] int get() const noexcept { return source_.get(); }

private:
    descriptor source_;
};

} // namespace loop
