#pragma once
// The choices of an execution: which way each went, out of how many.
//
// Laws of this file:
// - The trail of choices is all that tells executions with one config apart; written down, it replays one.
// - Choice 0 is the plain way: go on with the thread that runs, read the newest store, nothing spurious.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace interleave::detail {

class chooser {
public:
    enum class strategy : std::uint8_t { search, random, replay };

    /// Starts a round: the search with its first execution, or a replay of `trail` (as text() wrote it).
    void begin(strategy how, std::uint64_t seed, const std::string& trail);
    /// Starts an execution from its first choice; random ones forget the last.
    void rewind();
    /// Turns to the next execution of a search in depth-first order; false when there is none.
    [[nodiscard]] bool advance();

    /// One of `count` ways.
    [[nodiscard]] std::size_t choose(std::size_t count);
    /// Writes down a choice that was made elsewhere.
    void note(std::size_t chosen);
    /// A number for choices made elsewhere.
    [[nodiscard]] std::uint64_t random() noexcept;

    [[nodiscard]] strategy how() const noexcept { return how_; }
    /// The next choice has not been made before.
    [[nodiscard]] bool at_frontier() const noexcept {
        return how_ == strategy::search && next_ == trail_.size() && !frozen_;
    }
    /// The rest of this execution goes the plain way and is not searched.
    void freeze() noexcept { frozen_ = true; }
    /// The same choices led elsewhere than before: the body is not deterministic.
    [[nodiscard]] bool diverged() const noexcept { return diverged_; }
    /// The choices made so far.
    [[nodiscard]] std::string text() const;

private:
    struct fork {
        std::uint32_t chosen;
        std::uint32_t count; ///< 0: unknown, from a text
        bool searched;
    };

    std::vector<fork> trail_;
    std::size_t next_ = 0;
    strategy how_ = strategy::search;
    bool frozen_ = false;
    bool diverged_ = false;
    std::uint64_t random_ = 0;
};

} // namespace interleave::detail
