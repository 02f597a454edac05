#pragma once
// Using a thing that may be going away: wsolo's rundown, and what people protect themselves with. use()
// enters and leaves once.

#include <wsolo/sync/rundown.hpp>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <shared_mutex>

namespace bench {

class wsolo_rundown {
public:
    static constexpr const char* name = "wsolo";
    void use() {
        const auto inside = door_.try_enter();
        if (!inside) std::abort();
    }

private:
    wsolo::rundown door_;
};

/// Keeps the thing alive, but no thread can wait for the last user.
class shared_pointer_copy {
public:
    static constexpr const char* name = "shared_ptr_copy";
    void use() {
        const std::shared_ptr<int> inside = thing_; // NOLINT: the copy is what is measured
        if (!inside) std::abort();
    }

private:
    std::shared_ptr<int> thing_ = std::make_shared<int>(1);
};

/// The same for code that does not own it.
class weak_pointer_lock {
public:
    static constexpr const char* name = "weak_ptr_lock";
    void use() {
        const std::shared_ptr<int> inside = weak_.lock();
        if (!inside) std::abort();
    }

private:
    std::shared_ptr<int> thing_ = std::make_shared<int>(1);
    std::weak_ptr<int> weak_ = thing_;
};

/// A bare count: the least that anything of this kind can cost. It can't be closed without a race.
class shared_counter {
public:
    static constexpr const char* name = "counter";
    void use() {
        users_.fetch_add(1, std::memory_order_acquire);
        users_.fetch_sub(1, std::memory_order_release);
    }

private:
    std::atomic<long> users_{0};
};

class reader_lock {
public:
    static constexpr const char* name = "shared_mutex";
    void use() {
        const std::shared_lock hold(mutex_);
        if (is_closed_) std::abort();
    }

private:
    std::shared_mutex mutex_;
    bool is_closed_ = false;
};

} // namespace bench
