#pragma once
// Where streams are published and closed, twice: in wsolo's order and in the order of S3's failure. Traits
// as the library's, so that both run on real threads and under the interleaving checker.

#include <wsolo/sync/rundown.hpp>

namespace support {

/// Registered, then published: close() waits for all that was granted.
template <class Traits>
class registers_first {
public:
    /// `show` lets the peer know of the stream, `work` is what the stream then does; between the two comes
    /// `window`, where the failure happened. False: closed, and nothing was shown.
    template <class Show, class Window, class Work>
    bool publish(Show show, Window window, Work work) {
        const auto registered = work_.try_enter();
        if (!registered) return false;
        show();
        window();
        work();
        return true;
    }
    /// Returns when no stream is at work any more, and none will be.
    void close() {
        work_.close();
        static_cast<void>(work_.wait());
    }
    /// Whether close() was called and waits for a stream.
    [[nodiscard]] bool holds_close() const { return work_.is_closed() && work_.users() != 0; }

private:
    wsolo::basic_rundown<Traits> work_;
};

/// Published under the lock, registered when the lock is released: close() in between counts no one.
template <class Traits>
class publishes_first {
public:
    template <class Show, class Window, class Work>
    bool publish(Show show, Window window, Work work) {
        {
            const std::lock_guard hold(mutex_);
            if (closed_) return false;
            show();
        }
        window();
        at_work_.fetch_add(1);
        work();
        at_work_.fetch_sub(1);
        return true;
    }
    void close() {
        {
            const std::lock_guard hold(mutex_);
            closed_ = true;
        }
        while (at_work_.load() != 0) Traits::pause();
    }
    [[nodiscard]] bool holds_close() { return false; }

private:
    typename Traits::mutex mutex_;
    bool closed_ = false;
    typename Traits::template atomic<int> at_work_{0};
};

} // namespace support
