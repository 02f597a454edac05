#pragma once
// Numbers from a seed. Each operation of a history draws from a stream of its own, so that leaving one out
// does not change the draws of the others.

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace histories {

class seeded {
public:
    explicit seeded(std::uint64_t seed, std::uint64_t stream = 0) noexcept
        : state_(mix(seed * 0x9e3779b97f4a7c15ULL + mix(stream + 0x632be59bd9b4e019ULL))) {}

    std::uint64_t next() noexcept { return mix(state_ += 0x9e3779b97f4a7c15ULL); }
    std::size_t below(std::size_t bound) noexcept { return static_cast<std::size_t>(next() % bound); }
    std::size_t between(std::size_t low, std::size_t high) noexcept { return low + below(high - low + 1); }
    bool chance(unsigned percent) noexcept { return below(100) < percent; }
    template <class T>
    T one_of(std::initializer_list<T> these) noexcept {
        return *(these.begin() + below(these.size()));
    }

private:
    static std::uint64_t mix(std::uint64_t z) noexcept { // splitmix64
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

} // namespace histories
