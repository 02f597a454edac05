// Written by tools/amalgamate.py from include/wsolo/sync/stop_token.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// std::stop_token for wsolo's waits.
// Not part of wsolo.hpp: <stop_token> brings threads, a condition variable and shared pointers.
//
// Laws of this file:
// - Where the library has no std::stop_token (libc++ has it late) this adds nothing.

#include "../wsolo.hpp"

#include <version>

#if defined(__has_include)
#if __has_include(<stop_token>)
#include <stop_token>
#endif
#endif

#if defined(__cpp_lib_jthread)
namespace wsolo::inline WSOLO_ABI::detail {

template <class Function>
struct stop_callback_type<std::stop_token, Function> {
    using type = std::stop_callback<Function>;
};

} // namespace wsolo::inline WSOLO_ABI::detail
#endif
