#pragma once
// Where masking keys come from. The peer's scripts must not be able to predict them (RFC 6455 §5.3, §10.3),
// so the provided source is a ChaCha20 generator seeded by the system, and there is no weaker default.
//
// Laws of this file:
// - Randomness is an argument: whoever masks is handed a key source.
// - A block of keystream is used once and wiped as it is handed out; the generator's key is replaced at every
// refill,
//   so that a later look at the memory does not reveal earlier keys ("fast key erasure").
// - After fork() parent and child hold the same state: the child calls reseed(), or makes a source of its
// own.

#include "bytes.hpp"
#include "result.hpp"

#include <array>
#include <concepts>
#include <cstring>

#if defined(__has_include)
#if __has_include(<sys/random.h>)
#include <sys/random.h>
#define WSOLO_HAS_SYS_RANDOM 1
#endif
#endif
#if !defined(WSOLO_HAS_SYS_RANDOM)
#include <random>
#endif

namespace wsolo::inline WSOLO_ABI {

/// The four bytes that a client's payload is XORed with, in wire order (RFC 6455 §5.3).
struct masking_key {
    std::array<std::byte, 4> bytes{};
    friend constexpr bool operator==(const masking_key&, const masking_key&) noexcept = default;
};

/// Anything that yields a fresh, unpredictable key per call.
template <class Source>
concept key_source = requires(Source& source) {
    { source.next_key() } noexcept -> std::same_as<masking_key>;
};

/// Fills `to` from the operating system's generator. errc::entropy_unavailable when it has none to give. May
/// make system calls; blocks only while the system has not been seeded yet (early boot).
[[nodiscard]] inline errc system_random(mutable_bytes to) noexcept {
#if defined(WSOLO_HAS_SYS_RANDOM)
    while (!to.empty()) { // getentropy gives 256 bytes at most
        const std::size_t count = to.size() < 256 ? to.size() : 256;
        if (::getentropy(to.data(), count) != 0) return errc::entropy_unavailable;
        to = to.subspan(count);
    }
    return errc::none;
#else
#if WSOLO_HAS_EXCEPTIONS
    try {
#endif
        std::random_device device;
        for (std::byte& byte : to) byte = static_cast<std::byte>(device());
        return errc::none;
#if WSOLO_HAS_EXCEPTIONS
    } catch (...) {
        return errc::entropy_unavailable;
    }
#endif
#endif
}

/// The provided key source: buffered ChaCha20. 1 KiB of state, no heap. Not thread-safe: one per thread or
/// connection. A key costs a few nanoseconds; a refill (every 248 keys) costs one ChaCha20 pass and no system
/// call.
class random_keys {
public:
    /// 32 bytes of seed, for instance from system_random(). Equal seeds give equal keys: only tests repeat
    /// one.
    explicit random_keys(std::span<const std::byte, 32> seed) noexcept { reseed(seed); }

    /// Seeded from the system. Aborts when the system has no entropy to give: a client must not mask
    /// predictably, and there is nothing sensible to mask with instead. To handle it, take 32 bytes from
    /// system_random() yourself.
    random_keys() noexcept {
        if (reseed() != errc::none) {
            detail::assertion_failed("reseed()", "the system gave no random bytes", __FILE__, __LINE__);
        }
    }

    /// Replaces the whole state; what was buffered is forgotten.
    void reseed(std::span<const std::byte, 32> seed) noexcept {
        for (std::size_t i = 0; i < 8; ++i) std::memcpy(&key_[i], seed.data() + 4 * i, 4);
        wipe(buffer_.data(), buffer_.size());
        used_ = buffer_.size();
    }

    /// The same from the system. On errc::entropy_unavailable the state is unchanged.
    [[nodiscard]] errc reseed() noexcept {
        std::array<std::byte, 32> seed;
        const errc error = system_random(seed);
        if (error == errc::none) reseed(std::span<const std::byte, 32>(seed));
        wipe(seed.data(), seed.size());
        return error;
    }

    [[nodiscard]] masking_key next_key() noexcept {
        masking_key key;
        fill(key.bytes);
        return key;
    }

    /// Any number of bytes of the stream (a handshake's nonce takes 16).
    void fill(mutable_bytes to) noexcept {
        for (std::size_t done = 0; done < to.size();) {
            if (used_ == buffer_.size()) refill();
            std::size_t count = buffer_.size() - used_;
            if (count > to.size() - done) count = to.size() - done;
            std::memcpy(to.data() + done, buffer_.data() + used_, count);
            wipe(buffer_.data() + used_, count);
            used_ += count;
            done += count;
        }
    }

private:
    static constexpr std::size_t block_size = 64;
    static constexpr std::size_t block_count = 16;

    static void wipe(std::byte* at, std::size_t count) noexcept { std::memset(at, 0, count); }

    static constexpr std::uint32_t rotate(std::uint32_t value, int by) noexcept {
        return value << by | value >> (32 - by);
    }

    static constexpr void quarter_round(std::uint32_t& a, std::uint32_t& b, std::uint32_t& c,
                                        std::uint32_t& d) noexcept {
        a += b;
        d = rotate(d ^ a, 16);
        c += d;
        b = rotate(b ^ c, 12);
        a += b;
        d = rotate(d ^ a, 8);
        c += d;
        b = rotate(b ^ c, 7);
    }

    /// One ChaCha20 block (RFC 8439 §2.3) with a zero nonce: the key changes with every refill instead.
    void block(std::uint32_t counter, std::byte* to) const noexcept {
        std::array<std::uint32_t, 16> input{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
        for (std::size_t i = 0; i < 8; ++i) input[4 + i] = key_[i];
        input[12] = counter;
        std::array<std::uint32_t, 16> x = input;
        for (int round = 0; round < 10; ++round) {
            quarter_round(x[0], x[4], x[8], x[12]);
            quarter_round(x[1], x[5], x[9], x[13]);
            quarter_round(x[2], x[6], x[10], x[14]);
            quarter_round(x[3], x[7], x[11], x[15]);
            quarter_round(x[0], x[5], x[10], x[15]);
            quarter_round(x[1], x[6], x[11], x[12]);
            quarter_round(x[2], x[7], x[8], x[13]);
            quarter_round(x[3], x[4], x[9], x[14]);
        }
        for (std::size_t i = 0; i < 16; ++i) {
            const std::uint32_t word = x[i] + input[i];
            std::memcpy(to + 4 * i, &word, 4);
        }
    }

    void refill() noexcept {
        for (std::uint32_t i = 0; i < block_count; ++i) block(i, buffer_.data() + i * block_size);
        for (std::size_t i = 0; i < 8; ++i) std::memcpy(&key_[i], buffer_.data() + 4 * i, 4);
        wipe(buffer_.data(), 32);
        used_ = 32;
    }

    std::array<std::uint32_t, 8> key_{};
    std::array<std::byte, block_size * block_count> buffer_{};
    std::size_t used_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI
