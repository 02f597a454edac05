#pragma once
// The states that the search has met, each with the most preemptions that were left there.
//
// Law of this file: a state is its 64-bit hash. Two that collide are taken for one; with a million states the
// chance of any collision is below one in ten million.

#include "memory.hpp"

namespace interleave::detail {

class visited_states {
public:
    void clear() {
        slots_.assign(1024, {});
        count_ = 0;
    }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }

    /// Whether `state` was met with at least `left` preemptions left; remembers that it has been now.
    [[nodiscard]] bool covers(bits state, int left) {
        if (state == 0) state = 1; // 0 marks a free slot
        slot& at = find(state);
        if (at.state == state) {
            if (at.left >= left) return true;
            at.left = left;
            return false;
        }
        if (count_ >= most) return false;
        at = {state, left};
        if (++count_ * 2 > slots_.size()) grow();
        return false;
    }

private:
    static constexpr std::size_t most = std::size_t{1} << 21U;

    struct slot {
        bits state = 0;
        int left = 0;
    };

    slot& find(bits state) noexcept {
        std::size_t i = static_cast<std::size_t>(state) & (slots_.size() - 1);
        while (slots_[i].state != 0 && slots_[i].state != state) i = (i + 1) & (slots_.size() - 1);
        return slots_[i];
    }
    void grow() {
        std::vector<slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const slot& each : old)
            if (each.state != 0) find(each.state) = each;
    }

    std::vector<slot> slots_ = std::vector<slot>(1024);
    std::size_t count_ = 0;
};

} // namespace interleave::detail
