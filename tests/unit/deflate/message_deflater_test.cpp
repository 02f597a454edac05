// Would catch: a message that a peer can't inflate, or inflates to something else, after any history of compressed, uncompressed,
// shared and forgotten ones; the tail that is sent, or not removed; a window that reaches too far back; a message that grows and
// is compressed all the same; memory that is held before it is needed, after trim(), or beyond the window.

#include <support/catch.hpp>
#include <support/deflate.hpp>

#include <wsolo/deflate/message_deflater.hpp>

using support::chat;
using support::compressible;
using support::deflated;
using support::noise;
using support::plain_inflater;
using support::zlib_deflater;
using wsolo::deflate_direction;
using wsolo::deflate_mode;
using wsolo::deflate_options;

namespace {

constexpr deflate_mode all_modes[] = {deflate_mode::shared_compressor, deflate_mode::own_stream,
                                      deflate_mode::no_takeover};
constexpr std::size_t all_sizes[] = {0, 1, 125, 126, 65535, 65536, std::size_t{1} << 20};

} // namespace

TEST_CASE("every size in every mode and window is what was sent", "[deflate][deflater]") {
    for (const deflate_mode mode : all_modes) {
        for (std::uint8_t bits = 9; bits <= 15; ++bits) {
            for (const bool takeover : {true, false}) {
                INFO(static_cast<int>(mode) << " " << int{bits} << " " << takeover);
                zlib_deflater out({bits, takeover}, {.mode = mode, .min_size = 0});
                plain_inflater peer(bits);
                std::size_t compressed = 0;
                for (const std::size_t size : all_sizes) {
                    for (const std::string& text : {compressible(size), noise(size, size)}) {
                        const auto payload = deflated(out, text);
                        if (!payload) continue;
                        ++compressed;
                        if (!takeover) peer.reset();
                        if (peer.message(*payload) != text) FAIL("not what was sent: " << size);
                    }
                }
                // All but the empty ones and the shortest; of those that grow the ones that leave something in the window.
                const bool goes_on = mode == deflate_mode::own_stream && takeover;
                CHECK(compressed == (goes_on ? 5U + 4U : 5U));
            }
        }
    }
}

TEST_CASE("a peer of the smallest window that was agreed on inflates long messages", "[deflate][deflater]") {
    // Text that repeats at a distance just beyond the window, and just within.
    for (const deflate_mode mode : all_modes) {
        for (std::uint8_t bits = 9; bits <= 15; ++bits) {
            zlib_deflater out({bits, true}, {.mode = mode, .kept_window = 1 << 20, .min_size = 0});
            plain_inflater peer(bits);
            for (const int more : {-300, -262, -1, 0, 1, 300}) {
                const std::string once =
                    noise((std::size_t{1} << bits) + static_cast<std::size_t>(more + 300) - 300, 7);
                for (const std::string& text : {once + once + once, once}) {
                    const auto payload = deflated(out, text);
                    if (!payload) continue;
                    if (mode == deflate_mode::no_takeover) peer.reset();
                    if (peer.message(*payload) != text)
                        FAIL("not what was sent: " << int{bits} << " " << more);
                }
            }
        }
    }
}

TEST_CASE("a history of all kinds of messages never diverges", "[deflate][deflater]") {
    for (const deflate_mode mode : all_modes) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            support::dice roll(seed);
            const auto bits = static_cast<std::uint8_t>(9 + roll.below(7));
            INFO(static_cast<int>(mode) << " seed " << seed);
            zlib_deflater out({bits, true}, {.mode = mode,
                                             .kept_window = static_cast<std::uint32_t>(roll.below(5000)),
                                             .min_size = static_cast<std::uint32_t>(roll.below(120))});
            plain_inflater peer(bits);
            int compressed = 0;
            for (int i = 0; i < 300; ++i) {
                const std::size_t kind = roll.below(20);
                const std::string text = kind == 0   ? noise(roll.below(3000), roll())
                                         : kind == 1 ? std::string()
                                         : kind == 2 ? compressible(roll.below(200000), roll.below(100))
                                                     : chat(roll.below(50));
                if (kind == 3) out.trim();
                if (kind == 4 && mode != deflate_mode::no_takeover) { // compressed once, for many
                    support::plain_deflater shared(9);
                    if (peer.message(shared.message(text)) != text) FAIL("shared");
                    out.note_sent(wsolo::bytes_of(text));
                    continue;
                }
                if (kind == 5) continue; // sent uncompressed: note_sent() is not called
                const auto payload = deflated(out, text);
                if (!payload) continue;
                ++compressed;
                if (mode == deflate_mode::no_takeover) peer.reset();
                const std::string got = peer.message(*payload);
                if (got != text) FAIL("message " << i << ": " << got.substr(0, 60));
            }
            CHECK(compressed > 50);
        }
    }
}

