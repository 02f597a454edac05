// Would catch: a message that depends on how it was cut or on the room for it, a limit that is off by one, a bomb, blocks without
// end that give nothing, a cut-off message taken for a whole one, a last block that ends the stream or loses the window, a
// reference beyond the window that reads foreign memory, junk that is taken, text that is not UTF-8, memory that is kept.

#include <support/catch.hpp>
#include <support/deflate.hpp>
#include <support/hex.hpp>

#include <wsolo/deflate/message_inflater.hpp>

using namespace std::string_literals;
using support::chat;
using support::compressible;
using support::inflate_by;
using support::inflate_end;
using support::inflate_whole;
using support::noise;
using support::plain_deflater;
using support::zlib_inflater;
using wsolo::errc;

namespace {

constexpr wsolo::deflate_direction usual{};
using sizes = std::initializer_list<std::size_t>;

std::string bytes(std::string_view hex) {
    const auto all = support::from_hex(hex);
    return std::string(wsolo::text_of(all));
}

/// The messages inflate to this, one after the other, in every cut and room that is tried.
void check_all_ways(const std::vector<std::string>& payloads, const std::vector<inflate_end>& wanted,
                    wsolo::deflate_direction how = usual, std::uint64_t limit = 1 << 20,
                    bool is_text = false) {
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{100000}}) {
        for (const std::size_t room : sizes{1, 2, 5, 1000, 100000}) {
            zlib_inflater in(how, limit);
            for (std::size_t i = 0; i < payloads.size(); ++i) {
                INFO("message " << i << " in pieces of " << piece << ", room for " << room);
                CHECK(inflate_by(in, payloads[i], piece, room, is_text) == wanted[i]);
            }
        }
    }
    zlib_inflater in(how, limit);
    for (std::size_t i = 0; i < payloads.size(); ++i)
        CHECK(inflate_whole(in, payloads[i], is_text) == wanted[i]);
}

} // namespace

TEST_CASE("the examples of RFC 7692 §7.2.3", "[deflate][inflater]") {
    check_all_ways({bytes("f2 48 cd c9 c9 07 00"), bytes("f2 00 11 00 00")},
                   {{"Hello"}, {"Hello"}});                                         // with takeover
    check_all_ways({bytes("00 05 00 fa ff 48 65 6c 6c 6f 00")}, {{"Hello"}});       // not compressed
    check_all_ways({bytes("f3 48 cd c9 c9 07 00 00")}, {{"Hello"}});                // BFINAL
    check_all_ways({bytes("f2 48 05 00 00 00 ff ff ca c9 c9 07 00")}, {{"Hello"}}); // two blocks
    check_all_ways({bytes("00")}, {{""}});                                          // empty
}

TEST_CASE("every size and window, however it is cut, with and without takeover", "[deflate][inflater]") {
    for (int bits = 9; bits <= 15; ++bits) {
        for (const bool takeover : {true, false}) {
            std::vector<std::string> payloads;
            std::vector<inflate_end> texts;
            plain_deflater peer(bits);
            for (const std::size_t size : sizes{0, 1, 125, 126, 700, 1500}) {
                for (const std::string& text : {compressible(size), noise(size)}) {
                    payloads.push_back(size == 0 ? "\0"s : peer.message(text));
                    texts.push_back({text});
                    if (!takeover) peer.reset();
                }
            }
            const wsolo::deflate_direction how{static_cast<std::uint8_t>(bits), takeover};
            if (bits == 9 || bits == 15) {
                check_all_ways(payloads, texts, how);
            } else {
                zlib_inflater in(how);
                for (std::size_t i = 0; i < payloads.size(); ++i)
                    CHECK(inflate_whole(in, payloads[i]) == texts[i]);
            }
        }
    }
}

TEST_CASE("a window of 8 bits is read", "[deflate][inflater]") {
    // No zlib writes one; what refers at most 256 bytes back fits.
    plain_deflater peer(9);
    const std::string text = compressible(130) + compressible(120);
    zlib_inflater in({8, true});
    CHECK(inflate_whole(in, peer.message(text)) == inflate_end{text});
}

