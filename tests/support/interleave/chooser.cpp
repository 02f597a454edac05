#include "chooser.hpp"

#include <cstdlib>

namespace interleave::detail {

void chooser::begin(strategy how, std::uint64_t seed, const std::string& trail) {
    how_ = how;
    random_ = seed;
    diverged_ = false;
    trail_.clear();
    // As text() writes it: "3 0x12 1" is way 3, then way 0 twelve times, then way 1.
    const char* at = trail.c_str();
    while (*at != '\0') {
        char* end = nullptr;
        const auto way = static_cast<std::uint32_t>(std::strtoul(at, &end, 10));
        if (end == at) break;
        unsigned long times = 1;
        if (*end == 'x') times = std::strtoul(end + 1, &end, 10);
        for (; times > 0; --times) trail_.push_back({way, 0, false});
        at = end;
    }
    rewind();
}

void chooser::rewind() {
    next_ = 0;
    frozen_ = false;
    if (how_ == strategy::random) trail_.clear();
}

bool chooser::advance() {
    trail_.resize(next_ < trail_.size() ? next_ : trail_.size());
    while (!trail_.empty() && (!trail_.back().searched || trail_.back().chosen + 1 >= trail_.back().count))
        trail_.pop_back();
    if (trail_.empty()) return false;
    ++trail_.back().chosen;
    return true;
}

std::size_t chooser::choose(std::size_t count) {
    if (count < 2) return 0;
    if (how_ == strategy::random) {
        const std::uint64_t draw = random();
        const std::size_t way = (draw & 1U) != 0 ? 0 : static_cast<std::size_t>((draw >> 1U) % count);
        note(way);
        return way;
    }
    if (next_ == trail_.size())
        trail_.push_back({0, static_cast<std::uint32_t>(count), how_ == strategy::search && !frozen_});
    const fork& taken = trail_[next_++];
    if (taken.chosen >= count || (taken.count != 0 && taken.count != count)) diverged_ = true;
    return taken.chosen < count ? taken.chosen : 0;
}

void chooser::note(std::size_t chosen) {
    trail_.push_back({static_cast<std::uint32_t>(chosen), 0, false});
    next_ = trail_.size();
}

std::uint64_t chooser::random() noexcept {
    random_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = random_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
}

std::string chooser::text() const {
    std::string out;
    for (std::size_t i = 0; i < next_;) {
        std::size_t run = 1;
        while (i + run < next_ && trail_[i + run].chosen == trail_[i].chosen) ++run;
        if (!out.empty()) out += ' ';
        out += std::to_string(trail_[i].chosen);
        if (run > 1) out += 'x' + std::to_string(run);
        i += run;
    }
    return out;
}

} // namespace interleave::detail
