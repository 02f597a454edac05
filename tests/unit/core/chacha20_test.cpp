// Would catch: a wrong rotation, constant or word order, a counter that does not advance from lane to lane,
// a wide form that gives another stream than the narrow one.

#include <support/catch.hpp>

#include <wsolo/core/chacha20.hpp>

#include <cstdio>
#include <string>

namespace detail = wsolo::detail;

namespace {

/// Block `counter` of `key` (as its eight words), in the RFC's order, in hex.
std::string block_in_hex(const detail::chacha20_key& key, std::uint32_t counter) {
    const std::uint32_t lane = counter % detail::chacha20_group;
    std::array<std::uint32_t, 16 * detail::chacha20_group> words;
    detail::chacha20_blocks4(key, counter - lane, reinterpret_cast<std::byte*>(words.data()));
    std::string hex;
    for (std::size_t i = 0; i < 16; ++i) {
        const std::uint32_t word = words[i * detail::chacha20_group + lane];
        for (unsigned byte = 0; byte < 4; ++byte) { // little-endian, RFC 8439 §2.3
            char digits[3];
            std::snprintf(digits, sizeof digits, "%02x", (word >> (8 * byte)) & 0xffU);
            hex += digits;
        }
    }
    return hex;
}

} // namespace

TEST_CASE("ChaCha20 gives the RFC's blocks", "[core][chacha20]") {
    const detail::chacha20_key zero{};
    // RFC 8439 A.1, test vector 1
    CHECK(block_in_hex(zero, 0) == "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                                   "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
    // test vector 2
    CHECK(block_in_hex(zero, 1) == "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                                   "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
    // test vector 3: the key's last byte is 1
    CHECK(block_in_hex({0, 0, 0, 0, 0, 0, 0, 0x01000000}, 1) ==
          "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
          "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0");
    // test vector 4: the key's second byte is 0xff
    CHECK(block_in_hex({0x0000ff00, 0, 0, 0, 0, 0, 0, 0}, 2) ==
          "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
          "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096");
}

TEST_CASE("ChaCha20 gives the same stream at every width", "[core][chacha20]") {
    const detail::chacha20_key key{1, 0x80000000, 3, 4, 0xffffffff, 6, 7, 8};
    std::array<std::byte, 16 * 64> expected{};
    for (std::uint32_t i = 0; i < 16; i += 4) detail::chacha20_blocks4(key, i, expected.data() + i * 64);
    std::array<std::byte, 16 * 64> run{};
    detail::chacha20_run(key, 16, run.data());
    CHECK(run == expected);
    using detail::vector_unit;
    for (const vector_unit unit :
         {vector_unit::baseline, vector_unit::ssse3, vector_unit::avx2, vector_unit::avx512}) {
        if (unit > detail::usable_vector_unit()) continue;
        INFO("vector unit " << static_cast<int>(unit));
        run = {};
        detail::chacha20_run_by(unit, key, 16, run.data());
        CHECK(run == expected);
    }
#if WSOLO_X86_KERNELS
    // What was chosen above may have been one and the same: the widths themselves.
    std::array<std::byte, 16 * 64> wide{};
    if (__builtin_cpu_supports("avx2")) {
        detail::chacha20_blocks8(key, 0, wide.data());
        detail::chacha20_blocks8(key, 8, wide.data() + 8 * 64);
        CHECK(wide == expected);
    }
#endif
}