TEST_CASE("long messages, at many cuts and rooms", "[deflate][inflater]") {
    plain_deflater peer;
    for (const std::size_t size : sizes{65535, 65536, 1 << 20}) {
        const std::string text = compressible(size);
        const std::string payload = peer.message(text);
        peer.reset();
        for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, payload.size()}) {
            for (const std::size_t room : sizes{999, 4096, 1 << 21}) {
                zlib_inflater in(usual);
                CHECK((inflate_by(in, payload, piece, room) == inflate_end{text}));
            }
        }
        zlib_inflater in(usual);
        CHECK((inflate_whole(in, payload) == inflate_end{text}));
    }
}

TEST_CASE("every split into two", "[deflate][inflater]") {
    plain_deflater peer;
    const std::string before = compressible(300), text = compressible(600) + noise(40);
    const std::string first = peer.message(before), second = peer.message(text);
    for (std::size_t cut = 0; cut <= second.size(); ++cut) {
        zlib_inflater in(usual);
        REQUIRE(inflate_whole(in, first) == inflate_end{before});
        wsolo::byte_buffer to;
        REQUIRE(in.append(wsolo::bytes_of(second).first(cut), false, false, to) == errc::none);
        REQUIRE(in.is_open());
        REQUIRE(in.append(wsolo::bytes_of(second).subspan(cut), true, false, to) == errc::none);
        REQUIRE_FALSE(in.is_open());
        REQUIRE(support::text_of(to) == text);
    }
}

TEST_CASE("a last block may stand anywhere, and the window lives on across it", "[deflate][inflater]") {
    plain_deflater peer;
    const std::string one = noise(500, 1), two = noise(300, 2);
    // At the end: Z_FINISH, and the byte that the tail completes to an empty block (RFC 7692 §7.2.3.4).
    const std::string ended = peer.raw(one, Z_FINISH) + "\0"s;
    // A later message that refers back across it.
    peer.reset();
    peer.dictionary(one);
    const std::string later = peer.message(two + one);
    REQUIRE(later.size() < 350);
    check_all_ways({ended, later}, {{one}, {two + one}});
    // In the middle: what follows in the same message refers across it too; and several.
    peer.reset();
    peer.dictionary(one + two + one);
    const std::string last = peer.raw(two + one, Z_FINISH);
    REQUIRE(last.size() < 50);
    check_all_ways({ended.substr(0, ended.size() - 1) + later, last + last + last + "\0"s, "\0"s},
                   {{one + two + one}, {two + one + two + one + two + one}, {""}});
    // At the very end, without the byte for the tail: some peers send it so.
    check_all_ways({ended.substr(0, ended.size() - 1), later}, {{one}, {two + one}});
    // Finished by a stored block whose lengths are the tail: 01 | 00 00 ff ff.
    check_all_ways({"\1"s, bytes("00 01 00 fe ff 41 01"), "\0"s}, {{""}, {"A"}, {""}});
}

TEST_CASE("without takeover a last block is as good as another", "[deflate][inflater]") {
    plain_deflater peer;
    const std::string text = compressible(400);
    const std::string payload = peer.raw(text, Z_FINISH);
    check_all_ways({payload + "\0"s, payload, payload + "\0"s}, {{text}, {text}, {text}}, {15, false});
}

TEST_CASE("empty messages, first, twice and after another, and of no bytes at all", "[deflate][inflater]") {
    plain_deflater peer;
    const std::string some = peer.message(chat(1));
    check_all_ways({"\0"s, ""s, some, ""s, "\0"s, ""s, bytes("02 00"), peer.message(chat(1))},
                   {{""}, {""}, {chat(1)}, {""}, {""}, {""}, {""}, {chat(1)}});
}

TEST_CASE("the limit is exact", "[deflate][inflater]") {
    for (const std::size_t limit : {std::size_t{1}, std::size_t{125}, std::size_t{1000}}) {
        for (const bool bomb : {false, true}) {
            const auto text = [&](std::size_t size) {
                return bomb ? std::string(size, 'x') : noise(size, 5);
            };
            const auto payload = [&](std::size_t size) { return plain_deflater().message(text(size)); };
            if (limit > 1) check_all_ways({payload(limit - 1)}, {{text(limit - 1)}}, usual, limit);
            check_all_ways({payload(limit), payload(limit)}, {{text(limit)}, {text(limit)}}, usual, limit);
            check_all_ways({payload(limit + 1), payload(1)},
                           {{text(limit), errc::message_too_big}, {"", errc::message_too_big}}, usual, limit);
            check_all_ways({payload(limit + 100000)}, {{text(limit), errc::message_too_big}}, usual, limit);
        }
    }
    zlib_inflater unbounded(usual, 0);
    const std::string big((5 << 20) + 1, 'y');
    CHECK((inflate_whole(unbounded, plain_deflater().message(big)) == inflate_end{big}));
}

