// Would catch: kept memory that is used twice, or for a frame that it has no room for, or is far too large for; more of it
// than may be kept; small blocks kept where large ones are wanted.

#include <support/catch.hpp>

#include <wsolo/write/detail/spares.hpp>

using wsolo::detail::block;
using wsolo::detail::entry;
using wsolo::detail::errands;
using wsolo::detail::spares;

namespace {

/// A placed block, as a queue has one.
struct fixture {
    alignas(block) std::byte memory[sizeof(block) + 64];
    spares kept{block::place(memory, 64)};
    errands after;

    void keep_entry(std::size_t size, std::size_t most) { kept.keep(entry::make_own(size), most, after); }
    void keep_block(std::uint32_t capacity, std::size_t most) {
        kept.keep(block::make(capacity), most, after);
    }
};

} // namespace

TEST_CASE("an entry's memory is used again for a frame of about its size, once", "[write][spares]") {
    for (const std::size_t size : {std::size_t{4000}, std::size_t{3600}}) {
        fixture f;
        entry* const old = entry::make_own(4000);
        f.kept.keep(old, 10'000, f.after);
        CHECK(f.kept.bytes() == 4000);
        CHECK(f.kept.take_entry(4001) == nullptr);
        CHECK(f.kept.take_entry(3500) == nullptr);
        entry* const taken = f.kept.take_entry(size);
        REQUIRE(taken == old);
        CHECK(f.kept.bytes() == 0);
        CHECK(f.kept.take_entry(size) == nullptr);
        entry* const made = entry::make_own(size, {}, taken);
        CHECK(made == old);
        CHECK(made->size == size);
        CHECK(made->room == 4000); // it does not shrink with what lies in it
        CHECK(made->frames == 1);
        entry::destroy(made);
    }
}

TEST_CASE("the entry that left last is used first", "[write][spares]") {
    fixture f;
    entry* const first = entry::make_own(100);
    entry* const second = entry::make_own(100);
    f.kept.keep(first, 1000, f.after);
    f.kept.keep(second, 1000, f.after);
    CHECK(f.kept.take_entry(100) == second);
    CHECK(f.kept.take_entry(100) == first);
    entry::destroy(first);
    entry::destroy(second);
}

TEST_CASE("no more memory is kept than may be", "[write][spares]") {
    fixture f;
    f.keep_entry(600, 1000);
    CHECK(f.after.empty());
    f.keep_entry(401, 1000);
    CHECK_FALSE(f.after.empty());
    f.after.run();
    f.keep_entry(400, 1000);
    CHECK(f.after.empty());
    CHECK(f.kept.bytes() == 1000);
}

TEST_CASE("blocks of the greatest capacity are kept, and one costs nothing", "[write][spares]") {
    fixture f;
    CHECK(f.kept.block_capacity() == 64);
    f.keep_block(1000, 0); // instead of the placed one, which is not freed
    CHECK(f.after.empty());
    CHECK(f.kept.block_capacity() == 1000);
    CHECK(f.kept.bytes() == 0);
    f.keep_block(500, 10'000);
    CHECK_FALSE(f.after.empty());
    f.after.run();
    f.keep_block(1000, 1000);
    CHECK(f.after.empty());
    CHECK(f.kept.bytes() == 1000);
    f.keep_block(1000, 1999);
    CHECK_FALSE(f.after.empty());
    f.after.run();

    block* const taken = f.kept.take_block();
    CHECK(f.kept.bytes() == 0);
    taken->used = 7;
    f.kept.keep(taken, 1000, f.after);
    block* const again = f.kept.take_block();
    CHECK(again == taken);
    CHECK(again->used == 0);
    block::destroy(again);
    f.keep_block(1000, 1000);
    CHECK(f.kept.bytes() == 1000);
    f.keep_block(4000, 0); // both of the old ones go
    CHECK(f.kept.block_capacity() == 4000);
    CHECK(f.kept.bytes() == 0);
}
