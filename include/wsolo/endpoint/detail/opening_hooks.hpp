// SPDX-License-Identifier: MIT
#pragma once
// The hooks of a handler whose connection has its handshake in front, checked as those of an endpoint are (hooks.hpp).

#include "../../handshake/client_judge.hpp"
#include "../hooks.hpp"
#include "../http_reply.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

// clang-format off
#define WSOLO_DETECT_MEMBER(name)                                                                            \
    struct named_##name { void name(); };                                                                    \
    template <class T> struct with_##name : T, named_##name {};                                              \
    template <class T> [[nodiscard]] consteval bool names_##name() noexcept {                                \
        if constexpr (!std::is_class_v<T>) return false;                                                     \
        else if constexpr (std::is_final_v<T>) return requires { &T::name; };                                \
        else return !requires { &with_##name<T>::name; };                                                    \
    }
WSOLO_DETECT_MEMBER(on_request)
WSOLO_DETECT_MEMBER(on_response)
WSOLO_DETECT_MEMBER(on_upgraded)
WSOLO_DETECT_MEMBER(on_upgrade)
WSOLO_DETECT_MEMBER(on_not_opened)
#undef WSOLO_DETECT_MEMBER
// clang-format on

template <class Handler>
concept has_on_request =
    requires(Handler& h, const upgrade_request& asked, http_reply& reply) { h.on_request(asked, reply); };
template <class Handler>
concept has_on_response = requires(Handler& h, const upgrade_response& answer, errc verdict) {
    { h.on_response(answer, verdict) } -> std::same_as<errc>;
};
template <class Handler, class Endpoint>
concept has_on_upgraded = requires(Handler& h, Endpoint& e) { h.on_upgraded(e); };
template <class Handler>
concept has_on_not_opened = requires(Handler& h, errc why, int status) { h.on_not_opened(why, status); };

/// Refuses a handler whose hooks would not be called.
template <class Handler, class Endpoint>
consteval void check_opening_hooks() noexcept {
    if constexpr (Endpoint::self == role::server) {
        static_assert(!names_on_request<Handler>() || has_on_request<Handler>,
                      "on_request is called as on_request(const upgrade_request&, http_reply&)");
        static_assert(!names_on_response<Handler>(), "a server knows no on_response: its hook is on_request");
    } else {
        static_assert(!names_on_response<Handler>() || has_on_response<Handler>,
                      "on_response is called as errc on_response(const upgrade_response&, errc verdict)");
        static_assert(!names_on_request<Handler>(), "a client knows no on_request: its hook is on_response");
    }
    static_assert(!names_on_upgraded<Handler>() || has_on_upgraded<Handler, Endpoint>,
                  "on_upgraded is called as on_upgraded(endpoint&)");
    static_assert(!names_on_not_opened<Handler>() || has_on_not_opened<Handler>,
                  "on_not_opened is called as on_not_opened(errc why, int status)");
    static_assert(!names_on_upgrade<Handler>(), "a connection knows no on_upgrade: on_upgraded is the name");
}

} // namespace wsolo::inline WSOLO_ABI::detail
