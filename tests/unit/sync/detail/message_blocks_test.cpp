// SPDX-License-Identifier: MIT
// Would catch: a message that is lost, doubled, or out of order where a block begins or ends; a message destroyed twice or never;
// a spare block that is forgotten, or taken for the first one; a block allocated while there is a spare.

#include <support/catch.hpp>

#include <wsolo/sync/detail/message_blocks.hpp>

#include <cstdint>
#include <deque>
#include <random>

namespace {

/// Counts itself.
class counted {
public:
    counted(int number, int& alive) noexcept : number_(number), alive_(&alive) { ++*alive_; }
    counted(counted&& other) noexcept : number_(other.number_), alive_(other.alive_) { ++*alive_; }
    counted& operator=(counted&&) = delete;
    ~counted() { --*alive_; }
    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
    int* alive_;
    [[maybe_unused]] std::byte bulk_[200]{}; // few fit into a block
};

using blocks = wsolo::detail::message_blocks<counted>;
using block = blocks::block;
constexpr std::uint32_t per_block = block::capacity;
static_assert(sizeof(blocks) == sizeof(void*));

/// The queue, and what it should hold.
struct checked_queue {
    explicit checked_queue(int& count) : alive(count) {}
    checked_queue(const checked_queue&) = delete;
    checked_queue& operator=(const checked_queue&) = delete;
    ~checked_queue() { block::destroy(fresh); }

    void put() {
        if (fresh == nullptr) fresh = block::make();
        REQUIRE(fresh != nullptr);
        REQUIRE(all.find_room(fresh));
        if (fresh == nullptr) ++made;
        all.put(counted(next, alive), static_cast<std::size_t>(next));
        expected.push_back(next++);
    }
    /// Handles `most` at most of those in front, as a drainer does.
    void handle(std::uint32_t most) {
        const auto run = all.front(most);
        REQUIRE(run.count > 0);
        REQUIRE(run.count <= most);
        for (std::uint32_t at = 0; at < run.count; ++at) {
            REQUIRE(run.first[at].message().number() == expected.front());
            REQUIRE(run.first[at].bytes() == static_cast<std::size_t>(expected.front()));
            expected.pop_front();
            run.first[at].destroy();
        }
        free(all.drop_front(run.count));
    }
    void free(block* chain) {
        for (const block* each = chain; each != nullptr; each = each->next) --made;
        block::destroy(chain);
    }
    void check() const {
        REQUIRE(all.empty() == expected.empty());
        REQUIRE(alive == static_cast<int>(expected.size()));
    }

    int& alive; ///< messages that exist
    int next = 0;
    int made = 0; ///< blocks that the queue has
    std::deque<int> expected;
    block* fresh = nullptr;
    blocks all; ///< goes first
};

} // namespace

TEST_CASE("messages come out as they went in, whatever the blocks", "[sync][inbox]") {
    static_assert(per_block >= 2 && per_block <= 5);
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        int alive = 0;
        {
            checked_queue queue(alive);
            const bool grows = round % 2 == 0;
            for (int step = 0; step < 200; ++step) {
                const auto roll = random() % 8;
                if (queue.expected.empty() || roll < (grows ? 5U : 3U)) {
                    queue.put();
                } else if (roll < 7) {
                    queue.handle(1 + static_cast<std::uint32_t>(random() % per_block));
                } else {
                    while (!queue.expected.empty()) queue.handle(per_block);
                    queue.check();
                    queue.free(queue.all.release_idle());
                    REQUIRE(queue.made == 0);
                }
                queue.check();
            }
            if (round % 3 == 0) {
                queue.free(queue.all.take_all());
                CHECK(queue.made == 0);
                CHECK(queue.alive == 0);
            }
        }
        CHECK(alive == 0); // also of those that it still had
    }
}

TEST_CASE("a steady flow allocates no block", "[sync][inbox]") {
    int alive = 0;
    checked_queue queue(alive);
    for (std::uint32_t i = 0; i < per_block; ++i) queue.put();
    for (int i = 0; i < 100; ++i) {
        queue.put();
        queue.handle(1);
    }
    const block* const kept = queue.fresh != nullptr ? queue.fresh : block::make();
    queue.fresh = const_cast<block*>(kept);
    for (int i = 0; i < 1000; ++i) {
        queue.put();
        queue.handle(1);
        CHECK(queue.fresh == kept); // it was never needed
    }
    CHECK(queue.made <= 3); // where it starts, where it ends, and the spare
}
