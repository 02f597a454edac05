#include "shadow.hpp"

namespace interleave::detail {
namespace {

std::uint8_t bit(std::size_t n) noexcept { return static_cast<std::uint8_t>(1U << n); }

} // namespace

void shadow::clear() noexcept {
    ++round_;
    count_ = 0;
}

shadow::cell& shadow::at(std::uintptr_t key) {
    if (count_ * 2 > cells_.size()) grow();
    std::size_t i = static_cast<std::size_t>(mix(0, key)) & (cells_.size() - 1);
    while (cells_[i].round == round_ && cells_[i].key != key) i = (i + 1) & (cells_.size() - 1);
    cell& found = cells_[i];
    if (found.round == round_) return found;
    ++count_;
    found.key = key;
    found.round = round_;
    found.touched = found.readers = found.freed = 0;
    found.wrote_by.fill(0);
    found.wrote_at.fill(0);
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
void shadow::each_part(std::uintptr_t address, std::size_t size, Visit visit) {
    while (size > 0) {
        const std::size_t first = address % word;
        const std::size_t count = std::min(size, word - first);
        visit(part{at(address / word), first, first + count});
        address += count;
        size -= count;
    }
}

shadow::finding shadow::check_write(const part& bytes, const clocks& clock) noexcept {
    const cell& here = bytes.here;
    for (std::size_t i = bytes.first; i < bytes.last; ++i) {
        const std::size_t writer = here.wrote_by[i];
        if ((here.freed & bit(i)) != 0) return {verdict::freed, writer};
        if (here.wrote_at[i] > clock[writer]) return {verdict::races, writer};
    }
    return {};
}

shadow::finding shadow::read(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock) {
    finding found;
    each_part(address, size, [&](const part& bytes) {
        cell& here = bytes.here;
        if (here.touched != bit(me) || here.freed != 0) {
            const finding here_found = check_write(bytes, clock);
            if (here_found.what != verdict::fine) found = here_found;
        }
        if ((here.readers & bit(me)) == 0) here.read_at[me].fill(0);
        here.touched |= bit(me);
        here.readers |= bit(me);
        for (std::size_t i = bytes.first; i < bytes.last; ++i) here.read_at[me][i] = clock[me];
    });
    return found;
}

shadow::finding shadow::write(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock) {
    finding found;
    each_part(address, size, [&](const part& bytes) {
        cell& here = bytes.here;
        if (here.touched != bit(me) || here.freed != 0) {
            const finding here_found = check_write(bytes, clock);
            if (here_found.what != verdict::fine) found = here_found;
            for (std::size_t other = 0; other < max_threads; ++other) {
                if ((here.readers & bit(other)) == 0) continue;
                for (std::size_t i = bytes.first; i < bytes.last; ++i)
                    if (here.read_at[other][i] > clock[other]) found = {verdict::races, other};
            }
        }
        here.touched |= bit(me);
        for (std::size_t i = bytes.first; i < bytes.last; ++i) {
            here.wrote_by[i] = static_cast<std::uint8_t>(me);
            here.wrote_at[i] = clock[me];
        }
    });
    return found;
}

void shadow::allocate(std::uintptr_t address, std::size_t size, std::size_t me, const clocks& clock) {
    const auto begin_anew = [&](const part& bytes) {
        cell& here = bytes.here;
        here.touched |= bit(me);
        for (std::size_t i = bytes.first; i < bytes.last; ++i) {
            here.freed = static_cast<std::uint8_t>(here.freed & ~bit(i));
            here.wrote_by[i] = static_cast<std::uint8_t>(me);
            here.wrote_at[i] = clock[me];
            for (std::size_t other = 0; other < max_threads; ++other)
                if ((here.readers & bit(other)) != 0) here.read_at[other][i] = 0;
        }
    };
    if (size <= large) return each_part(address, size, begin_anew);
    for (cell& each : cells_)
        if (each.round == round_ && each.key >= address / word && each.key < (address + size) / word)
            begin_anew({each, 0, word});
}

shadow::finding shadow::release(std::uintptr_t address, std::size_t size, std::size_t me,
                                const clocks& clock) {
    if (size > large) return {};
    const finding found = write(address, size, me, clock);
    each_part(address, size, [](const part& bytes) {
        for (std::size_t i = bytes.first; i < bytes.last; ++i) bytes.here.freed |= bit(i);
    });
    return found;
}

} // namespace interleave::detail
