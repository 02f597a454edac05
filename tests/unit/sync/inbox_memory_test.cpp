// Would catch: an exception where there is no memory, a message that is gone though it was refused, a turn
// that was taken for a message that is not there.
//
// Compiled alone: it replaces an operator new.

#include <support/inbox_fixture.hpp>

#include <new>

namespace {
bool heap_is_empty = false;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    if (heap_is_empty) return nullptr;
    try {
        return ::operator new(size);
    } catch (...) {
        return nullptr;
    }
}

TEST_CASE("without memory a push answers out_of_memory and changes nothing", "[sync][inbox]") {
    support::inbox_fixture f;
    std::string text = "a text that stays with who wanted to push it";
    heap_is_empty = true;
    const wsolo::errc refused = f.in.push(std::move(text), 10).error;
    heap_is_empty = false;
    CHECK(refused == wsolo::errc::out_of_memory);
    CHECK(text.size() == 44);
    CHECK(f.scheduled == 0);
    CHECK(f.in.queued_messages() == 0);
    CHECK(f.in.push(std::move(text), 10).error == wsolo::errc::none);
    CHECK(f.scheduled == 1);
    CHECK(f.drain().messages == 1);
    CHECK(f.handled.at(0).size() == 44);
}
