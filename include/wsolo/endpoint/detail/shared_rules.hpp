// SPDX-License-Identifier: MIT
#pragma once
// The part of an endpoint's options that it needs all the time, made ready once for many endpoints: a counted pointer to it.
//
// Laws of this file:
// - What it points to never changes. The last copy frees it, in any thread.
// - Options that are the defaults take no memory. Those that were changed after they were made ready have rules of their own again.

#include "../../core/limit.hpp"
#include "../../session/limits.hpp"
#include "../../sync/inbox_limits.hpp"
#include "../../write/options.hpp"
#include "../stream_end.hpp"

#include <atomic>
#include <new>
#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

/// Replies that may wait to be written.
struct reply_bounds {
    std::size_t bytes = 0;
    std::uint32_t count = 0;
    [[nodiscard]] bool operator==(const reply_bounds&) const = default;
};

/// `Options`: endpoint_options, which have a pointer of this kind.
template <class Options>
struct endpoint_rules {
    explicit constexpr endpoint_rules(const Options& options) noexcept
        : reading(of_messages(options.reading)),
          replies{bound_of(options.max_unsent), bound_of(options.max_unsent_replies)},
          handling(options.handling),
          handle_quantum(options.handle_quantum),
          ending(options.ending),
          writing(options.writing) {}
    [[nodiscard]] bool operator==(const endpoint_rules&) const = default;

    read_bounds reading;
    reply_bounds replies;
    inbox_bounds handling;
    std::uint32_t handle_quantum;
    end_options ending;
    writer_rules writing;

private:
    static constexpr read_limits of_messages(read_limits limits) noexcept {
        limits.deliver = delivery::messages;
        return limits;
    }
};

/// Null without memory, and where it was not made. Copies belong to any thread, each to one at a time.
template <class Options>
class shared_rules {
public:
    using rules = endpoint_rules<Options>;

    constexpr shared_rules() noexcept = default;
    explicit shared_rules(const Options& options) noexcept {
        const rules made(options);
        if (options.ready && options.ready.block_->value == made) {
            block_ = &retained(*options.ready.block_);
        } else {
            block_ = made == defaults().value ? &retained(defaults()) : new (std::nothrow) block(made);
        }
    }
    constexpr shared_rules(const shared_rules& other) noexcept
        : block_(other.block_ == nullptr ? nullptr : &retained(*other.block_)) {}
    constexpr shared_rules(shared_rules&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    constexpr shared_rules& operator=(shared_rules other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    constexpr ~shared_rules() { // options may be constants
        if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete block_;
    }

    /// Those of the default options.
    [[nodiscard]] static shared_rules of_defaults() noexcept { return shared_rules(retained(defaults())); }

    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }
    [[nodiscard]] const rules* operator->() const noexcept { return &block_->value; }

private:
    struct block {
        explicit block(const rules& of) noexcept : value(of) {}
        const rules value;
        std::atomic<std::uint32_t> references{1};
    };

    explicit shared_rules(block& of) noexcept : block_(&of) {}
    /// It has a reference of its own, so that it is never freed.
    static block& defaults() noexcept {
        static block of_all{rules(Options{})};
        return of_all;
    }
    static block& retained(block& of) noexcept {
        of.references.fetch_add(1, std::memory_order_relaxed);
        return of;
    }

    block* block_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
