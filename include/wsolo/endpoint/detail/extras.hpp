// SPDX-License-Identifier: MIT
#pragma once
// What few endpoints need, and most of these not for long, in one block: the rates of its input, what came while reading was held
// back, and the Close that it owes.
//
// Laws of this file:
// - While none of them is there it is a null pointer. Rates stay; the others take memory until they are over.

#include "../../core/detail/owned.hpp"
#include "input_rates.hpp"
#include "kept_input.hpp"
#include "owed_close.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI::detail {

/// Belongs to the loop's thread.
class extras {
public:
    extras(const reading_rate& bound, time_point start) noexcept {
        if (input_rates::are_wanted(bound)) block_.reset(new (std::nothrow) block(bound, start));
    }

    // ---- rates

    /// Of the bound that it was made with. False: there was no memory for it.
    [[nodiscard]] bool has_its_rates(const reading_rate& bound) const noexcept {
        return block_ != nullptr || !input_rates::are_wanted(bound);
    }
    /// False: it comes faster than it may.
    [[nodiscard]] bool is_in_rate(input_rates::kind of, std::uint64_t count, time_point now) noexcept {
        return !block_ || block_->rates.take(of, count, now);
    }

    // ---- kept input: kept_input's functions

    [[nodiscard]] bool keeps() const noexcept { return kept_size() != 0; }
    [[nodiscard]] std::size_t kept_size() const noexcept { return block_ ? block_->kept.size() : 0; }
    [[nodiscard]] mutable_bytes kept() noexcept { return block_ ? block_->kept.view() : mutable_bytes(); }
    [[nodiscard]] bool keep(const_bytes more) noexcept { return has_memory() && block_->kept.append(more); }
    void keep_last(std::size_t left) noexcept {
        if (block_) block_->kept.keep_last(left);
        tidy();
    }

    // ---- the Close: owed_close's functions

    /// False: there was no memory, so that it can't wait.
    template <class What>
    [[nodiscard]] bool owe(const What& what, time_point by) noexcept {
        if (!has_memory()) return false;
        block_->owed.owe(what, by);
        return true;
    }
    [[nodiscard]] bool is_close_due(bool messages_are_over, time_point now) const noexcept {
        return block_ && block_->owed.is_due(messages_are_over, now);
    }
    [[nodiscard]] time_point close_deadline() const noexcept {
        return block_ ? block_->owed.deadline() : no_deadline;
    }
    /// Precondition: one is due.
    [[nodiscard]] owed_close::what take_close() noexcept {
        const owed_close::what due = block_->owed.take();
        tidy();
        return due;
    }

private:
    struct block {
        block(const reading_rate& bound, time_point start) noexcept : rates(bound, start), has_rates(true) {}
        block() noexcept : block({}, {}) { has_rates = false; }

        input_rates rates;
        kept_input kept;
        owed_close owed;
        bool has_rates;
    };

    [[nodiscard]] bool has_memory() noexcept {
        if (!block_) block_.reset(new (std::nothrow) block);
        return block_ != nullptr;
    }
    void tidy() noexcept {
        if (block_ && !block_->has_rates && block_->kept.empty() && !block_->owed.is_owed()) block_.reset();
    }

    owned<block> block_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
