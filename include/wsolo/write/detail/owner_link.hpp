// SPDX-License-Identifier: MIT
#pragma once
// What a writer has of its owner: the schedule hook, and the rules that the options make.
//
// Laws of this file:
// - Rules never change, so they are read without a lock.
// - Where the hook has `const writer_rules& rules() const noexcept` the writer keeps no copy of its own. Such a hook vouches that
//   they outlive the writer (an endpoint's does: they are its options).

#include "../../sync/schedule_hook.hpp"
#include "../options.hpp"

#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

template <class Schedule>
concept hook_with_rules = requires(const Schedule& hook) {
    { hook.rules() } noexcept -> std::same_as<const writer_rules&>;
};

template <class Schedule>
class owner_link {
public:
    owner_link(Schedule schedule, const writer_options& options)
        : hook_(std::move(schedule)), rules_(options) {}
    [[nodiscard]] Schedule& hook() noexcept { return hook_; }
    [[nodiscard]] const writer_rules& rules() const noexcept { return rules_; }

private:
    [[no_unique_address]] Schedule hook_;
    writer_rules rules_;
};

template <hook_with_rules Schedule>
class owner_link<Schedule> {
public:
    owner_link(Schedule schedule, const writer_options&) : hook_(std::move(schedule)) {}
    [[nodiscard]] Schedule& hook() noexcept { return hook_; }
    [[nodiscard]] const writer_rules& rules() const noexcept { return hook_.rules(); }

private:
    Schedule hook_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
