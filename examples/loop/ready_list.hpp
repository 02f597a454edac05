#pragma once
// Where a writer's schedule hook leaves word that pump() is owed, and how the loop hears of it.
//
// Laws of this file:
// - Numbers, not pointers: by the time the loop looks, the connection may be gone.
// - One wake-up for any number of entries: the eventfd is written by who finds the list empty.

#include "descriptor.hpp"
#include "peer_id.hpp"

#include <cerrno>
#include <mutex>
#include <new>
#include <sys/eventfd.h>
#include <system_error>
#include <vector>

namespace loop {

class ready_list {
public:
    ready_list() : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
    }

    /// Any thread. False when there is no memory: the writer then ends with errc::schedule_refused.
    [[nodiscard]] bool push(peer_id id) noexcept {
        bool was_empty = false;
        try {
            const std::scoped_lock hold(lock_);
            was_empty = ids_.empty();
            ids_.push_back(id);
        } catch (const std::bad_alloc&) {
            return false;
        }
        if (was_empty) ::eventfd_write(wake_.get(), 1);
        return true;
    }

    /// The loop. The wake-up is cleared before the list is taken, so what is pushed meanwhile wakes again.
    void take(std::vector<peer_id>& into) noexcept {
        eventfd_t count = 0;
        ::eventfd_read(wake_.get(), &count);
        into.clear();
        const std::scoped_lock hold(lock_);
        ids_.swap(into);
    }

    /// Readable while the list is not empty.
    [[nodiscard]] int get() const noexcept { return wake_.get(); }

private:
    descriptor wake_;
    std::mutex lock_;
    std::vector<peer_id> ids_;
};

} // namespace loop
