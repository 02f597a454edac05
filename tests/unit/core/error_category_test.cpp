// Would catch: a category that compares by name instead of by address, a value outside the table that reads
// past it.

#include <support/catch.hpp>

#include <wsolo/core/error_category.hpp>

TEST_CASE("errc travels as a std::error_code", "[core][error_category]") {
    const std::error_code code = wsolo::errc::queue_full;
    CHECK(code);
    CHECK(code == wsolo::errc::queue_full);
    CHECK(code != wsolo::errc::too_large);
    CHECK(std::string(code.category().name()) == "wsolo");
    CHECK(code.message() == wsolo::to_string(wsolo::errc::queue_full));
    CHECK_FALSE(std::error_code(wsolo::errc::none));
    CHECK(wsolo::error_category().message(9999) == "unknown wsolo error");
    CHECK(wsolo::error_category().message(-1) == "unknown wsolo error");
}
