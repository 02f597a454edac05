// SPDX-License-Identifier: MIT
#pragma once
// The guards of one session, in checked builds: a thread that destroys the session while it holds a guard of it fails an
// assertion, instead of waiting for itself for ever.
//
// Laws of this file:
// - A guard counts as the calling thread's when it lies on this thread's stack: in a call that can't return before the
//   destructor does. So a guard that was handed to another thread raises no false alarm, wherever it was made; a
//   guard in other memory (a heap block, a coroutine's frame) is not noticed.
// - In unchecked builds the list is empty and costs nothing.

#include "../../core/config.hpp"
#include "../../core/detail/exchange.hpp"
#include "../pointer_lock.hpp"

#include <cstddef>
#include <cstdint>

#if WSOLO_ENABLE_ASSERTS && (defined(__linux__) || defined(__APPLE__))
#include <pthread.h>
#endif

namespace wsolo::inline WSOLO_ABI::detail {

#if WSOLO_ENABLE_ASSERTS

/// The calling thread's stack; empty where the system does not tell it.
class this_stack {
public:
    this_stack() noexcept {
#if defined(__linux__)
        pthread_attr_t attributes;
        if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
        void* bottom = nullptr;
        std::size_t size = 0;
        if (::pthread_attr_getstack(&attributes, &bottom, &size) == 0) {
            bottom_ = reinterpret_cast<std::uintptr_t>(bottom);
            size_ = size;
        }
        ::pthread_attr_destroy(&attributes);
#elif defined(__APPLE__)
        size_ = ::pthread_get_stacksize_np(::pthread_self());
        bottom_ = reinterpret_cast<std::uintptr_t>(::pthread_get_stackaddr_np(::pthread_self())) - size_;
#endif
    }
    [[nodiscard]] bool has(const void* object) const noexcept {
        return reinterpret_cast<std::uintptr_t>(object) - bottom_ < size_; // below it the difference is huge
    }

private:
    std::uintptr_t bottom_ = 0;
    std::size_t size_ = 0;
};

/// Any thread.
template <class Traits>
class guard_list {
public:
    /// One guard's place in the list. It moves with the guard; not thread-safe itself.
    class place {
    public:
        place() = default;
        explicit place(guard_list* list) noexcept : list_(list) { enter(); }
        place(place&& other) noexcept : list_(other.leave()) { enter(); }
        place& operator=(place&& other) noexcept {
            if (this == &other) return *this;
            static_cast<void>(leave());
            list_ = other.leave();
            enter();
            return *this;
        }
        ~place() { static_cast<void>(leave()); }

    private:
        friend guard_list;

        void enter() noexcept {
            if (list_ == nullptr) return;
            next_ = list_->lock_.lock();
            if (next_ != nullptr) next_->previous_ = this;
            list_->lock_.unlock(this);
        }
        guard_list* leave() noexcept {
            if (list_ == nullptr) return nullptr;
            place* const first = list_->lock_.lock();
            if (next_ != nullptr) next_->previous_ = previous_;
            if (previous_ != nullptr) previous_->next_ = next_;
            list_->lock_.unlock(first == this ? next_ : first);
            next_ = previous_ = nullptr;
            return detail::exchange(list_, nullptr);
        }

        guard_list* list_ = nullptr;
        place* next_ = nullptr;
        place* previous_ = nullptr;
    };

    /// Whether a guard lies on the calling thread's stack. O(guards).
    [[nodiscard]] bool has_own() noexcept {
        if (!has([](const place&) { return true; })) return false;
        const this_stack mine; // it takes system calls
        return has([&](const place& each) { return mine.has(&each); });
    }

private:
    template <class Search>
    bool has(Search is_it) noexcept {
        place* const first = lock_.lock();
        const place* each = first;
        while (each != nullptr && !is_it(*each)) each = each->next_;
        lock_.unlock(first);
        return each != nullptr;
    }

    basic_pointer_lock<place, Traits> lock_;
};

#else

template <class Traits>
class guard_list {
public:
    struct place {
        place() = default;
        explicit place(guard_list*) noexcept {}
    };
};

#endif

} // namespace wsolo::inline WSOLO_ABI::detail
