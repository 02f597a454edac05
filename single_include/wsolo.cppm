// SPDX-License-Identifier: MIT
// wsolo 0.1.0 as the C++20 module `wsolo`: what wsolo.hpp has, less its macros.
// Written by tools/amalgamate.py: change it there.
//
// Every standard header that wsolo.hpp includes comes first, so that it brings none into the module. A program that imports
// it includes <chrono> itself, and before the import: its operators are not the module's to give.
module;
#include <array>
#include <atomic>
#include <bit>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <iosfwd>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <version>
#if __has_include(<arm_neon.h>) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif
#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#endif
#if __has_include(<chrono>)
#include <chrono>
#endif
#if __has_include(<condition_variable>)
#include <condition_variable>
#endif
#if __has_include(<mutex>)
#include <mutex>
#endif
#if __has_include(<pthread.h>)
#include <pthread.h>
#endif
#if __has_include(<random>)
#include <random>
#endif
#if __has_include(<sched.h>)
#include <sched.h>
#endif
#if __has_include(<sys/random.h>)
#include <sys/random.h>
#endif
#if __has_include(<time.h>)
#include <time.h>
#endif

export module wsolo;

#if defined(__has_warning)
#if __has_warning("-Winclude-angled-in-module-purview") // not before clang 18
#pragma clang diagnostic ignored "-Winclude-angled-in-module-purview"
#endif
#endif
export extern "C++" {
#include "wsolo/wsolo.hpp"
}
