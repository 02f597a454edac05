// Would catch: an entry that copies what it was to adopt, frees what it shares, or tells before its memory is free; a
// list that loses a neighbour when one leaves from its middle.

#include <support/catch.hpp>

#include <wsolo/write/detail/entry.hpp>

using wsolo::errc;
using wsolo::detail::block;
using wsolo::detail::entry;
using wsolo::detail::entry_list;

TEST_CASE("an entry holds bytes of its own, a reference, or what it was given", "[write][entry]") {
    const std::string payload(100, 'p');
    entry* copy = entry::make_copy(wsolo::bytes_of("copied"));
    REQUIRE(copy != nullptr);
    CHECK(wsolo::text_of({copy->bytes, copy->size}) == "copied");
    entry::destroy(copy);

    const auto frame = *wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(payload));
    entry* shared = entry::make_shared(frame, {});
    REQUIRE(shared != nullptr);
    CHECK(shared->bytes == frame.bytes().data());
    CHECK(shared->size == frame.bytes().size());
    entry::destroy(shared);
    CHECK(wsolo::text_of(frame.bytes()).substr(2) == payload);

    auto owned = *wsolo::make_frame<wsolo::role::server>(wsolo::opcode::text, wsolo::bytes_of(payload));
    const std::byte* const where = owned.bytes().data();
    entry* adopted = entry::make_adopted(std::move(owned), {});
    REQUIRE(adopted != nullptr);
    CHECK(adopted->bytes == where); // no byte is copied
    const auto back = adopted->give_back();
    CHECK(back.bytes().data() == where);
    entry::destroy(adopted);

    CHECK(entry::make_own(static_cast<std::size_t>(-1)) == nullptr);
    entry::destroy(nullptr);
}

TEST_CASE("a mark has no bytes and counts no frame", "[write][entry]") {
    entry* mark = entry::make_mark({});
    REQUIRE(mark != nullptr);
    CHECK(mark->size == 0);
    CHECK(mark->frames == 0);
    CHECK(mark->fate == errc::none);
    entry::destroy(mark);
}

TEST_CASE("destroy_and_tell() says what its fate was, once", "[write][entry]") {
    errc heard = errc::none;
    entry* one = entry::make_copy(
        wsolo::bytes_of("x"),
        {[](void* context, errc how) noexcept { *static_cast<errc*>(context) = how; }, &heard});
    one->fate = errc::conflated;
    entry::destroy_and_tell(one);
    CHECK(heard == errc::conflated);
}

TEST_CASE("a list keeps its order whichever leaves, and takes over another's", "[write][entry]") {
    for (std::size_t leaving = 0; leaving != 3; ++leaving) {
        entry entries[5];
        entry_list list, other;
        for (std::size_t i = 0; i != 3; ++i) list.push(&entries[i]);
        list.unlink(&entries[leaving]);
        other.splice(list);
        CHECK(list.empty());
        CHECK(list.last() == nullptr);
        other.push(&entries[3]);
        list.push(&entries[4]);
        other.splice(list);
        std::vector<const entry*> order;
        while (const entry* next = other.pop()) order.push_back(next);
        std::vector<const entry*> expected;
        for (std::size_t i = 0; i != 5; ++i) {
            if (i != leaving) expected.push_back(&entries[i]);
        }
        CHECK(order == expected);
        CHECK(other.last() == nullptr);
    }
}

TEST_CASE("a block in another owner's memory is not freed", "[write][entry]") {
    alignas(block) std::byte memory[256];
    block* placed = block::place(memory, 200);
    CHECK(placed->left() == 200);
    block::destroy(placed);
    block* made = block::make(300);
    REQUIRE(made != nullptr);
    CHECK(made->left() == 300);
    block::destroy(made);
    block::destroy(nullptr);
}
