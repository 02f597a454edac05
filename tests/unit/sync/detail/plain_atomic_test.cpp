// Would catch: a function that answers or leaves another value than std::atomic's, a watch that some use goes past, and an
// empty one that takes room.

#include <histories/seeded.hpp>
#include <support/catch.hpp>

#include <wsolo/sync/detail/plain_atomic.hpp>

#include <cstdint>

namespace {

struct counting_watch {
    static inline int uses = 0;
    void use() const noexcept { ++uses; }
};

template <class Atomic>
std::uint32_t perform(Atomic& on, unsigned which, std::uint32_t value, std::uint32_t& expected,
                      bool& swapped) {
    switch (which) {
    case 0: return on.load();
    case 1: on.store(value); return 0;
    case 2: return on.exchange(value);
    case 3: return on.fetch_add(value);
    case 4: return on.fetch_sub(value);
    case 5: return on.fetch_or(value);
    case 6: return on.fetch_and(value);
    case 7: swapped = on.compare_exchange_strong(expected, value); return expected;
    default: // a weak one may fail for nothing
        do {
            expected = value + 1;
            swapped = on.compare_exchange_weak(expected, value);
        } while (!swapped && expected == value + 1);
        return expected;
    }
}

} // namespace

TEST_CASE("plain memory answers as std::atomic does", "[sync][traits]") {
    histories::seeded draw(1);
    std::atomic<std::uint32_t> judge{7};
    wsolo::detail::plain_atomic<std::uint32_t, counting_watch> plain{7};
    for (int i = 0; i < 20'000; ++i) {
        const auto which = static_cast<unsigned>(draw.below(9));
        const auto value = static_cast<std::uint32_t>(draw.one_of<std::uint64_t>({1, 2, draw.next()}));
        std::uint32_t one = draw.chance(50) ? judge.load() : value, other = one;
        bool swapped = false, swapped_too = false;
        const int before = counting_watch::uses;
        const std::uint32_t answer = perform(judge, which, value, one, swapped);
        REQUIRE(perform(plain, which, value, other, swapped_too) == answer);
        REQUIRE(swapped == swapped_too);
        REQUIRE(one == other);
        REQUIRE(counting_watch::uses > before);
        REQUIRE(plain.load() == judge.load());
    }
    wsolo::detail::plain_atomic<bool> flag;
    CHECK_FALSE(flag.load());
    STATIC_REQUIRE(sizeof(flag) == sizeof(bool));
    STATIC_REQUIRE(sizeof(wsolo::detail::plain_memory::atomic<std::uint64_t>) == sizeof(std::uint64_t));
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<decltype(flag)>);
}
