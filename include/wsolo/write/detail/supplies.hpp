#pragma once
// What one push carries across the lock: memory found before it, items displaced inside it.
//
// Laws of this file:
// - Allocation, deallocation and outcome calls happen here, with the lock free.

#include "workload.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

class supplies {
public:
    supplies() = default;
    supplies(const supplies&) = delete;
    supplies& operator=(const supplies&) = delete;
    ~supplies() {
        evicted.drop_all(errc::dropped_oldest);
        replaced.drop_all(errc::conflated);
        segment::destroy(block);
        workload::destroy(work);
    }

    /// Finds what was missing. False when there is no memory.
    [[nodiscard]] bool fetch() noexcept {
        if (wanted_block == 0) return (work = workload::create()) != nullptr;
        segment::destroy(block); // the wish may have grown meanwhile
        return (block = segment::make_open(wanted_block)) != nullptr;
    }

    workload* work = nullptr;
    segment* block = nullptr;
    std::uint32_t wanted_block = 0; ///< 0: the workload itself is missing
    lane evicted;                   ///< gave way to newer data
    lane replaced;                  ///< gave way to newer data of the same key
};

} // namespace wsolo::inline WSOLO_ABI::detail
