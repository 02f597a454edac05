// Writers for histories of one thread.

#include "writer_subject.hpp"

#include <condition_variable>

namespace histories {
namespace {

struct lone_clock {
    using time_point = wsolo::time_point;
    static time_point now() noexcept { return lone_thread::now; }
};

struct lone_traits : wsolo::std_blocking_traits {
    using clock = lone_clock;

    struct mutex {
        void lock() noexcept {}
        void unlock() noexcept {}
        bool try_lock() noexcept { return true; }
    };
    struct condition_variable {
        template <class Lock>
        void wait(Lock& lock) {
            static_cast<void>(wait_until(lock, wsolo::no_deadline));
        }
        template <class Lock>
        std::cv_status wait_until(Lock& lock, wsolo::time_point deadline) {
            const heap::outside out;
            lock.unlock();
            const bool in_time = lone_thread::current->sleep(this, deadline);
            lock.lock();
            return in_time ? std::cv_status::no_timeout : std::cv_status::timeout;
        }
        void notify_one() noexcept { notify_all(); }
        void notify_all() noexcept {
            const heap::outside out;
            lone_thread::current->wake(this);
        }
    };

    [[nodiscard]] static void*& thread_slot() noexcept { return *lone_thread::word; }
};

} // namespace

std::unique_ptr<subject> make_lone_subject(const making& how, surroundings& around) {
    return how.client ? make_of_end<client_end, lone_traits>(how, around)
                      : make_of_end<server_end, lone_traits>(how, around);
}

} // namespace histories
