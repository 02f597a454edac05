#pragma once
// Percentiles of many durations in little memory: buckets of 1/32 of a power of two, so a quantile is right
// to 3 %.

#include <array>
#include <bit>
#include <cstdint>

namespace bench {

class histogram {
public:
    void add(std::int64_t nanoseconds) {
        const auto value = static_cast<std::uint64_t>(nanoseconds < 0 ? 0 : nanoseconds);
        ++counts_[bucket_of(value)];
        ++total_;
        if (value > longest_) longest_ = value;
    }

    /// The value that a `share` (0 to 1) of all does not exceed.
    [[nodiscard]] double quantile(double share) const {
        const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(total_));
        std::uint64_t below = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            below += counts_[i];
            if (below > rank) return static_cast<double>(value_of(i));
        }
        return static_cast<double>(longest_);
    }
    [[nodiscard]] double longest() const { return static_cast<double>(longest_); }

    histogram& operator+=(const histogram& other) {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
        total_ += other.total_;
        if (other.longest_ > longest_) longest_ = other.longest_;
        return *this;
    }

private:
    static constexpr unsigned fine_bits = 5;
    static constexpr std::size_t fine = std::size_t{1} << fine_bits;

    static std::size_t bucket_of(std::uint64_t value) {
        if (value < fine) return static_cast<std::size_t>(value);
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - fine_bits;
        return (std::size_t{shift} + 1) * fine + static_cast<std::size_t>((value >> shift) - fine);
    }
    static std::uint64_t value_of(std::size_t bucket) {
        if (bucket < fine) return bucket;
        return (bucket % fine + fine) << (bucket / fine - 1);
    }

    std::array<std::uint64_t, (65 - fine_bits) * fine> counts_{};
    std::uint64_t total_ = 0, longest_ = 0;
};

} // namespace bench
