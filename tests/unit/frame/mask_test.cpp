// Would catch: a vector form that differs from the byte loop at some length, alignment or key phase, that
// touches a byte too many, that masks twice where its chunks overlap, or that forgets the phase when it is
// resumed.

#include <support/catch.hpp>
#include <support/exact_bytes.hpp>
#include <support/hex.hpp>

#include <wsolo/frame/detail/copy.hpp>
#include <wsolo/frame/mask.hpp>

#include <array>
#include <cstring>
#include <vector>

using support::byte_vector;
using support::exact_bytes;
using wsolo::const_bytes;
using wsolo::masking_key;
namespace detail = wsolo::detail;

namespace {

constexpr masking_key key{{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};

const byte_vector& plain() {
    static const byte_vector bytes = [] {
        byte_vector made(1 << 17);
        std::uint32_t state = 1;
        for (std::byte& byte : made)
            byte = static_cast<std::byte>((state = state * 1664525U + 1013904223U) >> 24);
        return made;
    }();
    return bytes;
}

/// plain() XORed byte by byte, the first byte with key byte `phase` (RFC 6455 §5.3).
const byte_vector& masked(std::size_t phase) {
    static const std::array<byte_vector, 4> all = [] {
        std::array<byte_vector, 4> made;
        for (std::size_t of = 0; of < 4; ++of) {
            for (std::size_t i = 0; i < plain().size(); ++i) {
                made[of].push_back(plain()[i] ^ key.bytes[(i + of) % 4]);
            }
        }
        return made;
    }();
    return all[phase];
}

bool equal(const_bytes left, const byte_vector& right) {
    return left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0;
}

using kernel = void (*)(std::byte*, const std::byte*, std::size_t, std::uint32_t);

/// What went wrong first, or nothing.
std::string differs(kernel mask, std::size_t size, std::size_t alignment) {
    const std::string where = " at size " + std::to_string(size) + ", alignment " + std::to_string(alignment);
    exact_bytes in_place(size, alignment);
    exact_bytes target(size, alignment);
    exact_bytes source(const_bytes(plain()).first(size), (size * 7 + alignment * 13) % 64);
    for (std::size_t phase = 0; phase < 4; ++phase) {
        const std::uint32_t word = detail::key_word(key, phase);
        in_place.fill(const_bytes(plain()).first(size));
        mask(in_place.data(), in_place.data(), size, word);
        if (!equal(in_place.view(), masked(phase))) return "in place" + where;
        mask(target.data(), source.data(), size, word);
        if (!equal(target.view(), masked(phase))) return "copying" + where;
    }
    if (!in_place.guards_stand() || !target.guards_stand()) return "wrote outside" + where;
    if (!equal(source.view(), plain())) return "changed its source" + where;
    return "";
}

std::string first_difference(kernel mask, std::size_t shortest) {
    for (std::size_t size = shortest; size <= 512; ++size) {
        for (std::size_t alignment = 0; alignment < 64; ++alignment) {
            if (std::string found = differs(mask, size, alignment); !found.empty()) return found;
        }
    }
    // Around the sizes where the wider forms begin, and where their loops turn over.
    for (const std::size_t around : {1024U, 1280U, 4096U, 16384U, 65536U}) {
        for (std::size_t size = around - 2; size <= around + 2; ++size) {
            for (std::size_t alignment = 0; alignment < 64; alignment += 3) {
                if (std::string found = differs(mask, size, alignment); !found.empty()) return found;
            }
        }
    }
    return "";
}

} // namespace

TEST_CASE("masking is the RFC's XOR at every length, alignment and key phase", "[frame][mask]") {
    CHECK(first_difference([](std::byte* to, const std::byte* from, std::size_t size,
                              std::uint32_t word) { detail::xor_bytes(to, from, size, word); },
                           0) == "");
}

TEST_CASE("masking by the compiler's 16-byte vectors is the same", "[frame][mask]") {
    CHECK(first_difference(detail::xor_narrow<detail::chunk16>, 0) == "");
}

TEST_CASE("masking by plain words is the same", "[frame][mask]") {
    CHECK(first_difference(detail::xor_narrow<detail::two_words>, 0) == "");
}

#if WSOLO_X86_KERNELS
TEST_CASE("masking by AVX2 is the same", "[frame][mask]") {
    if (__builtin_cpu_supports("avx2")) {
        CHECK(first_difference(detail::xor_avx2, 128) == "");
    } else {
        WARN("not tried: this processor has no AVX2");
    }
}

TEST_CASE("masking by AVX-512 is the same", "[frame][mask]") {
    if (__builtin_cpu_supports("avx512f")) {
        CHECK(first_difference(detail::xor_avx512, 128) == "");
    } else {
        WARN("not tried: this processor has no AVX-512");
    }
}

TEST_CASE("masking by each vector unit that may be chosen is the same", "[frame][mask]") {
    const auto by = [](auto unit) {
        return [](std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) {
            detail::xor_long_by(decltype(unit)::value, to, from, size, word);
        };
    };
    using detail::vector_unit;
    const vector_unit widest = detail::usable_vector_unit();
    CHECK(first_difference(by(std::integral_constant<vector_unit, vector_unit::baseline>()),
                           detail::wide_from) == "");
    if (widest >= vector_unit::avx2) {
        CHECK(first_difference(by(std::integral_constant<vector_unit, vector_unit::avx2>()),
                               detail::wide_from) == "");
    }
    if (widest >= vector_unit::avx512) {
        CHECK(first_difference(by(std::integral_constant<vector_unit, vector_unit::avx512>()),
                               detail::wide_from) == "");
    }
}
#endif

TEST_CASE("a payload masked in two pieces is masked as a whole", "[frame][mask]") {
    std::size_t splits = 0;
    for (const std::size_t size : {1U, 7U, 64U, 300U, 1500U}) {
        for (std::size_t split = 0; split <= size; ++split) {
            byte_vector bytes(plain().begin(), plain().begin() + static_cast<std::ptrdiff_t>(size));
            const wsolo::mutable_bytes view(bytes);
            wsolo::apply_mask(view.first(split), key);
            wsolo::apply_mask(view.subspan(split), key, split);
            if (!equal(view, masked(0))) FAIL("in place, size " << size << " split at " << split);

            ++splits;
            byte_vector copy(size);
            const const_bytes from = const_bytes(plain()).first(size);
            wsolo::copy_masked(copy.data(), from.first(split), key);
            wsolo::copy_masked(copy.data() + split, from.subspan(split), key, split);
            if (!equal(copy, masked(0))) FAIL("copying, size " << size << " split at " << split);
        }
    }
    CHECK(splits > 100);
}

TEST_CASE("an offset counts modulo four, however large", "[frame][mask]") {
    for (const std::uint64_t offset : {std::uint64_t{5}, (std::uint64_t{1} << 40) + 2, UINT64_MAX}) {
        byte_vector bytes(plain().begin(), plain().begin() + 100);
        wsolo::apply_mask(bytes, key, offset);
        CHECK(equal(bytes, masked(offset % 4)));
    }
}

TEST_CASE("masking gives the RFC's own example", "[frame][mask]") {
    // §5.7: "A single-frame masked text message": the key 37 fa 21 3d and "Hello"
    byte_vector bytes = support::from_hex("48 65 6c 6c 6f");
    wsolo::apply_mask(bytes, key);
    CHECK(support::to_hex(bytes) == "7f 9f 4d 51 58");
    wsolo::apply_mask(bytes, key);
    CHECK(wsolo::text_of(bytes) == "Hello");
}

TEST_CASE("payloads are copied whole at every size and placement", "[frame][mask]") {
    for (std::size_t size = 0; size < 300; ++size) {
        exact_bytes source(const_bytes(plain()).first(size), size % 61);
        exact_bytes target(size, size * 5 % 64);
        detail::copy_bytes(target.data(), source.data(), size);
        if (!equal(target.view(), plain()) || !target.guards_stand()) FAIL("size " << size);
    }
    // Every distance modulo 4096 that turns memcpy away, and those beside them.
    byte_vector memory(3 * 8192 + 128);
    const std::size_t size = 5000;
    std::memcpy(memory.data(), plain().data(), size);
    for (std::size_t ahead = 0; ahead < 80; ++ahead) {
        std::byte* to = memory.data() + 8192 + ahead;
        std::memset(memory.data() + 8192, 0, 8192);
        detail::copy_bytes(to, memory.data(), size);
        if (!equal({to, size}, plain())) FAIL("ahead by " << ahead);
        if (to[size] != std::byte{}) FAIL("wrote outside, ahead by " << ahead);
        CHECK(detail::memcpy_may_stall(to, memory.data(), size) == (ahead >= 1 && ahead <= 63));
        CHECK_FALSE(detail::memcpy_may_stall(to, memory.data(), 100));
    }
}
