// Would catch: a key handed out twice, a refill that repeats the stream, a seed that is ignored, keystream
// that stays in memory after it was handed out, a source that can be copied.

#include <support/catch.hpp>

#include <wsolo/core/random.hpp>

#include <algorithm>
#include <cstring>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

using wsolo::masking_key;
using wsolo::random_keys;

namespace {

std::array<std::byte, 32> seed_of(unsigned first) {
    std::array<std::byte, 32> seed{};
    seed[0] = static_cast<std::byte>(first);
    return seed;
}

std::uint32_t number_of(masking_key key) {
    std::uint32_t number = 0;
    std::memcpy(&number, key.bytes.data(), 4);
    return number;
}

static_assert(wsolo::key_source<random_keys>);
static_assert(!std::is_copy_constructible_v<random_keys> && !std::is_copy_assignable_v<random_keys>,
              "a copy would repeat every key");

} // namespace

TEST_CASE("the stream depends on the seed alone, and not on how it is drawn", "[core][random]") {
    const auto seed = seed_of(1);
    random_keys by_key{std::span<const std::byte, 32>(seed)};
    random_keys by_fill{std::span<const std::byte, 32>(seed)};
    std::vector<std::byte> whole(4 * 2000);
    by_fill.fill(whole);
    for (std::size_t i = 0; i < 2000; ++i) { // across eight refills
        const masking_key key = by_key.next_key();
        REQUIRE(std::equal(key.bytes.begin(), key.bytes.end(),
                           whole.begin() + static_cast<std::ptrdiff_t>(4 * i)));
    }
    const auto other_seed = seed_of(2);
    random_keys other{std::span<const std::byte, 32>(other_seed)};
    CHECK(number_of(other.next_key()) !=
          number_of(random_keys{std::span<const std::byte, 32>(seed)}.next_key()));
}

TEST_CASE("keys taken at any phase of the buffer are the stream's next four bytes", "[core][random]") {
    const auto seed = seed_of(3);
    for (std::size_t skip = 0; skip < 1100; ++skip) { // 992 bytes lie between two refills
        random_keys one{std::span<const std::byte, 32>(seed)};
        random_keys two{std::span<const std::byte, 32>(seed)};
        std::vector<std::byte> skipped(skip + 4);
        one.fill(wsolo::mutable_bytes(skipped).first(skip));
        two.fill(skipped);
        const masking_key key = one.next_key();
        REQUIRE(std::memcmp(key.bytes.data(), skipped.data() + skip, 4) == 0);
    }
}

TEST_CASE("keys do not repeat, and every bit of them moves", "[core][random]") {
    random_keys keys;
    std::set<std::uint32_t> seen;
    std::array<int, 32> ones{};
    constexpr int count = 4096;
    for (int i = 0; i < count; ++i) {
        const std::uint32_t number = number_of(keys.next_key());
        seen.insert(number);
        for (unsigned bit = 0; bit < 32; ++bit) ones[bit] += static_cast<int>(number >> bit & 1U);
    }
    CHECK(seen.size() > count - 16); // about two birthdays in 2^32 are likely, sixteen are not
    for (const int bit : ones) {
        CHECK(bit > count / 2 - 400); // twelve standard deviations
        CHECK(bit < count / 2 + 400);
    }
}

TEST_CASE("what was handed out is wiped, and the old key with it", "[core][random]") {
    const auto seed = seed_of(4);
    random_keys keys{std::span<const std::byte, 32>(seed)};
    std::vector<std::byte> taken(64);
    keys.fill(taken);
    const masking_key key = keys.next_key();
    std::vector<std::byte> state(sizeof keys);
    std::memcpy(state.data(), static_cast<const void*>(&keys), sizeof keys);
    const auto holds = [&](const auto& needle) {
        return std::search(state.begin(), state.end(), needle.begin(), needle.end()) != state.end();
    };
    CHECK_FALSE(holds(taken));
    CHECK_FALSE(holds(key.bytes));
    CHECK_FALSE(holds(seed));
}

TEST_CASE("a reseeded source starts over", "[core][random]") {
    const auto seed = seed_of(5);
    random_keys keys{std::span<const std::byte, 32>(seed)};
    const std::uint32_t first = number_of(keys.next_key());
    CHECK(number_of(keys.next_key()) != first);
    keys.reseed(std::span<const std::byte, 32>(seed));
    CHECK(number_of(keys.next_key()) == first);
    CHECK(keys.reseed() == wsolo::errc::none);
    CHECK(number_of(keys.next_key()) != first);
}

TEST_CASE("a moved source goes on, and the one it was moved from draws other keys", "[core][random]") {
    const auto seed = seed_of(6);
    random_keys expected{std::span<const std::byte, 32>(seed)};
    random_keys first{std::span<const std::byte, 32>(seed)};
    CHECK(number_of(first.next_key()) == number_of(expected.next_key()));
    random_keys second(std::move(first));
    random_keys third{std::span<const std::byte, 32>(seed)};
    third = std::move(second);
    std::set<std::uint32_t> left_behind;
    for (int i = 0; i < 300; ++i) {
        CHECK(number_of(third.next_key()) == number_of(expected.next_key()));
        left_behind.insert(number_of(first.next_key()));
        left_behind.insert(number_of(second.next_key()));
    }
    CHECK(left_behind.size() > 590);
}

TEST_CASE("system randomness fills requests of any size", "[core][random]") {
    std::array<std::byte, 600> room{};
    CHECK(wsolo::system_random(room) == wsolo::errc::none);
    CHECK(std::count(room.begin(), room.end(), std::byte{}) < 30);
    CHECK(wsolo::system_random({}) == wsolo::errc::none);
}

TEST_CASE("a single key is given out as it is", "[core][random]") {
    STATIC_REQUIRE(wsolo::key_source<wsolo::one_key>);
    STATIC_REQUIRE(!std::is_default_constructible_v<wsolo::one_key>); // it would be a weak key
    const masking_key key{{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}};
    const wsolo::one_key keys(key);
    CHECK(keys.next_key() == key);
    CHECK(keys.next_key() == key);
}
