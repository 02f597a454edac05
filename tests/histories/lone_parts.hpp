#pragma once
// What the parts of a lone history share: names of operations and answers, and a value that is raised for a scope.

#include "lone_history.hpp"

#include <string>

namespace histories {

inline const char* const names_of_operations[] = {"send",
                                                  "burst",
                                                  "begin_message",
                                                  "write_part",
                                                  "finish_message",
                                                  "drop_message",
                                                  "close",
                                                  "raw_close",
                                                  "abort",
                                                  "flush",
                                                  "flush_until",
                                                  "flush_in_coroutine",
                                                  "send_in_coroutine",
                                                  "send_wait",
                                                  "chain",
                                                  "cork",
                                                  "uncork",
                                                  "acknowledge",
                                                  "bound_gate",
                                                  "open_gate",
                                                  "reject_gate",
                                                  "drop_gate",
                                                  "pump",
                                                  "advance",
                                                  "mood",
                                                  "complete",
                                                  "lose",
                                                  "take_handle",
                                                  "drop_handle",
                                                  "send_by_handle",
                                                  "close_by_handle",
                                                  "abort_by_handle",
                                                  "flush_by_handle",
                                                  "malformed",
                                                  "throwing_send",
                                                  "destroy"};
inline constexpr unsigned usual[] = {30, 8, 6, 10, 5,  2, 2, 1,  1, 6, 3, 3, 3, 4, 1, 4, 5, 4,
                                     2,  4, 1, 1,  14, 5, 4, 10, 1, 3, 1, 4, 1, 1, 2, 1, 1, 1};
inline constexpr const char* kinds[] = {"text", "binary", "keyed",     "shared", "raw",   "variant",
                                        "ping", "pong",   "told_ping", "waits",  "secret"};
inline constexpr const char* statuses[] = {"idle", "blocked", "more", "busy", "finished"};

inline std::string str(errc code) { return std::string(wsolo::name_of(code)); }

template <class T>
struct raised { // for a scope
    T& value;
    T by;
    raised(T& what, T how_much) : value(what), by(how_much) { value = static_cast<T>(value + by); }
    raised(const raised&) = delete;
    raised& operator=(const raised&) = delete;
    ~raised() { value = static_cast<T>(value - by); }
};

} // namespace histories
