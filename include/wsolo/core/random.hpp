// SPDX-License-Identifier: MIT
#pragma once
// Where masking keys come from. The peer's scripts must not be able to predict them (RFC 6455 §5.3, §10.3),
// so the provided source is a ChaCha20 generator seeded by the system, and there is no weaker default.
//
// Laws of this file:
// - Randomness is an argument: the code that masks is handed a key source.
// - A block of keystream is used once and wiped as it is handed out; the generator's key is replaced at every
//   refill, so that a later look at the memory does not reveal earlier keys ("fast key erasure").
// - After fork() parent and child hold the same state: the child calls reseed(), or makes a source of its
// own.

#include "bytes.hpp"
#include "chacha20.hpp"
#include "detail/exchange.hpp"
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
    /// In the order of the wire (RFC 6455 §5.3).
    std::array<std::byte, 4> bytes{};
    friend constexpr bool operator==(const masking_key&, const masking_key&) noexcept = default;
};

/// Anything that yields a fresh, unpredictable key per call.
template <class Source>
concept key_source = requires(Source& source) {
    { source.next_key() } noexcept -> std::same_as<masking_key>;
};

/// A key source with a single key in it, for a single frame. A value: the thread that draws the key and the one that masks with it
/// need not be the same.
class one_key {
public:
    explicit one_key(masking_key key) noexcept : key_(key) {}
    /// Returns the same key at every call.
    [[nodiscard]] masking_key next_key() const noexcept { return key_; }

private:
    masking_key key_;
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
/// connection. Movable, not copyable: a copy would repeat its keys. A key costs a few nanoseconds; a refill
/// (every 248 keys) costs one ChaCha20 pass and no system call.
class random_keys {
public:
    /// 32 bytes of seed, for instance from system_random(). Equal seeds give equal keys: only a test may
    /// use a seed twice.
    explicit random_keys(std::span<const std::byte, 32> seed) noexcept { reseed(seed); }

    /// Seeded from the system. Aborts when the system has no entropy to give: a client must not mask
    /// predictably, and there is nothing sensible to mask with instead. To handle it, take 32 bytes from
    /// system_random() yourself.
    random_keys() noexcept { reseed_or_abort(); }

    /// The source that was moved from seeds itself from the system at its next use, as the default constructor does.
    random_keys(random_keys&& other) noexcept { *this = std::move(other); }
    random_keys& operator=(random_keys&& other) noexcept {
        if (this == &other) return *this;
        key_ = other.key_;
        buffer_ = other.buffer_;
        used_ = other.used_;
        seeded_ = detail::exchange(other.seeded_, false);
        other.wipe_all();
        return *this;
    }
    ~random_keys() { wipe_all(); }

    /// Replaces the whole state; buffered keystream is dropped.
    void reseed(std::span<const std::byte, 32> seed) noexcept {
        std::memcpy(key_.data(), seed.data(), sizeof key_);
        wipe(buffer_.data(), buffer_.size());
        used_ = buffer_.size();
        seeded_ = true;
    }

    /// Replaces the whole state with a seed from the system. On errc::entropy_unavailable the state is unchanged.
    [[nodiscard]] errc reseed() noexcept {
        std::array<std::byte, 32> seed;
        const errc error = system_random(mutable_bytes(seed.data(), seed.size()));
        if (error == errc::none) reseed(std::span<const std::byte, 32>(seed.data(), 32));
        wipe(seed.data(), seed.size());
        return error;
    }

    /// The next four bytes of the stream, as a key. O(1), a few nanoseconds.
    [[nodiscard]] masking_key next_key() noexcept {
        masking_key key;
        if (buffer_.size() - used_ >= sizeof key) [[likely]] { // fill() in two moves
            std::memcpy(&key, buffer_.data() + used_, sizeof key);
            std::memset(buffer_.data() + used_, 0, sizeof key);
            used_ += sizeof key;
        } else {
            fill(mutable_bytes(key.bytes.data(), key.bytes.size()));
        }
        return key;
    }

    /// Fills `to` with the next bytes of the stream (a handshake's nonce takes 16). O(n).
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
    static constexpr std::uint32_t block_count = 16;

    static void wipe(void* at, std::size_t count) noexcept {
        std::memset(at, 0, count);
#if defined(__GNUC__)
        __asm__ volatile("" : : "r"(at) : "memory"); // keeps the compiler from removing the zeroing
#endif
    }

    void wipe_all() noexcept {
        wipe(key_.data(), sizeof key_);
        wipe(buffer_.data(), buffer_.size());
        used_ = buffer_.size();
    }

    void reseed_or_abort() noexcept {
        if (reseed() == errc::none) return;
        detail::assertion_failed("reseed()", "the system gave no random bytes", __FILE__, __LINE__);
    }

    /// The first bytes of each refill become the next key and are never handed out.
    [[gnu::noinline]] void refill() noexcept {
        if (!seeded_) reseed_or_abort();
        detail::chacha20_run(key_, block_count, buffer_.data());
        std::memcpy(key_.data(), buffer_.data(), sizeof key_);
        wipe(buffer_.data(), sizeof key_);
        used_ = sizeof key_;
    }

    detail::chacha20_key key_{};
    std::array<std::byte, detail::chacha20_block_size * block_count> buffer_{};
    std::size_t used_ = 0;
    bool seeded_ = false;
};

} // namespace wsolo::inline WSOLO_ABI
