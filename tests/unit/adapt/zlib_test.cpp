// Would catch: a state that does not survive a move, settings that are taken and not kept.

#include <support/catch.hpp>
#include <support/deflate.hpp>

#include <wsolo/adapt/zlib.hpp>

#include <utility>

using support::chat;
using wsolo::adapt::zlib::compressor;
using wsolo::adapt::zlib::decompressor;

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
