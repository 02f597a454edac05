// Would catch: a concept that lets an incomplete transport through, or turns a ten-line one away.

#include <support/catch.hpp>

#include <wsolo/write/transport.hpp>

namespace {

struct ten_lines {
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
        return {wsolo::io_status::ok, parts[0].size(), 0};
    }
    void finish(wsolo::end_of_write) {}
};
struct waits : ten_lines {
    bool wait_writable(wsolo::time_point) { return true; }
};
struct no_finish {
    wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point) { return {}; }
};
struct returns_a_size {
    std::size_t write(std::span<const wsolo::const_bytes>, wsolo::time_point) { return 0; }
    void finish(wsolo::end_of_write) {}
};

} // namespace

TEST_CASE("a transport is a gather write and an end", "[write][transport]") {
    STATIC_REQUIRE(wsolo::transport<ten_lines>);
    STATIC_REQUIRE_FALSE(wsolo::waitable_transport<ten_lines>);
    STATIC_REQUIRE(wsolo::waitable_transport<waits>);
    STATIC_REQUIRE_FALSE(wsolo::transport<no_finish>);
    STATIC_REQUIRE_FALSE(wsolo::transport<returns_a_size>); // a size is not a status
    const wsolo::io_result nothing;
    CHECK(nothing.status == wsolo::io_status::failed); // a result that was not filled in is no success
}

TEST_CASE("a write_done is told once: called, or destroyed on the way, or adopted", "[write][transport]") {
    struct target : wsolo::detail::write_target {
        target()
            : write_target{[](write_target& self, const wsolo::io_result& result) noexcept {
                  auto& mine = static_cast<target&>(self);
                  ++mine.told;
                  mine.how = result.status;
              }} {}
        int told = 0;
        wsolo::io_status how = wsolo::io_status::ok;
    };
    target called, lost, assigned, adopted;
    {
        wsolo::write_done done(called);
        wsolo::write_done moved(std::move(done));
        moved({wsolo::io_status::timed_out, 0, 0});
    }
    CHECK(called.told == 1);
    CHECK(called.how == wsolo::io_status::timed_out);
    { const wsolo::write_done done(lost); }
    CHECK(lost.told == 1);
    CHECK(lost.how == wsolo::io_status::failed);
    {
        wsolo::write_done done(assigned);
        done = wsolo::write_done(); // the one before is lost
        CHECK(assigned.told == 1);
    }
    void* const released = wsolo::write_done(adopted).release();
    CHECK(adopted.told == 0);
    wsolo::write_done::adopt(released)({wsolo::io_status::ok, 1, 0});
    CHECK(adopted.told == 1);
}
