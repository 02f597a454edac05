#pragma once
// Who touched each byte of plain memory last, so that accesses which nothing orders are found.
//
// Laws of this file:
// - An access is known by its thread and that thread's clock at the time; it is ordered before another when
//   the other's thread knows that clock.
// - Freed memory is remembered as such until it is handed out again.

#include "memory.hpp"

namespace interleave::detail {

class shadow {
public:
    enum class verdict : std::uint8_t { fine, races, freed };
    struct finding {
        verdict what = verdict::fine;
        std::size_t other = 0; ///< the thread whose access is not ordered
    };
    using clocks = std::array<std::uint32_t, max_threads>;

    /// Forgets everything. O(1).
    void clear() noexcept;
    /// `me` reads or writes [address, address + size) at clock[me], knowing `clock`.
    finding read(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock);
    finding write(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock);
    /// Fresh memory: what was there before does not count.
    void allocate(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock);
    /// A write to all of it; later accesses find it freed.
    finding release(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock);

private:
    static constexpr std::size_t word = 8;
    /// Beyond this only cells that exist are looked at.
    static constexpr std::size_t large = 4096;

    /// A row of read_at counts once its thread's bit is in `readers`.
    struct cell {
        std::uintptr_t key;
        std::uint32_t round = 0;
        std::uint8_t touched; ///< a bit for each thread
        std::uint8_t readers; ///< likewise
        std::uint8_t freed;   ///< a bit for each byte
        std::array<std::uint8_t, word> wrote_by;
        std::array<std::uint32_t, word> wrote_at;
        std::array<std::array<std::uint32_t, word>, max_threads> read_at;
    };
    /// The bytes [first, last) of a cell.
    struct part {
        cell& here;
        std::size_t first, last;
    };

    cell& at(std::uintptr_t key);
    void grow();
    static finding check_write(const part& bytes, const clocks& clock) noexcept;
    template <class Visit>
    void each_part(std::uintptr_t address, std::size_t size, Visit visit);

    std::vector<cell> cells_ = std::vector<cell>(1024);
    std::uint32_t round_ = 1;
    std::size_t count_ = 0;
};

} // namespace interleave::detail
