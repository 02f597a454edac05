// Would catch: bytes that are lost or moved when it grows, a mark that is forgotten, a growth that fails and changes something,
// and a null pointer that is looked through. What it takes from the heap and gives back: session/reader_memory_test.

#include <support/catch.hpp>

#include <wsolo/session/detail/kept_bytes.hpp>

#include <cstring>
#include <random>
#include <vector>

using wsolo::detail::kept_bytes;

namespace {

static_assert(sizeof(kept_bytes) == sizeof(void*));

/// What it holds, in `expected` too.
void append(kept_bytes& to, std::vector<std::byte>& expected, std::size_t count, unsigned seed) {
    std::byte* const tail = to.extend(count);
    REQUIRE(tail != nullptr);
    for (std::size_t i = 0; i < count; ++i) {
        tail[i] = static_cast<std::byte>(seed + i);
        expected.push_back(tail[i]);
    }
}
bool holds(const kept_bytes& kept, const std::vector<std::byte>& expected) {
    const auto bytes = kept.view();
    return kept.size() == expected.size() && kept.empty() == expected.empty() &&
           std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end());
}

} // namespace

TEST_CASE("what is kept stays, however it grows and shrinks", "[session][reader]") {
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        kept_bytes kept;
        std::vector<std::byte> expected;
        std::size_t mark = 0;
        for (unsigned step = 0; step < 60; ++step) {
            switch (random() % 8) {
            case 0:
                kept.release();
                expected.clear();
                mark = 0;
                break;
            case 1:
                if (!expected.empty()) {
                    const std::size_t size = random() % expected.size();
                    kept.truncate(size);
                    expected.resize(size);
                }
                break;
            case 2:
                if (!expected.empty()) kept.set_mark(mark = random() % (expected.size() + 1));
                break;
            case 3: {
                kept_bytes moved(std::move(kept));
                CHECK(kept.empty()); // NOLINT(bugprone-use-after-move)
                CHECK(kept.mark() == 0);
                kept = std::move(moved);
                break;
            }
            default: append(kept, expected, random() % (step < 30 ? 10 : 500), step);
            }
            REQUIRE(holds(kept, expected));
            REQUIRE(kept.mark() == mark);
        }
    }
}

TEST_CASE("kept bytes without memory for more are as they were", "[session][reader]") {
    kept_bytes kept;
    std::vector<std::byte> expected;
    CHECK(kept.extend(static_cast<std::size_t>(-1)) == nullptr);
    CHECK(kept.extend(static_cast<std::size_t>(-1) / 2) == nullptr);
    kept.set_mark(0);
    kept.truncate(0);
    kept.release();
    CHECK(kept.view().empty());
    CHECK(kept.mark() == 0);
    append(kept, expected, 10, 1);
    kept.set_mark(7);
    CHECK(kept.extend(static_cast<std::size_t>(-1) - 5) == nullptr);
    CHECK(holds(kept, expected));
    CHECK(kept.mark() == 7);
    append(kept, expected, 100'000, 2);
    CHECK(holds(kept, expected));
    CHECK(kept.mark() == 7);
}