TEST_CASE("earlier messages make later ones small, where they may", "[deflate][deflater]") {
    const auto ratio = [](const deflate_options& options, bool takeover = true) {
        zlib_deflater out({15, takeover}, options);
        std::size_t plain = 0, sent = 0;
        for (std::size_t i = 0; i < 500; ++i) {
            const std::string text = chat(i);
            const auto payload = deflated(out, text);
            plain += text.size();
            sent += payload ? payload->size() : text.size();
        }
        return static_cast<double>(sent) / static_cast<double>(plain);
    };
    const double shared = ratio({.mode = deflate_mode::shared_compressor, .min_size = 0});
    const double own = ratio({.mode = deflate_mode::own_stream, .min_size = 0});
    const double alone = ratio({.mode = deflate_mode::no_takeover, .min_size = 0});
    CHECK(own < shared);
    CHECK(shared < 0.5);
    CHECK(shared < alone * 0.6);
    CHECK(ratio({.mode = deflate_mode::shared_compressor, .kept_window = 0, .min_size = 0}) == alone);
    CHECK(ratio({.mode = deflate_mode::own_stream, .min_size = 0}, false) == alone); // as it was agreed
    CHECK(ratio({.min_size = 256}) == 1.0); // short ones go as they are
}

TEST_CASE("a stream goes on after a message that does not shrink", "[deflate][deflater]") {
    for (std::uint8_t bits = 9; bits <= 15; ++bits) {
        for (std::uint8_t memory_level = 5; memory_level <= 9; ++memory_level) {
            for (const std::size_t size : std::initializer_list<std::size_t>{
                     1, 2, 125, 300, 500, 1000, 3000, 7000, 15000, 32000, 32767, 32768, 40000, 100000}) {
                INFO(int{bits} << " " << int{memory_level} << " " << size);
                const deflate_options options{
                    .mode = deflate_mode::own_stream, .memory_level = memory_level, .min_size = 0};
                zlib_deflater out({bits, true}, options), fresh({bits, true}, options);
                plain_inflater peer(bits);
                const std::string text = noise(200, 7), strange = noise(size);
                REQUIRE(peer.message(deflated(out, text).value()) == text); // it grows, too
                REQUIRE(peer.message(deflated(out, chat(1)).value()) == chat(1));
                const auto made = deflated(out, strange);
                // What pushes all else out of the window goes as it is.
                CHECK(made.has_value() == (size < std::size_t{1} << bits));
                if (made) {
                    CHECK(made->size() <= size + zlib_deflater::most_growth);
                    CHECK(peer.message(*made) == strange);
                }
                const std::string next = chat(2);
                const auto after = deflated(out, next);
                REQUIRE(after);
                CHECK(peer.message(*after) == next);
                const std::size_t alone = deflated(fresh, next)->size();
                if (size <= 125) CHECK(after->size() < alone / 2); // it still refers to the first
            }
        }
    }
    // With every tenth message random the others take hardly more than without.
    for (const bool is_mixed : {false, true}) {
        zlib_deflater out({15, true}, {.mode = deflate_mode::own_stream, .min_size = 0});
        std::size_t plain = 0, sent = 0;
        for (std::size_t i = 0; i < 500; ++i) {
            if (is_mixed && i % 10 == 9) CHECK(deflated(out, noise(170, i))->size() <= 170 + 16);
            plain += chat(i).size();
            sent += deflated(out, chat(i))->size();
        }
        INFO(sent << " of " << plain << " bytes");
        CHECK(sent * 10 < plain * 2);
    }
}

TEST_CASE("what grows is sent as it is, and no later message refers to it", "[deflate][deflater]") {
    for (const std::size_t size : std::initializer_list<std::size_t>{1, 2, 3, 10, 255, 256, 5000, 100000}) {
        for (const deflate_mode mode : all_modes) {
            if (mode == deflate_mode::own_stream && size < 32768) continue; // so much more is sent
            zlib_deflater out({15, true}, {.mode = mode, .min_size = 0});
            plain_inflater peer;
            CHECK(peer.message(deflated(out, chat(1)).value()) == chat(1));
            CHECK_FALSE(deflated(out, noise(size)));
            std::vector<std::byte> more_room(size + 1000);
            CHECK(out.deflate(wsolo::bytes_of(noise(size)), wsolo::mutable_bytes(more_room)) == 0);
            if (mode == deflate_mode::no_takeover) peer.reset();
            CHECK(peer.message(deflated(out, chat(2)).value()) == chat(2));
        }
    }
    // A message that was sent uncompressed is not in the peer's window.
    for (const deflate_mode mode : all_modes) {
        zlib_deflater out({15, true}, {.mode = mode, .min_size = 0});
        const std::string strange = noise(mode == deflate_mode::own_stream ? 33000 : 1000);
        REQUIRE_FALSE(deflated(out, strange));
        CHECK_FALSE(deflated(out, strange));
    }
}

