// Would catch: a scope that is forgotten under another, that outlives its end, or that another thread sees.

#include <support/catch.hpp>

#include <wsolo/sync/handler_scope.hpp>

#include <thread>

using scope = wsolo::basic_handler_scope<wsolo::std_traits>;

TEST_CASE("a thread is inside what it runs up to that number", "[sync][handler_scope]") {
    int barrier = 0, other = 0;
    CHECK_FALSE(scope::is_inside(&barrier));
    {
        const scope outer(&barrier, 7);
        CHECK_FALSE(scope::is_inside(&barrier, 6));
        CHECK(scope::is_inside(&barrier, 7));
        CHECK(scope::is_inside(&barrier, 8));
        CHECK_FALSE(scope::is_inside(&other));
        {
            const scope inner(&other, 1);
            CHECK(scope::is_inside(&other, 1));
            CHECK(scope::is_inside(&barrier, 7));
            CHECK(scope::innermost(&barrier) == &outer);
            CHECK(scope::innermost(&other) == &inner);
        }
        CHECK_FALSE(scope::is_inside(&other));
        CHECK(scope::is_inside(&barrier, 7));
    }
    CHECK_FALSE(scope::is_inside(&barrier));
}

TEST_CASE("what one thread runs is nothing to another", "[sync][handler_scope]") {
    int barrier = 0;
    const scope here(&barrier, 1);
    bool elsewhere = true;
    std::thread([&] { elsewhere = scope::is_inside(&barrier); }).join();
    CHECK_FALSE(elsewhere);
    CHECK(scope::is_inside(&barrier));
}
