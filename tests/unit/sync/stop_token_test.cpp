// Would catch: a std::stop_token that a wait does not take, or does not heed; a hook that outlives its scope.

#include <support/catch.hpp>

#include <wsolo/sync/sequence_barrier.hpp>
#include <wsolo/sync/stop_token.hpp>

#if defined(__cpp_lib_jthread)
TEST_CASE("a std::stop_token cancels a wait", "[sync][stop_token]") {
    wsolo::sequence_barrier barrier;
    const std::uint64_t mark = barrier.issue();
    std::stop_source source;
    CHECK(barrier.wait_up_to(0, wsolo::no_deadline, source.get_token()) == wsolo::errc::none);
    source.request_stop();
    CHECK(barrier.wait_up_to(mark, wsolo::no_deadline, source.get_token()) == wsolo::errc::cancelled);
    barrier.complete(mark);
    CHECK(barrier.wait_up_to(mark, wsolo::no_deadline, source.get_token()) == wsolo::errc::none);
}

TEST_CASE("a hook is registered for its scope", "[sync][stop_token]") {
    std::stop_source source;
    int calls = 0;
    const auto count = [&]() noexcept { ++calls; };
    { const wsolo::stop_hook<std::stop_token, decltype(count)> gone(source.get_token(), count); }
    const wsolo::stop_hook<std::stop_token, decltype(count)> hook(source.get_token(), count);
    source.request_stop();
    CHECK(calls == 1);
}
#else
TEST_CASE("without std::stop_token the header adds nothing", "[sync][stop_token]") {
    CHECK_FALSE(wsolo::never_stop::stop_requested());
}
#endif
