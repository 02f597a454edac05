// SPDX-License-Identifier: MIT
#pragma once
// What an inbox tells its surroundings, besides asking for a turn: that reading may go on, and that it has ended.
//
// Laws of this file:
// - A type has both hooks or neither: a hook that is misspelt, or can't be called as the inbox would, does not compile.
// - Each is called with no lock held, by the thread that drains (or destroys).

#include "inbox_limits.hpp"
#include "inbox_report.hpp"
#include "schedule_hook.hpp"

#include <concepts>
#include <type_traits>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// `on_resume()`: once after each pause, when both bounds are half free. What it throws ends the inbox as a handler's
/// exception does. `on_finished(const inbox_report&)`: once, at the end; what it throws is dropped.
template <class T>
concept inbox_observer = requires(T& observer, const inbox_report& report) {
    { observer.on_resume() } -> std::same_as<void>;
    { observer.on_finished(report) } -> std::same_as<void>;
};

/// An observer that ignores both.
struct no_inbox_observer {
    /// Do nothing.
    void on_resume() noexcept {}
    void on_finished(const inbox_report&) noexcept {}
};

namespace detail {

struct inbox_hook_names {
    void on_resume();
    void on_finished();
};
/// A name that T has, too, is ambiguous here, whatever it stands for.
template <class T>
struct with_inbox_hook_names : T, inbox_hook_names {};

/// Whether T has a member that is called as a hook of an inbox is.
template <class T>
[[nodiscard]] consteval bool names_an_inbox_hook() noexcept {
    if constexpr (!std::is_class_v<T>) {
        return false;
    } else if constexpr (std::is_final_v<T>) {
        return requires { &T::on_resume; } || requires { &T::on_finished; };
    } else {
        return !requires { &with_inbox_hook_names<T>::on_resume; } ||
               !requires { &with_inbox_hook_names<T>::on_finished; };
    }
}

/// A hook that knows the bounds: an inbox with it keeps none. They never change.
template <class T>
concept knows_inbox_bounds = requires(const T& hook) {
    { hook.bounds() } noexcept -> std::same_as<const inbox_bounds&>;
};
/// The bounds of an inbox whose hook knows none.
struct own_inbox_bounds {
    explicit own_inbox_bounds(const inbox_limits& limits) noexcept : bounds(limits) {}
    template <class Hook>
    [[nodiscard]] const inbox_bounds& of(const Hook&) const noexcept {
        return bounds;
    }
    inbox_bounds bounds;
};
struct hooks_inbox_bounds {
    explicit hooks_inbox_bounds(const inbox_limits&) noexcept {}
    template <class Hook>
    [[nodiscard]] const inbox_bounds& of(const Hook& hook) const noexcept {
        return hook.bounds();
    }
};

} // namespace detail

/// The hook of an inbox: called to have it drained, and an inbox_observer as well unless it names neither of these hooks.
template <class T>
concept inbox_schedule = schedule_hook<T> && (inbox_observer<T> || !detail::names_an_inbox_hook<T>());

/// Makes such a hook of three functions.
template <schedule_hook Schedule, std::invocable<> Resume, std::invocable<const inbox_report&> Finished>
struct inbox_hooks {
    /// The three hooks; what they refer to outlives the inbox.
    Schedule schedule;
    Resume resume;
    Finished finished;
    decltype(auto) operator()() { return schedule(); }
    /// What the inbox calls: the hook of that name.
    void on_resume() { resume(); }
    void on_finished(const inbox_report& report) { finished(report); }
};
template <class Schedule, class Resume, class Finished>
inbox_hooks(Schedule, Resume, Finished) -> inbox_hooks<Schedule, Resume, Finished>;

} // namespace wsolo::inline WSOLO_ABI
