#pragma once
// Where a benchmark's bytes lie: somewhere else each time. Two buffers at one fixed distance measure that
// distance, not the code (a copy can fall to a fraction of its speed when its ends are a few bytes apart
// modulo 4096).

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace bench {

/// splitmix64: the same places in every run.
class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

private:
    std::uint64_t state_;
};

/// A buffer that hands out places for `size` bytes at unaligned, changing offsets of up to 8 KiB.
class places {
public:
    places(std::size_t size, std::uint64_t seed, std::byte fill = std::byte{'x'})
        : memory_(size + spread + 64, fill) {
        random_numbers draw(seed);
        for (std::size_t& offset : offsets_) offset = draw.below(spread);
    }
    std::byte* next() { return memory_.data() + offsets_[turn_++ % count]; }

private:
    static constexpr std::size_t spread = 8192, count = 61;
    std::vector<std::byte> memory_;
    std::size_t offsets_[count];
    std::size_t turn_ = 0;
};

/// Keeps the compiler from removing work whose result lies at `address`.
inline void keep(const void* address) { asm volatile("" : : "r"(address) : "memory"); }

} // namespace bench
