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
    CHECK(nothing.status == wsolo::io_status::failed); // a result nobody filled in is no success
}
