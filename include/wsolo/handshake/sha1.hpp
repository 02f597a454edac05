// SPDX-License-Identifier: MIT
#pragma once
// SHA-1 (RFC 3174), for the one thing that the opening handshake still uses it for: proving that the server
// read the client's key (RFC 6455 §1.3). Not for anything that needs a secure hash.
//
// Laws of this file:
// - Incremental, no allocation, usable in constant expressions.

#include "../core/bytes.hpp"

#include <array>
#include <bit>

namespace wsolo::inline WSOLO_ABI {
namespace detail {

using sha1_digest = std::array<std::byte, 20>;

/// Takes text in any pieces and yields its digest once.
class sha1 {
public:
    constexpr void update(std::string_view text) noexcept {
        for (const char c : text) put(static_cast<unsigned char>(c));
        size_ += text.size();
    }

    /// The digest of all text so far. Call it once; the object must not be used after that.
    [[nodiscard]] constexpr sha1_digest finish() noexcept {
        put(0x80);
        while (used_ != length_at) put(0);
        const std::uint64_t bits = size_ * 8;
        for (int shift = 56; shift >= 0; shift -= 8) put(static_cast<unsigned char>(bits >> shift));
        sha1_digest digest{};
        for (std::size_t i = 0; i < digest.size(); ++i) {
            digest[i] = static_cast<std::byte>(state_[i / 4] >> (24 - 8 * (i % 4)));
        }
        return digest;
    }

private:
    static constexpr std::size_t block_size = 64;
    static constexpr std::size_t length_at = 56; // the last 8 bytes of the last block hold the length in bits

    constexpr void put(unsigned char byte) noexcept {
        std::uint32_t& word = block_[used_ / 4];
        word = word << 8 | byte;
        if (++used_ == block_size) {
            mix();
            used_ = 0;
        }
    }

    /// One block (RFC 3174 §6.1): 80 rounds in four groups of 20.
    constexpr void mix() noexcept {
        std::array<std::uint32_t, 80> w{};
        for (std::size_t t = 0; t < 16; ++t) w[t] = block_[t];
        for (std::size_t t = 16; t < 80; ++t)
            w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

        std::uint32_t a = state_[0], b = state_[1], c = state_[2], d = state_[3], e = state_[4];
        const auto twenty = [&](std::size_t from, std::uint32_t constant, auto choice) {
            for (std::size_t t = from; t < from + 20; ++t) {
                const std::uint32_t next = std::rotl(a, 5) + choice() + e + w[t] + constant;
                e = d;
                d = c;
                c = std::rotl(b, 30);
                b = a;
                a = next;
            }
        };
        const auto parity = [&] { return b ^ c ^ d; };
        twenty(0, 0x5a827999, [&] { return (b & c) | (~b & d); });
        twenty(20, 0x6ed9eba1, parity);
        twenty(40, 0x8f1bbcdc, [&] { return (b & c) | (b & d) | (c & d); });
        twenty(60, 0xca62c1d6, parity);
        state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d, state_[4] + e};
    }

    std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    std::array<std::uint32_t, 16> block_{};
    std::size_t used_ = 0;
    std::uint64_t size_ = 0;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
