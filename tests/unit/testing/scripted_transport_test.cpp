// Would catch: a script that is not followed, a seed that does not repeat, bytes that were taken and not
// kept.

#include <support/catch.hpp>

#include <wsolo/testing/scripted_transport.hpp>

using wsolo::io_status;
using wsolo::testing::scripted_transport;
using wsolo::testing::scripted_wire;

namespace {

std::string chaos(std::uint64_t seed) {
    scripted_wire wire;
    wire.chaotic(seed, 10);
    scripted_transport transport(wire);
    const std::string payload(40, 'x');
    std::string trace;
    for (int i = 0; i < 50; ++i) {
        const wsolo::const_bytes part = wsolo::bytes_of(payload);
        const auto io = transport.write({&part, 1}, wsolo::no_deadline);
        trace += std::to_string(static_cast<int>(io.status)) + ":" + std::to_string(io.transferred) + " ";
    }
    return trace;
}

} // namespace

TEST_CASE("the script is followed to the byte, then the rule", "[testing][scripted_transport]") {
    scripted_wire wire;
    wire.then({io_status::ok, 3, 0}).then({io_status::would_block, 0, 0}).then({io_status::failed, 1, 32});
    scripted_transport transport(wire);
    const wsolo::const_bytes parts[] = {wsolo::bytes_of("ab"), wsolo::bytes_of("cdef")};
    CHECK(transport.write(parts, wsolo::no_deadline).transferred == 3);
    CHECK(transport.write(parts, wsolo::no_deadline).status == io_status::would_block);
    const auto failed = transport.write(parts, wsolo::no_deadline);
    CHECK(failed.error == 32);
    CHECK(failed.transferred == 1);
    CHECK(transport.write(parts, wsolo::no_deadline).transferred == 6);
    CHECK(wire.bytes() == "abc"
                          "a"
                          "abcdef");
    REQUIRE(wire.calls().size() == 4);
    CHECK(wire.calls()[0].offered == 6);
    CHECK(wire.calls()[0].parts == 2);
    transport.finish(wsolo::end_of_write::aborted);
    CHECK(wire.finishes() == 1);
    CHECK(wire.finished_as() == wsolo::end_of_write::aborted);
}

TEST_CASE("the same seed does the same thing, another does not", "[testing][scripted_transport]") {
    CHECK(chaos(7) == chaos(7));
    CHECK(chaos(7) != chaos(8));
}
