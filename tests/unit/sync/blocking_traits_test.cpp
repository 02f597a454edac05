// Would catch: traits that name another clock or atomic than the standard's, and sync types that outgrow their promise.

#include <support/catch.hpp>

#include <wsolo/sync/blocking_traits.hpp>
#include <wsolo/sync/sequence_barrier.hpp>
#include <wsolo/sync/weak_session.hpp>

#include <type_traits>

using traits = wsolo::std_blocking_traits;
static_assert(std::is_same_v<traits::atomic<int>, std::atomic<int>>);
static_assert(std::is_same_v<traits::mutex, wsolo::os_mutex>);
static_assert(std::is_same_v<traits::condition_variable, wsolo::os_condition_variable>);
static_assert(std::is_same_v<traits::clock, std::chrono::steady_clock>);

TEST_CASE("idle sync objects are small", "[sync][blocking_traits]") {
    CHECK(sizeof(wsolo::sequence_barrier) <= 64);
    CHECK(sizeof(wsolo::rundown) <= 16);
    CHECK(sizeof(wsolo::weak_session<int>) == sizeof(void*));
    CHECK(sizeof(wsolo::session_anchor<int>) == sizeof(void*));
    using guards = wsolo::detail::guard_list<wsolo::std_blocking_traits>; // of checked builds
    using block = wsolo::detail::session_block<int, wsolo::std_blocking_traits>;
    CHECK(sizeof(block) <= 24 + (std::is_empty_v<guards> ? 0 : sizeof(guards)));
}
