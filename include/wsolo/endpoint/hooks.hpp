// SPDX-License-Identifier: MIT
#pragma once
// What an endpoint may tell its handler, and how it calls it: checked by the compiler, guarded against exceptions.
//
// Laws of this file:
// - A hook that is there is called as documented, or does not compile: a mistyped one is never skipped in silence.
// - A likely wrong name for a hook does not compile either.
// - An exception of a hook is an error like another: it ends its own connection and unwinds no loop.

#include "../core/error.hpp"
#include "../core/time.hpp"
#include "../frame/close_code.hpp"
#include "message.hpp"
#include "options.hpp"

#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>

namespace wsolo::inline WSOLO_ABI {

/// The `Work` of an endpoint whose messages are handled in run() and receive(), by the loop itself.
struct in_the_loop {};

// The hooks of a handler, all but the first optional. `e` is the endpoint; each is called with no lock held.
//
//     on_message(e, const message&)                   void, or the errc that ends the connection. The message is lent for
//                                                     the call, where it lies, which costs no copy
//     on_message(e, message&&)                        the same with a message that the handler may keep. (`const auto&` is the
//                                                     former, `auto&&` is the latter)
//     on_ping(e, const_bytes payload)                 it was answered already
//     on_pong(e, const_bytes payload, std::optional<duration>)   with the round trip, if it answers the endpoint's own PING, until
//                                                     the end of the stream begins (the last write, or what ends the input)
//     on_peer_close(e, close_code, std::string_view)  it will be answered, after the messages before it
//     on_room(e)                                      a send was refused with queue_full; half of the bounds is free now
//     on_beat(e, bool window_rolled)                  heartbeat_options::beat_interval
//     on_refused(e, message&&)                        inbox_overflow::drop_newest did not let it in
//     on_finished(e, const ending&)                   once, last
//
// Without on_message a handler is a callable of (e, message). on_message runs where messages are handled (the loop, or
// work()), the others in the loop.

namespace detail {

// clang-format off
#define WSOLO_DETECT_MEMBER(name)                                                                            \
    struct named_##name { void name(); };                                                                    \
    template <class T> struct with_##name : T, named_##name {};                                              \
    template <class T> [[nodiscard]] consteval bool names_##name() noexcept {                                \
        if constexpr (!std::is_class_v<T>) return false;                                                     \
        else if constexpr (std::is_final_v<T>) return requires { &T::name; };                                \
        else return !requires { &with_##name<T>::name; };                                                    \
    }
WSOLO_DETECT_MEMBER(on_message)
WSOLO_DETECT_MEMBER(on_ping)
WSOLO_DETECT_MEMBER(on_pong)
WSOLO_DETECT_MEMBER(on_peer_close)
WSOLO_DETECT_MEMBER(on_room)
WSOLO_DETECT_MEMBER(on_beat)
WSOLO_DETECT_MEMBER(on_refused)
WSOLO_DETECT_MEMBER(on_finished)
WSOLO_DETECT_MEMBER(on_open)
WSOLO_DETECT_MEMBER(on_close)
WSOLO_DETECT_MEMBER(on_closed)
WSOLO_DETECT_MEMBER(on_error)
WSOLO_DETECT_MEMBER(on_text)
WSOLO_DETECT_MEMBER(on_binary)
WSOLO_DETECT_MEMBER(on_data)
WSOLO_DETECT_MEMBER(on_msg)
WSOLO_DETECT_MEMBER(on_mesage)
WSOLO_DETECT_MEMBER(on_messages)
WSOLO_DETECT_MEMBER(on_finish)
WSOLO_DETECT_MEMBER(on_end)
WSOLO_DETECT_MEMBER(on_drain)
WSOLO_DETECT_MEMBER(on_writable)
WSOLO_DETECT_MEMBER(on_heartbeat)
WSOLO_DETECT_MEMBER(on_refuse)
#undef WSOLO_DETECT_MEMBER
// clang-format on

template <class Handler, class Endpoint>
concept has_on_message = requires(Handler& h, Endpoint& e, message&& m) { h.on_message(e, std::move(m)); };
/// Whether on_message() names its message's type: a template's parameter can't be deduced from `{}`. Only then may can_be_lent be asked:
/// of a template it would instantiate the body, which need not compile for a `const message&` (it may move from its message).
template <class Handler, class Endpoint>
concept names_its_message = requires(Handler& h, Endpoint& e) {
    h.on_message(e, {});
} || (!has_on_message<Handler, Endpoint> && requires(Handler& h, Endpoint& e) { h(e, {}); });
template <class Handler, class Endpoint>
concept can_be_lent = requires(Handler& h, Endpoint& e, const message& m) {
    h.on_message(e, m);
} || (!has_on_message<Handler, Endpoint> && std::invocable<Handler&, Endpoint&, const message&>);
/// Whether on_message() takes its message by `const auto&`: then it does the same with a lent message as with one of its own.
template <class Handler, class Endpoint>
concept takes_any_const =
    requires(Handler& h, Endpoint& e, const message& m) { h.template on_message<Endpoint, message>(e, m); } ||
    requires(Handler& h, Endpoint& e, const message& m) { h.template on_message<message>(e, m); } ||
    (!has_on_message<Handler, Endpoint> && (
        requires(Handler& h, Endpoint& e, const message& m) { h.template operator()<Endpoint, message>(e, m); } ||
        requires(Handler& h, Endpoint& e, const message& m) { h.template operator()<message>(e, m); }));
/// Whether the handler can't keep a message, so that one is lent to it. (A handler with an overload for each kind is lent its message; one
/// that takes `auto&&` is given a message of its own.)
template <class Handler, class Endpoint>
concept takes_lent = (names_its_message<Handler, Endpoint> && can_be_lent<Handler, Endpoint>) ||
                     takes_any_const<Handler, Endpoint>;
template <class Handler, class Endpoint>
concept has_on_ping = requires(Handler& h, Endpoint& e, const_bytes b) { h.on_ping(e, b); };
template <class Handler, class Endpoint>
concept has_on_pong = requires(Handler& h, Endpoint& e, const_bytes b, std::optional<duration> round_trip) {
    h.on_pong(e, b, round_trip);
};
template <class Handler, class Endpoint>
concept has_on_peer_close = requires(Handler& h, Endpoint& e, close_code code, std::string_view reason) {
    h.on_peer_close(e, code, reason);
};
template <class Handler, class Endpoint>
concept has_on_room = requires(Handler& h, Endpoint& e) { h.on_room(e); };
template <class Handler, class Endpoint>
concept has_on_beat = requires(Handler& h, Endpoint& e, bool rolled) { h.on_beat(e, rolled); };
template <class Handler, class Endpoint>
concept has_on_refused = requires(Handler& h, Endpoint& e, message&& m) { h.on_refused(e, std::move(m)); };
template <class Handler, class Endpoint>
concept has_on_finished = requires(Handler& h, Endpoint& e, const ending& how) { h.on_finished(e, how); };

/// Refuses a handler whose hooks would not be called.
/// Of a final class or a union a member template can't be seen by its name alone.
template <class Handler>
[[nodiscard]] consteval bool may_have_on_beat() noexcept {
    return std::is_final_v<Handler> || std::is_union_v<Handler> || names_on_beat<Handler>();
}

template <class Handler, class Endpoint>
consteval void check_hooks() noexcept {
    static_assert(!has_on_beat<Handler, Endpoint> || may_have_on_beat<Handler>());
    static_assert(
        has_on_message<Handler, Endpoint> || std::invocable<Handler&, Endpoint&, message&&>,
        "a handler has on_message(auto& endpoint, const message&) or (auto& endpoint, message&&), or is a "
        "callable of these");
    static_assert(!names_on_ping<Handler>() || has_on_ping<Handler, Endpoint>,
                  "on_ping is called as on_ping(endpoint&, const_bytes payload)");
    static_assert(
        !names_on_pong<Handler>() || has_on_pong<Handler, Endpoint>,
        "on_pong is called as on_pong(endpoint&, const_bytes payload, std::optional<duration> round_trip)");
    static_assert(!names_on_peer_close<Handler>() || has_on_peer_close<Handler, Endpoint>,
                  "on_peer_close is called as on_peer_close(endpoint&, close_code, std::string_view reason)");
    static_assert(!names_on_room<Handler>() || has_on_room<Handler, Endpoint>,
                  "on_room is called as on_room(endpoint&)");
    static_assert(!names_on_beat<Handler>() || has_on_beat<Handler, Endpoint>,
                  "on_beat is called as on_beat(endpoint&, bool window_rolled)");
    static_assert(!names_on_refused<Handler>() || has_on_refused<Handler, Endpoint>,
                  "on_refused is called as on_refused(endpoint&, message&&)");
    static_assert(!names_on_finished<Handler>() || has_on_finished<Handler, Endpoint>,
                  "on_finished is called as on_finished(endpoint&, const ending&)");
    static_assert(!names_on_msg<Handler>() && !names_on_mesage<Handler>() && !names_on_messages<Handler>() &&
                      !names_on_text<Handler>() && !names_on_binary<Handler>() && !names_on_data<Handler>(),
                  "an endpoint knows no such hook: messages of both kinds come to on_message");
    static_assert(!names_on_open<Handler>(),
                  "an endpoint knows no on_open: it is open when it is made, or when its init_gate opens");
    static_assert(
        !names_on_close<Handler>() && !names_on_closed<Handler>() && !names_on_error<Handler>() &&
            !names_on_finish<Handler>() && !names_on_end<Handler>(),
        "an endpoint knows no such hook: on_peer_close tells of the peer's Close, on_finished of the end");
    static_assert(!names_on_drain<Handler>() && !names_on_writable<Handler>(),
                  "an endpoint knows no such hook: on_room tells that a refused send may be tried again");
    static_assert(!names_on_heartbeat<Handler>() && !names_on_refuse<Handler>(),
                  "an endpoint knows no such hook: on_beat and on_refused are the names");
}

/// Calls a hook, whatever it returns. False: it threw.
template <class Call>
[[nodiscard]] bool call_hook(Call call) {
#if WSOLO_HAS_EXCEPTIONS
    try {
        static_cast<void>(call());
        return true;
    } catch (...) {
        return false;
    }
#else
    static_cast<void>(call());
    return true;
#endif
}

/// Has the handler handle a message, its own or a lent one: its answer, or errc::handler_failed when it throws.
template <class Handler, class Endpoint, class Message>
[[nodiscard]] errc call_handler(Handler& handler, Endpoint& whole, Message&& received) {
    const auto call = [&]() -> decltype(auto) {
        if constexpr (has_on_message<Handler, Endpoint>) {
            return handler.on_message(whole, std::forward<Message>(received));
        } else {
            return handler(whole, std::forward<Message>(received));
        }
    };
    errc answer = errc::none;
    const bool returned = call_hook([&] {
        if constexpr (std::is_same_v<decltype(call()), errc>) {
            answer = call();
        } else {
            static_assert(std::is_void_v<decltype(call())>,
                          "a message handler returns nothing, or the errc that ends the connection");
            call();
        }
    });
    return returned ? answer : errc::handler_failed;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
