// Would catch: a ring that loses its first or last node, wakes a greater mark before a smaller one, or
// turns the order of equal marks around.

#include <support/catch.hpp>

#include <wsolo/sync/waiter.hpp>

#include <vector>

namespace {

struct node final : wsolo::waiter {
    explicit node(std::uint64_t wanted) : waiter(nullptr, wanted) {}
};

std::vector<const wsolo::waiter*> forward(const wsolo::waiter* first) {
    std::vector<const wsolo::waiter*> seen;
    if (first == nullptr) return seen;
    const wsolo::waiter* at = first;
    do {
        CHECK(at->next->previous == at);
        CHECK(at->previous->next == at);
        seen.push_back(at);
        at = at->next;
    } while (at != first);
    return seen;
}

using list = std::vector<const wsolo::waiter*>;

} // namespace

TEST_CASE("a ring of waiters is ordered by mark and equal marks by arrival", "[sync][waiter]") {
    node five(5), three(3), nine(9), five_too(5), one(1);
    wsolo::waiter* first = nullptr;
    CHECK_FALSE(five.is_linked());
    for (node* added : {&five, &three, &nine, &five_too, &one}) {
        first = wsolo::detail::link_by_mark(first, *added);
        CHECK(added->is_linked());
    }
    CHECK(forward(first) == list{&one, &three, &five, &five_too, &nine});
}

TEST_CASE("unlinking keeps the rest in order whichever goes", "[sync][waiter]") {
    for (int gone = 0; gone < 3; ++gone) {
        node nodes[] = {node(1), node(2), node(3)};
        wsolo::waiter* first = nullptr;
        for (node& added : nodes) first = wsolo::detail::link_by_mark(first, added);
        first = wsolo::detail::unlink(first, nodes[gone]);
        CHECK_FALSE(nodes[gone].is_linked());
        list rest;
        for (int i = 0; i < 3; ++i) {
            if (i != gone) rest.push_back(&nodes[i]);
        }
        CHECK(forward(first) == rest);
        for (int left = 0; left < 2; ++left) {
            REQUIRE(first != nullptr);
            first = wsolo::detail::unlink(first, *first);
        }
        CHECK(first == nullptr);
    }
}
