#include "shadow.hpp"

namespace interleave::detail {

void shadow::clear() noexcept {
    ++round_;
    count_ = 0;
}

shadow::cell& shadow::at(std::uintptr_t key) {
    if (count_ * 2 > cells_.size()) grow();
    std::size_t i = static_cast<std::size_t>(mix(0, key)) & (cells_.size() - 1);
    while (cells_[i].round == round_ && cells_[i].key != key) i = (i + 1) & (cells_.size() - 1);
    cell& found = cells_[i];
    if (found.round != round_) {
        found = {};
        found.key = key;
        found.round = round_;
        ++count_;
    }
    return found;
}

void shadow::grow() {
    std::vector<cell> old(cells_.size() * 2);
    old.swap(cells_);
    count_ = 0;
    for (const cell& each : old)
        if (each.round == round_) at(each.key) = each;
}

template <class Visit>
void shadow::each_byte(std::uintptr_t address, std::size_t size, Visit visit) {
    while (size > 0) {
        const std::size_t first = address % word;
        const std::size_t count = std::min(size, word - first);
        cell& here = at(address / word);
        for (std::size_t i = first; i < first + count; ++i) visit(here, i);
        address += count;
        size -= count;
    }
}

shadow::finding shadow::read(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock) {
    finding found;
    each_byte(address, size, [&](cell& here, std::size_t i) {
        const std::size_t writer = here.wrote_by[i];
        if (here.freed[i])
            found = {verdict::freed, writer};
        else if (here.wrote_at[i] > clock[writer])
            found = {verdict::races, writer};
        here.read_at[me][i] = clock[me];
    });
    return found;
}

shadow::finding shadow::write(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock) {
    finding found;
    each_byte(address, size, [&](cell& here, std::size_t i) {
        if (here.freed[i])
            found = {verdict::freed, here.wrote_by[i]};
        else if (here.wrote_at[i] > clock[here.wrote_by[i]])
            found = {verdict::races, here.wrote_by[i]};
        for (std::size_t other = 0; other < max_threads; ++other)
            if (here.read_at[other][i] > clock[other]) found = {verdict::races, other};
        here.wrote_by[i] = static_cast<std::uint8_t>(me);
        here.wrote_at[i] = clock[me];
    });
    return found;
}

void shadow::allocate(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock) {
    const auto begin_anew = [&](cell& here, std::size_t i) {
        here.freed[i] = false;
        here.wrote_by[i] = static_cast<std::uint8_t>(me);
        here.wrote_at[i] = clock[me];
        for (auto& each : here.read_at) each[i] = 0;
    };
    if (size <= large) return each_byte(address, size, begin_anew);
    for (cell& each : cells_)
        if (each.round == round_ && each.key >= address / word && each.key < (address + size) / word)
            for (std::size_t i = 0; i < word; ++i) begin_anew(each, i);
}

shadow::finding shadow::release(std::uintptr_t address, std::size_t size, std::size_t me,
                                const clocks& clock) {
    if (size > large) return {};
    const finding found = write(address, size, me, clock);
    each_byte(address, size, [](cell& here, std::size_t i) { here.freed[i] = true; });
    return found;
}

} // namespace interleave::detail
