#pragma once
// writer_options' times and quantum in 16 bytes: what each of very many idle writers keeps of them.

#include "../budget.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Whole milliseconds below 2^32-1; anything longer (49 days) means "for ever", anything negative "at once".
class short_duration {
public:
    explicit constexpr short_duration(std::chrono::milliseconds span) noexcept
        : milliseconds_(span.count() < 0           ? 0
                        : span.count() >= for_ever ? for_ever
                                                   : static_cast<std::uint32_t>(span.count())) {}

    [[nodiscard]] constexpr duration get() const noexcept {
        return milliseconds_ == for_ever ? duration::max()
                                         : duration(std::chrono::milliseconds(milliseconds_));
    }

private:
    static constexpr std::uint32_t for_ever = UINT32_MAX;
    std::uint32_t milliseconds_;
};

/// A number of bytes in two of them: exact below 2048, above that within a thousandth, never more.
class short_size {
public:
    explicit constexpr short_size(std::uint32_t size) noexcept {
        std::uint16_t shift = 0;
        for (; size >> shift >= 2048; ++shift) {}
        bits_ = static_cast<std::uint16_t>(size >> shift << 5 | shift);
    }

    [[nodiscard]] constexpr std::uint32_t get() const noexcept {
        return static_cast<std::uint32_t>(bits_ >> 5) << (bits_ & 31U);
    }

private:
    std::uint16_t bits_;
};

struct settings {
    explicit constexpr settings(const writer_options& options) noexcept
        : write_timeout(options.timeouts.write),
          drain_timeout(options.timeouts.drain),
          min_rate(options.timeouts.min_rate),
          pump_quantum(options.pump_quantum),
          pump_frames(options.pump_frames) {}

    short_duration write_timeout;
    short_duration drain_timeout;
    std::uint32_t min_rate;
    short_size pump_quantum;
    std::uint16_t pump_frames;
};

} // namespace wsolo::inline WSOLO_ABI::detail
