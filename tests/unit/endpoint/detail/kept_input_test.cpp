// Would catch: bytes that come twice, out of order or not at all after a pause, memory that stays when all was read, and a
// pause after every message that moves all that is kept each time.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/kept_input.hpp>

#include <string>

namespace {

using wsolo::bytes_of;
using wsolo::detail::kept_input;

std::string text_in(kept_input& kept) { return std::string(wsolo::text_of(kept.view())); }

} // namespace

TEST_CASE("what is kept is read on where it was left", "[endpoint][kept_input]") {
    kept_input kept;
    CHECK(kept.empty());
    REQUIRE(kept.append(bytes_of("0123456789")));
    CHECK(kept.size() == 10);
    kept.keep_last(10); // nothing was read
    CHECK(text_in(kept) == "0123456789");
    kept.keep_last(7);
    CHECK(kept.size() == 7);
    CHECK(text_in(kept) == "3456789");
    REQUIRE(kept.append(bytes_of("abc")));
    CHECK(text_in(kept) == "3456789abc");
    kept.keep_last(2); // most of it was read: the next one moves the rest to the front
    REQUIRE(kept.append(bytes_of("def")));
    CHECK(text_in(kept) == "bcdef");
    kept.keep_last(1);
    CHECK(text_in(kept) == "f");
    kept.keep_last(0);
    CHECK(kept.empty());
    REQUIRE(kept.append(bytes_of("anew")));
    CHECK(text_in(kept) == "anew");
    kept.release();
    CHECK(kept.empty());
}

TEST_CASE("a pause after every message moves nothing while most is unread", "[endpoint][kept_input]") {
    kept_input kept;
    REQUIRE(kept.append(bytes_of(std::string(1000, 'x'))));
    const std::byte* const begin = kept.view().data();
    for (std::size_t left = 990; left >= 500; left -= 10) {
        kept.keep_last(left);
        REQUIRE(kept.view().data() == begin + (1000 - left));
    }
}
