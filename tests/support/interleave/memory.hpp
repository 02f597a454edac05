#pragma once
// What the model remembers of memory: who knows of which store, and every store that may still be read.
//
// Laws of this file:
// - A location keeps its stores in modification order. A load may read any store that is not older than the
//   newest one that its thread knows of (read, wrote, or learnt of by synchronizing).
// - Places in that order have gaps, so that a store may go in before one that was executed earlier.
// - Hashes name histories, not values: equal hashes mean that the same events happened in the same causal
// order.

#include "api.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace interleave::detail {

/// A position in a location's modification order; 0 is before everything.
using place = std::uint64_t;

inline constexpr std::size_t max_threads = 8;
inline constexpr place place_step = place{1} << 40U;
inline constexpr std::uint32_t nothing_released = static_cast<std::uint32_t>(-1);

/// Folds `value` into a history's hash.
constexpr bits mix(bits hash, bits value) noexcept {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 29U;
    hash *= 0xBF58476D1CE4E5B9U;
    return hash ^ (hash >> 32U);
}

/// What a thread knows, or what a release hands on: each thread's progress, and per location the newest store
/// known of.
struct knowledge {
    std::array<std::uint32_t, max_threads> clock{};
    std::vector<place> seen;

    void clear() noexcept {
        clock.fill(0);
        seen.clear();
    }
    [[nodiscard]] place floor(std::size_t location) const noexcept {
        return location < seen.size() ? seen[location] : 0;
    }
    void observe(std::size_t location, place where) {
        if (location >= seen.size()) seen.resize(location + 1, 0);
        seen[location] = std::max(seen[location], where);
    }
    void join(const knowledge& other) {
        for (std::size_t i = 0; i < max_threads; ++i) clock[i] = std::max(clock[i], other.clock[i]);
        if (seen.size() < other.seen.size()) seen.resize(other.seen.size(), 0);
        for (std::size_t i = 0; i < other.seen.size(); ++i) seen[i] = std::max(seen[i], other.seen[i]);
    }
};

/// One store.
struct message {
    bits value = 0;
    place where = 0;
    bits hash = 0;
    std::uint32_t released =
        nothing_released;  ///< what an acquire that reads this learns: an index of the engine's pool
    bool extended = false; ///< a read-modify-write read this; nothing may come between
};

/// One atomic, mutex, condition variable or race-checked plain variable, in one execution.
struct location {
    const void* address = nullptr;
    kind what = kind::atomic;
    bool alive = false;
    std::size_t index = 0;
    bits key = 0;   ///< names the location alike in every execution with the same history
    bits hash = 0;  ///< what happened to it, in order
    bits share = 0; ///< its part of the engine's memory hash
    std::size_t born_by = 0;
    std::uint32_t born_at = 0;
    std::array<std::uint32_t, max_threads> used{}; ///< each thread's last use
    // atomic
    std::vector<message> stores;
    place sequential_floor = 0; ///< the newest store that a seq_cst operation read or wrote
    bits sequential_hash = 0;
    // mutex
    int owner = -1;
    knowledge released;
    // plain
    std::size_t wrote_by = 0;
    std::uint32_t wrote_at = 0;
};

/// Finds a location by its address; forgets everything in O(1).
class address_book {
public:
    static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);

    void clear() noexcept {
        ++round_;
        count_ = 0;
    }
    [[nodiscard]] std::uint32_t find(const void* address) const noexcept {
        for (std::size_t i = home(address);; i = (i + 1) & (slots_.size() - 1)) {
            if (slots_[i].round != round_) return none;
            if (slots_[i].address == address) return slots_[i].index;
        }
    }
    void set(const void* address, std::uint32_t index) {
        if (++count_ * 2 > slots_.size()) grow();
        place_slot({address, round_, index});
    }

private:
    struct slot {
        const void* address = nullptr;
        std::uint32_t round = 0;
        std::uint32_t index = 0;
    };

    [[nodiscard]] std::size_t home(const void* address) const noexcept {
        return static_cast<std::size_t>(mix(0, reinterpret_cast<std::uintptr_t>(address))) &
               (slots_.size() - 1);
    }
    void place_slot(slot what) noexcept {
        std::size_t i = home(what.address);
        while (slots_[i].round == round_ && slots_[i].address != what.address)
            i = (i + 1) & (slots_.size() - 1);
        slots_[i] = what;
    }
    void grow() {
        std::vector<slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const slot& each : old)
            if (each.round == round_) place_slot(each);
    }

    std::vector<slot> slots_ = std::vector<slot>(256);
    std::uint32_t round_ = 1;
    std::size_t count_ = 0;
};

} // namespace interleave::detail
