// Would catch: a wrong ChaCha20 (against RFC 8439's vector), a repeated key, keystream left behind, a key
// that outlives its refill.

#include <support/catch.hpp>

#include <wsolo/core/random.hpp>

#include <set>

using wsolo::masking_key;
using wsolo::random_keys;

namespace {

std::string hex(wsolo::const_bytes bytes) {
    std::string out;
    for (const std::byte b : bytes) {
        out += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4];
        out += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15];
    }
    return out;
}

} // namespace

TEST_CASE("the stream is ChaCha20 with its first 32 bytes kept as the next key", "[core][random]") {
    const std::array<std::byte, 32> zero{};
    random_keys keys{std::span<const std::byte, 32>(zero)};
    std::array<std::byte, 96> out{};
    keys.fill(out);
    // RFC 8439 §A.1, test vectors 1 and 2 (key 0, nonce 0): block 0 from byte 32 on, then block 1
    CHECK(hex(wsolo::const_bytes(out).first(32)) ==
          "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
    CHECK(hex(wsolo::const_bytes(out).subspan(32, 32)) ==
          "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed");
}

TEST_CASE("equal seeds agree across refills, different seeds do not", "[core][random]") {
    std::array<std::byte, 32> seed{};
    seed[5] = std::byte{9};
    random_keys a{std::span<const std::byte, 32>(seed)};
    random_keys b{std::span<const std::byte, 32>(seed)};
    seed[5] = std::byte{10};
    random_keys c{std::span<const std::byte, 32>(seed)};
    int same = 0;
    for (int i = 0; i < 5000; ++i) {
        const masking_key key = a.next_key();
        REQUIRE(key == b.next_key());
        same += key == c.next_key();
    }
    CHECK(same <= 2);
}

TEST_CASE("system-seeded keys do not repeat", "[core][random]") {
    random_keys first;
    random_keys second;
    std::set<std::string> seen;
    for (int i = 0; i < 500; ++i) {
        seen.insert(hex(first.next_key().bytes));
        seen.insert(hex(second.next_key().bytes));
    }
    CHECK(seen.size() >= 998); // two equal 32-bit keys among 1000 are rare, three pairs are a defect
}

TEST_CASE("system randomness fills requests of any size", "[core][random]") {
    std::array<std::byte, 600> room{};
    CHECK(wsolo::system_random(room) == wsolo::errc::none);
    int zeros = 0;
    for (const std::byte b : room) zeros += b == std::byte{0};
    CHECK(zeros < 30);
    CHECK(wsolo::system_random({}) == wsolo::errc::none);
}
