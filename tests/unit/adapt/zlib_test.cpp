// Would catch: memory that zlib takes and the count does not know, a state that does not survive a move, settings that are
// taken and not kept, an allocation that fails and is not noticed, a deflater that goes on referring to what was not sent.

#include <support/catch.hpp>
#include <support/deflate.hpp>
#include <support/heap.hpp>

#include <wsolo/adapt/zlib.hpp>

#include <utility>

using support::chat;
using support::compressible;
using wsolo::adapt::zlib::compressor;
using wsolo::adapt::zlib::decompressor;

TEST_CASE("what zlib holds is counted", "[adapt][zlib]") {
    const support::heap_counts before = support::heap_now();
    {
        compressor out;
        decompressor in;
        CHECK(out.memory() + in.memory() == 0);
        const support::heap_counts none = support::heap_now();
        const bool opened = out.open({.window_bits = 12, .memory_level = 5}) && in.open(12);
        const support::heap_counts some = support::heap_now();
        REQUIRE(opened);
        CHECK(out.memory() > std::size_t{16} << 10);
        CHECK(out.memory() < std::size_t{192} << 10); // zlib-ng has 128 KiB of hashes at every level
        if (WSOLO_TEST_COUNTS_HEAP != 0) {
            const auto held = static_cast<std::size_t>(some.bytes - none.bytes);
            CHECK(out.memory() + in.memory() <= held);
            CHECK(out.memory() + in.memory() >= held - 400);
        }
        out.close();
        in.close();
        CHECK(out.memory() + in.memory() == 0);
    }
    CHECK(support::heap_now().held == before.held);
}

TEST_CASE("a state moves while it is open", "[adapt][zlib]") {
    compressor first, other;
    REQUIRE(first.open({}));
    REQUIRE(other.open({}));
    other = std::move(first);
    CHECK_FALSE(first.is_open());
    compressor last(std::move(other));
    std::vector<std::byte> room(1000);
    const auto step = last.compress(wsolo::bytes_of(chat(1)), room);
    CHECK(step.status == wsolo::codec_status::done);
    CHECK(step.taken == chat(1).size());
    const std::string made(wsolo::text_of(wsolo::const_bytes(room).first(step.made)));
    support::plain_inflater peer;
    CHECK(peer.message(made.substr(0, made.size() - 4)) == chat(1));
}

TEST_CASE("settings that zlib can't have are refused", "[adapt][zlib]") {
    compressor out;
    CHECK_FALSE(out.open({.window_bits = 8}));
    CHECK_FALSE(out.open({.window_bits = 16}));
    CHECK_FALSE(out.open({.level = 10}));
    CHECK_FALSE(out.open({.memory_level = 0}));
    CHECK_FALSE(out.is_open());
    decompressor in;
    CHECK_FALSE(in.open(7));
    CHECK_FALSE(in.open(16));
    CHECK(in.open(8));
}

TEST_CASE("an allocation that fails is an answer, whichever it is", "[adapt][zlib]") {
    if (WSOLO_TEST_COUNTS_HEAP == 0) return;
    const std::string text = compressible(3000), payload = support::plain_deflater().message(text);
    for (const wsolo::deflate_mode mode :
         {wsolo::deflate_mode::shared_compressor, wsolo::deflate_mode::own_stream,
          wsolo::deflate_mode::no_takeover}) {
        long failures = 0;
        for (long count = 0; count < 50; ++count) {
            wsolo::this_thread_compressors<compressor>().release();
            support::zlib_deflater out({15, true}, {.mode = mode});
            wsolo::byte_buffer one, two, three;
            bool first = false, second = false;
            {
                const support::no_heap none(count);
                first = out.deflate(wsolo::bytes_of(text), one);
                second = out.deflate(wsolo::bytes_of(text), two);
            }
            REQUIRE(out.deflate(wsolo::bytes_of(text), three));
            if (!first || !second) ++failures;
            support::plain_inflater peer;
            const auto take = [&](bool was_sent, const wsolo::byte_buffer& made) {
                if (!was_sent) {
                    CHECK(made.empty());
                    return;
                }
                if (mode == wsolo::deflate_mode::no_takeover) peer.reset();
                CHECK(peer.message(support::text_of(made)) == text);
            };
            take(first, one);
            take(second, two);
            take(true, three);
        }
        CHECK(failures > 3);
        CHECK(failures < 49);
    }
    long failures = 0;
    for (long count = 0; count < 50; ++count) {
        support::zlib_inflater in({15, true});
        wsolo::byte_buffer to;
        wsolo::errc error = wsolo::errc::none;
        {
            const support::no_heap none(count);
            error = in.append(wsolo::bytes_of(payload), true, true, to);
        }
        if (error == wsolo::errc::none) {
            CHECK(support::text_of(to) == text);
            const support::no_heap none; // no memory to trim with: nothing changes
            in.trim();
        } else {
            ++failures;
            CHECK(error == wsolo::errc::out_of_memory);
            CHECK(in.memory() == 0);
        }
        if (error == wsolo::errc::none) CHECK(in.memory() > 5000);
    }
    CHECK(failures > 2);
    CHECK(failures < 49);
}
