// Would catch: bytes read before the write ends, a completion said twice or swallowed.

#include <support/catch.hpp>

#include <wsolo/testing/completing_transport.hpp>

using wsolo::io_result;
using wsolo::io_status;

namespace {

struct counts : wsolo::detail::write_target {
    counts() noexcept
        : write_target{[](write_target& self, const io_result& how) noexcept {
              ++static_cast<counts&>(self).calls;
              static_cast<counts&>(self).last = how;
          }} {}
    int calls = 0;
    io_result last{};
};

} // namespace

TEST_CASE("a write ends when the test says so, with the bytes as they are then",
          "[testing][completing_transport]") {
    wsolo::testing::completing_wire wire;
    wsolo::testing::completing_transport transport(wire);
    counts target;
    std::string payload = "before";
    const wsolo::const_bytes parts[] = {wsolo::bytes_of(payload), wsolo::bytes_of("!")};
    transport.start_write(parts, wsolo::no_deadline, wsolo::write_done(target));
    CHECK(wire.in_flight());
    CHECK(wire.offered() == 7);
    CHECK(target.calls == 0);
    payload[0] = 'B';
    wire.end(io_status::failed, 3, 32);
    CHECK(target.calls == 1);
    CHECK(target.last.transferred == 3);
    CHECK(target.last.error == 32);
    CHECK(wire.bytes() == "Bef");
    wire.at_once(true);
    transport.start_write(parts, wsolo::no_deadline, wsolo::write_done(target));
    CHECK(target.calls == 2);
    CHECK_FALSE(wire.in_flight());
}

TEST_CASE("a completion that is lost says failed, and one that was handed on says nothing itself",
          "[testing][completing_transport]") {
    wsolo::testing::completing_wire wire;
    wsolo::testing::completing_transport transport(wire);
    counts target;
    const wsolo::const_bytes part = wsolo::bytes_of("x");
    transport.start_write({&part, 1}, wsolo::no_deadline, wsolo::write_done(target));
    wire.lose();
    CHECK(target.calls == 1);
    CHECK(target.last.status == io_status::failed);

    wsolo::write_done done(target);
    void* const released = done.release(); // for an interface of C
    done = {};
    CHECK(target.calls == 1);
    wsolo::write_done::adopt(released)({io_status::ok, 1, 0});
    CHECK(target.calls == 2);
    wsolo::write_done again(target);
    again = wsolo::write_done(); // replaced uncalled
    CHECK(target.calls == 3);
}
