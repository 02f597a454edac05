// Would catch: defaults that promise nothing (no bound, no deadline), options that lose precision on the way
// in.

#include <support/catch.hpp>

#include <wsolo/write/budget.hpp>
#include <wsolo/write/detail/settings.hpp>

using namespace std::chrono_literals;

TEST_CASE("the defaults bound everything", "[write][budget]") {
    const wsolo::writer_options options;
    CHECK(options.limits.max_bytes == 4U * 1024 * 1024);
    CHECK(options.limits.max_frames > 0);
    CHECK(options.limits.control_reserve == 256);
    CHECK(options.timeouts.write > 0s);
    CHECK(options.timeouts.drain > 0s);
    CHECK(options.timeouts.min_rate > 0);
}

TEST_CASE("timeouts keep their milliseconds and saturate", "[write][budget]") {
    wsolo::writer_options options;
    options.timeouts.write = 1234ms;
    options.timeouts.drain = std::chrono::milliseconds::max();
    const wsolo::detail::settings kept(options);
    CHECK(kept.write_timeout.get() == 1234ms);
    CHECK(kept.drain_timeout.get() == wsolo::duration::max());
    options.timeouts.write = -1ms;
    CHECK(wsolo::detail::settings(options).write_timeout.get() == 0ms);
}