TEST_CASE("what is compressed has a bound too", "[deflate][inflater]") {
    // Empty blocks, which give nothing for ever.
    std::string blocks;
    while (blocks.size() < 4000) blocks += "\0\0\0\xff\xff"s;
    const std::uint64_t bound = wsolo::compressed_bound_of(100);
    REQUIRE(bound == 1149);
    check_all_ways({blocks}, {{"", errc::message_too_big}}, usual, 100);
    const std::string padded = blocks.substr(0, bound / 5 * 5) + std::string(bound % 5, '\0');
    zlib_inflater in(usual, 100);
    CHECK(inflate_by(in, blocks.substr(0, 1145) + "\0"s, 10, 10) == inflate_end{""}); // within
    CHECK(inflate_by(in, blocks.substr(0, 1150), 10, 10) == inflate_end{"", errc::message_too_big});
    // Incompressible data in small blocks passes.
    zlib_inflater stored(usual, 1000);
    std::string many;
    for (int i = 0; i < 1000 / 125; ++i) many += bytes("00 7d 00 82 ff") + std::string(125, 'z');
    CHECK(inflate_whole(stored, many + "\0"s) == inflate_end{std::string(1000, 'z')});
}

TEST_CASE("what can't be inflated is invalid, wherever it is cut", "[deflate][inflater]") {
    const auto invalid = [](const std::string& payload, const std::string& before = "") {
        INFO(payload.size());
        check_all_ways({payload, "\0"s},
                       {{before, errc::invalid_compressed_data}, {"", errc::invalid_compressed_data}});
    };
    invalid(bytes("06"));                  // a block of the reserved type
    invalid(bytes("00 05 00 fa fe"));      // lengths that don't agree
    invalid(bytes("f2 00 11 00 00"), "H"); // a reference to before the stream's begin
    invalid(bytes("ff ff ff ff"));
    invalid(bytes("f2 48 cd c9 c9 07 00 06"), "Hello");    // after a whole message
    invalid(bytes("f3 48 cd c9 c9 07 00 06"), "Hello");    // after a last block
    invalid(bytes("00 05 00 fa ff 48 65"), "He\0\0\xff"s); // a stored block that took the tail for its own
    invalid(bytes("05 e0 03 00 00 00 00 00"));             // a code that is incomplete
}

TEST_CASE("a message that was cut off is invalid", "[deflate][inflater]") {
    plain_deflater peer;
    const std::string text = compressible(400), payload = peer.message(text);
    int invalid = 0;
    for (std::size_t size = 1; size < payload.size(); ++size) {
        zlib_inflater in(usual);
        const inflate_end got = inflate_whole(in, payload.substr(0, size));
        if (got.error == errc::invalid_compressed_data) ++invalid;
    }
    CHECK(invalid == static_cast<int>(payload.size()) - 1);
}

TEST_CASE("a reference beyond the agreed window is invalid", "[deflate][inflater]") {
    const std::string one = noise(300, 1), two = noise(600, 2);
    plain_deflater peer(15);
    const std::string first = peer.message(one), second = peer.message(two), third = peer.message(one);
    REQUIRE(third.size() < 20); // it refers 900 bytes back
    zlib_inflater wide({10, true});
    CHECK(inflate_whole(wide, first).error == errc::none);
    CHECK(inflate_whole(wide, second).error == errc::none);
    CHECK(inflate_whole(wide, third) == inflate_end{one});
    for (const std::uint8_t bits : {std::uint8_t{8}, std::uint8_t{9}}) {
        zlib_inflater in({bits, true});
        CHECK(inflate_whole(in, first).error == errc::none);
        CHECK(inflate_whole(in, second).error == errc::none);
        CHECK(inflate_whole(in, third).error == errc::invalid_compressed_data);
    }
}

TEST_CASE("without takeover no message refers to an earlier one", "[deflate][inflater]") {
    plain_deflater peer;
    const std::string first = peer.message(noise(300)), second = peer.message(noise(300));
    zlib_inflater in({15, false});
    CHECK(inflate_whole(in, first).error == errc::none);
    CHECK(inflate_whole(in, second).error == errc::invalid_compressed_data);
}

