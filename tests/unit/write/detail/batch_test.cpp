// Would catch: a write that offers more than its cap or more parts than it can hold, a frame counted as gone before its
// last byte, a cursor that loses its place in the rest of a large frame, a mark that costs a part.

#include <support/catch.hpp>

#include <wsolo/frame/encode.hpp>
#include <wsolo/write/detail/batch.hpp>

#include <string>

using wsolo::detail::batch;
using wsolo::detail::lane_id;
using wsolo::detail::taken;

namespace {

constexpr std::size_t max_gather = 256 * 1024;

std::string frame(std::size_t size) {
    std::string bytes(wsolo::encoded_size<wsolo::role::server>(size), 'x');
    const auto written = wsolo::encode_frame<wsolo::role::server>(std::as_writable_bytes(std::span(bytes)),
                                                                  wsolo::opcode::binary,
                                                                  wsolo::bytes_of(std::string(size, 'p')));
    REQUIRE(written);
    return bytes;
}

taken take(const batch& plan, std::size_t count) {
    taken done;
    done[lane_id::greeting] = {7, 7}; // of the write before
    plan.take(count, done);
    return done;
}

} // namespace

TEST_CASE("a run of frames is counted frame by frame at every cut, whatever their header", "[write][batch]") {
    const std::size_t sizes[] = {0, 1, 125, 126, 700};
    std::string run;
    std::vector<std::size_t> ends;
    for (const std::size_t size : sizes) ends.push_back((run += frame(size)).size());
    batch plan(max_gather);
    plan.clear();
    plan.add(lane_id::data, wsolo::bytes_of(run), 5, false);
    for (std::size_t cut = 0; cut <= run.size(); ++cut) {
        const taken done = take(plan, cut);
        std::uint32_t whole = 0;
        std::size_t rest = 0;
        for (const std::size_t end : ends) {
            whole += end <= cut;
            if (rest == 0 && end > cut) rest = end - cut;
        }
        const bool on_boundary = cut == 0 || ends[whole == 0 ? 0 : whole - 1] == cut;
        INFO("cut at " << cut);
        REQUIRE(done[lane_id::data].frames == whole);
        REQUIRE(done[lane_id::data].bytes == cut);
        REQUIRE(done.begun_rest == (on_boundary ? 0 : rest));
    }
}

TEST_CASE("parts of several lanes share one write, each counted for its lane", "[write][batch]") {
    const std::string pong = frame(2), ping = frame(3), one = frame(3000);
    batch plan(max_gather);
    plan.clear();
    plan.add(lane_id::pong, wsolo::bytes_of(pong), 1, false);
    plan.add(lane_id::ping, wsolo::bytes_of(ping), 1, true);
    plan.add(lane_id::data, wsolo::bytes_of(one), 1, true);
    CHECK(plan.bytes() == pong.size() + ping.size() + one.size());
    const taken inside = take(plan, pong.size() + 2);
    CHECK(inside[lane_id::pong].frames == 1);
    CHECK(inside[lane_id::ping].frames == 0);
    CHECK(inside.begun == lane_id::ping);
    CHECK(inside.begun_rest == ping.size() - 2);
    CHECK(inside.frames() == 1);
    CHECK(inside.bytes() == pong.size() + 2);
    const taken all = take(plan, plan.bytes());
    CHECK(all.frames() == 3);
    CHECK(all.begun_rest == 0);
}

TEST_CASE("a large frame leaves in several writes, and knows its whole rest", "[write][batch]") {
    const std::string large = frame(max_gather + 1000);
    batch plan(max_gather);
    plan.clear();
    plan.add(lane_id::data, wsolo::bytes_of(large), 1, true);
    CHECK(plan.full());
    CHECK(plan.bytes() == max_gather);
    const taken done = take(plan, plan.bytes());
    CHECK(done[lane_id::data].frames == 0);
    CHECK(done.begun_rest == large.size() - max_gather);
}

TEST_CASE("a write names so many entries and no more, marks among them", "[write][batch]") {
    const std::string small = frame(1);
    batch plan(max_gather);
    plan.clear();
    for (std::size_t entry = 0; entry != batch::max_entries; ++entry) {
        CHECK_FALSE(plan.full());
        const bool is_mark = entry % 2 == 0;
        plan.add(lane_id::data, is_mark ? wsolo::const_bytes{} : wsolo::bytes_of(small), is_mark ? 0 : 1,
                 true);
    }
    CHECK(plan.full());
    CHECK(plan.parts().size() == batch::max_entries / 2);
    CHECK(take(plan, plan.bytes()).frames() == batch::max_entries / 2);
}
