// Would catch: a wrong round constant or rotation, padding that goes wrong where the length no longer fits
// the block, pieces that hash differently from the whole, a bit length that wraps.

#include <support/catch.hpp>

#include <wsolo/handshake/sha1.hpp>

#include <string>

namespace {

std::string hex(const wsolo::detail::sha1_digest& digest) {
    std::string text;
    for (const std::byte byte : digest) {
        text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
        text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
    }
    return text;
}

std::string sha1_of(std::string_view text) {
    wsolo::detail::sha1 hash;
    hash.update(text);
    return hex(hash.finish());
}

} // namespace

TEST_CASE("SHA-1 of the published vectors", "[handshake][sha1]") {
    struct row {
        const char* text;
        const char* digest;
    };
    const row rows[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"}, // RFC 3174 §7.3 TEST1
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"}, // TEST2
        {"The quick brown fox jumps over the lazy dog", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"},
    };
    for (const row& each : rows) CHECK(sha1_of(each.text) == each.digest);
    CHECK(sha1_of(std::string(1000000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f"); // TEST3
}

TEST_CASE("SHA-1 pads rightly around the ends of a block", "[handshake][sha1]") {
    struct row {
        std::size_t size;
        const char* digest;
    };
    const row rows[] = {
        {55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1"},  {56, "901305367c259952f4e7af8323f480d59f81335b"},
        {57, "025ecbd5d70f8fb3c5457cd96bab13fda305dc59"},  {63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec"},
        {64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"},  {65, "78c741ddc482e4cdf8c474a0876347a0905b6233"},
        {119, "4300320394f7ee239bcdce7d3b8bcee173a0cd5c"}, {120, "ceb2821639c4b6dcb10bce0e522ca2e608ce056d"},
        {128, "150fa3fbdc899bd0b8f95a9fb6027f564d953762"},
    };
    for (const row& each : rows) {
        INFO(each.size);
        CHECK(sha1_of(std::string(each.size, 'x')) == each.digest);
    }
}

TEST_CASE("SHA-1 does not see how the text was cut", "[handshake][sha1]") {
    const std::string text(150, 'q');
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        wsolo::detail::sha1 hash;
        hash.update(std::string_view(text).substr(0, cut));
        hash.update(std::string_view(text).substr(cut));
        CHECK(hex(hash.finish()) == sha1_of(text));
    }
}