TEST_CASE("what does not fit is sent as it is, to the byte", "[deflate][deflater]") {
    for (const deflate_mode mode : all_modes) {
        const std::string text = compressible(5000);
        const std::size_t needed =
            deflated(*std::make_unique<zlib_deflater>(wsolo::deflate_direction{15, true},
                                                      deflate_options{.mode = mode, .min_size = 0}),
                     text)
                ->size();
        for (const std::size_t more : {std::size_t{0}, std::size_t{1}}) {
            zlib_deflater out({15, true}, {.mode = mode, .min_size = 0});
            std::vector<std::byte> room(needed + zlib_deflater::work_room - more);
            const std::size_t size = out.deflate(wsolo::bytes_of(text), wsolo::mutable_bytes(room));
            CHECK(size == (more == 0 ? needed : 0));
            plain_inflater peer;
            if (size != 0) CHECK(peer.message(wsolo::text_of(wsolo::const_bytes(room).first(size))) == text);
            if (mode == deflate_mode::no_takeover) peer.reset();
            CHECK(peer.message(deflated(out, chat(2)).value()) == chat(2));
        }
        zlib_deflater out({15, true}, {.mode = mode});
        CHECK(out.deflate(wsolo::bytes_of(text), wsolo::mutable_bytes()) == 0);
    }
}

TEST_CASE("what grows by more than there is room for is sent as it is, to the byte", "[deflate][deflater]") {
    const std::string text = noise(5000);
    const deflate_options options{.mode = deflate_mode::own_stream, .min_size = 0};
    const std::size_t needed =
        deflated(*std::make_unique<zlib_deflater>(deflate_direction{15, true}, options), text)->size();
    CHECK(needed > text.size());
    for (const std::size_t more : {std::size_t{0}, std::size_t{1}}) {
        zlib_deflater out({15, true}, options);
        std::vector<std::byte> room(needed + zlib_deflater::work_room - more);
        CHECK(out.deflate(wsolo::bytes_of(text), wsolo::mutable_bytes(room)) == (more == 0 ? needed : 0));
    }
    // Little memory makes many blocks: 5 bytes for each 127.
    zlib_deflater small({15, true}, {.mode = deflate_mode::own_stream, .memory_level = 1, .min_size = 0});
    CHECK(deflated(small, noise(3000)));
    CHECK_FALSE(deflated(small, noise(4000, 9)));
    // What is sent to many, or remembered by itself, does not grow at all.
    std::vector<std::byte> room(6000);
    zlib_deflater own({15, true}, options);
    CHECK(own.deflate_alone(wsolo::bytes_of(text), wsolo::mutable_bytes(room)).value() == 0);
}

TEST_CASE("the empty message goes uncompressed, first, twice and after another", "[deflate][deflater]") {
    for (const deflate_mode mode : all_modes) {
        zlib_deflater out({15, true}, {.mode = mode, .min_size = 0});
        plain_inflater peer;
        CHECK_FALSE(deflated(out, ""));
        CHECK_FALSE(deflated(out, ""));
        CHECK(out.memory() == 0);
        CHECK(peer.message(deflated(out, chat(1)).value()) == chat(1));
        CHECK_FALSE(deflated(out, ""));
        if (mode == deflate_mode::no_takeover) peer.reset();
        CHECK(peer.message(deflated(out, chat(2)).value()) == chat(2));
    }
}

TEST_CASE("memory is taken at the first compressed message, is bounded, and trim() gives it back",
          "[deflate][deflater]") {
    for (const deflate_mode mode : all_modes) {
        zlib_deflater out({15, true}, {.mode = mode, .kept_window = 3000});
        CHECK(out.memory() == 0);
        CHECK_FALSE(deflated(out, "short"));
        CHECK(out.memory() == 0);
        const std::string text = compressible(300);
        CHECK(deflated(out, text));
        const std::size_t after_one = out.memory();
        CHECK(after_one == (mode == deflate_mode::shared_compressor ? 300
                            : mode == deflate_mode::own_stream      ? after_one
                                                                    : 0));
        if (mode == deflate_mode::own_stream) {
            CHECK(after_one > 200000);
            CHECK(after_one < 360000); // zlib-ng takes 350 KB, zlib 268 KB
        }
        CHECK(deflated(out, compressible(16 << 20)));
        CHECK(out.memory() == (mode == deflate_mode::shared_compressor ? 3000 : after_one));
        out.trim();
        CHECK(out.memory() == 0);
        CHECK(deflated(out, text)); // and goes on
        CHECK(out.memory() == after_one);
    }
}

TEST_CASE("a window of options wider than the agreed one is cut to it", "[deflate][deflater]") {
    zlib_deflater out({9, true}, {.kept_window = 1 << 20, .min_size = 0});
    CHECK(deflated(out, compressible(5000)));
    CHECK(out.memory() == 512);
}

TEST_CASE("a thread's compressors are shared by settings", "[deflate][deflater]") {
    wsolo::shared_compressors<wsolo::adapt::zlib::compressor> all;
    CHECK(all.memory() == 0);
    const auto* const first = all.get({.window_bits = 15});
    const std::size_t one = all.memory();
    CHECK(first != nullptr);
    CHECK(all.get({.window_bits = 15}) == first);
    CHECK(all.memory() == one);
    CHECK(all.get({.window_bits = 9}) != first);
    for (std::uint8_t level = 1; level <= 9; ++level)
        CHECK(all.get({.window_bits = 12, .level = level}) != nullptr);
    CHECK(all.memory() < 8 * one); // as many as there are places
    CHECK(all.get({.window_bits = 99}) == nullptr);
    all.release();
    CHECK(all.memory() == 0);
}