TEST_CASE("text is judged after it is inflated", "[deflate][inflater]") {
    plain_deflater peer;
    const std::string good = "K\xc3\xb6ln \xe2\x82\xac \xf0\x9f\x98\x80 " + compressible(300);
    const std::string bad = good + "\xc3\x28" + good;
    std::vector<std::string> payloads{peer.message(good), peer.message(good)};
    check_all_ways(payloads, {{good}, {good}}, usual, 1 << 20, true);
    for (const std::string& text :
         {bad, "\xff"s, good + "\xe2\x82"}) { // the last: cut off inside of a code point
        peer.reset();
        const std::string payload = peer.message(text);
        for (const std::size_t piece : sizes{1, 5, 100000}) {
            for (const std::size_t room : sizes{1, 3, 100000}) {
                zlib_inflater in(usual);
                CHECK(inflate_by(in, payload, piece, room, true).error == errc::invalid_utf8);
                CHECK(inflate_by(in, payload, piece, room, false).error ==
                      errc::invalid_utf8); // failed for good
                zlib_inflater binary(usual);
                CHECK(inflate_by(binary, payload, piece, room, false) == inflate_end{text});
            }
        }
    }
}

TEST_CASE("the output is bounded: each call fills what it is given and no more", "[deflate][inflater]") {
    const std::string text(1000, 'a');
    const std::string payload = plain_deflater().message(text);
    // How much a part of it makes before more is asked for.
    const auto made_of = [&](std::size_t cut, std::size_t room) {
        zlib_inflater in(usual);
        wsolo::const_bytes piece = wsolo::bytes_of(payload).first(cut);
        std::vector<std::byte> to(room);
        std::size_t sum = 0;
        for (;;) {
            const wsolo::inflated step = in.next(piece, false, false, to);
            sum += step.made;
            if (step.status == wsolo::inflate_status::need_more) break;
            REQUIRE(step.status == wsolo::inflate_status::more);
            REQUIRE(step.made == to.size());
        }
        CHECK(piece.empty());
        return sum;
    };
    for (std::size_t cut = 1; cut <= payload.size(); ++cut) CHECK(made_of(cut, 7) == made_of(cut, 5000));
    CHECK(made_of(payload.size(), 7) == text.size()); // all of it, before more is asked for
}

TEST_CASE("memory is taken at the first message, and given back between messages where it may",
          "[deflate][inflater]") {
    plain_deflater peer;
    zlib_inflater kept(usual), alone({15, false});
    CHECK(kept.memory() == 0);
    kept.trim();
    const std::string one = noise(700, 3), big = compressible(16 << 20);
    std::string payload = peer.message(one);
    CHECK(inflate_whole(kept, payload).error == errc::none);
    CHECK(inflate_whole(alone, payload).error == errc::none);
    CHECK(alone.memory() == 0);
    CHECK(kept.memory() > 5000);
    CHECK(kept.memory() < 50000);
    kept.trim();
    CHECK(kept.memory() == 700);                                       // what came, and no more
    CHECK(inflate_whole(kept, peer.message(one)) == inflate_end{one}); // refers to it
    zlib_inflater large(usual, 0);
    peer.reset();
    CHECK(inflate_whole(large, peer.message(big)).error == errc::none);
    CHECK(large.memory() < 50000);
    large.trim();
    CHECK(large.memory() == 32768);
    CHECK(inflate_whole(large, peer.message(big.substr(big.size() - 30000))).text ==
          big.substr(big.size() - 30000));
    // Trimmed after a last block, which restarts nothing then.
    zlib_inflater last(usual);
    peer.reset();
    CHECK(inflate_whole(last, peer.raw(one, Z_FINISH) + "\0"s).error == errc::none);
    last.trim();
    peer.reset();
    peer.dictionary(one);
    CHECK(inflate_whole(last, peer.message(one)) == inflate_end{one});
    // What failed holds nothing.
    CHECK(inflate_whole(last, "\xff\xff").error == errc::invalid_compressed_data);
    CHECK(last.memory() == 0);
    CHECK(last.error() == errc::invalid_compressed_data);
    last.trim(); // a timer's trim() may come before the connection has ended
    CHECK(inflate_whole(last, peer.message(one)).error == errc::invalid_compressed_data);
}
