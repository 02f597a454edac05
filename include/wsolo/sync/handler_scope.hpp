// SPDX-License-Identifier: MIT
#pragma once
// Which items the calling thread is running: so that a wait which only this thread could end is answered with
// would_deadlock.
//
// Laws of this file:
// - Scopes nest like calls: opened and closed by one thread, last in first out. A coroutine holds none
//   across a suspension.
// - No lock and no atomic: a thread reads only its own chain.

#include "traits.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// "This thread is running item `number` of `object`", for the life of the scope.
template <class Traits>
class basic_handler_scope {
public:
    explicit basic_handler_scope(const void* object, std::uint64_t number = 0) noexcept
        : object_(object), number_(number), outer_(Traits::thread_slot()) {
        Traits::thread_slot() = this;
    }
    basic_handler_scope(const basic_handler_scope&) = delete;
    basic_handler_scope& operator=(const basic_handler_scope&) = delete;

    ~basic_handler_scope() {
        WSOLO_ASSERT(Traits::thread_slot() == this,
                     "a handler's scope ends in the thread that opened it, before the scopes around it");
        Traits::thread_slot() = outer_;
    }

    /// The innermost scope in which the calling thread runs an item of `object` numbered `last` or below; null when there
    /// is none. O(depth of nesting).
    [[nodiscard]] static basic_handler_scope* innermost(const void* object,
                                                        std::uint64_t last = ~std::uint64_t{0}) noexcept {
        auto* scope = static_cast<basic_handler_scope*>(Traits::thread_slot());
        while (scope != nullptr && (scope->object_ != object || scope->number_ > last)) {
            scope = static_cast<basic_handler_scope*>(scope->outer_);
        }
        return scope;
    }
    [[nodiscard]] static bool is_inside(const void* object, std::uint64_t last = ~std::uint64_t{0}) noexcept {
        return innermost(object, last) != nullptr;
    }

    /// How many items of `object` the calling thread runs, one inside another. O(depth of nesting).
    [[nodiscard]] static unsigned depth(const void* object) noexcept {
        unsigned found = 0;
        auto* scope = static_cast<const basic_handler_scope*>(Traits::thread_slot());
        for (; scope != nullptr; scope = static_cast<const basic_handler_scope*>(scope->outer_))
            found += scope->object_ == object ? 1U : 0U;
        return found;
    }

private:
    const void* const object_;
    const std::uint64_t number_;
    void* const outer_;
};

} // namespace wsolo::inline WSOLO_ABI
