// Would catch: an inline namespace that forgot the version or the configuration, an assertion that swallows
// its condition's side effects differently per build.

#include <support/catch.hpp>

#include <wsolo/core/config.hpp>

#define WSOLO_TEST_TEXT(x) #x
#define WSOLO_TEST_EXPAND(x) WSOLO_TEST_TEXT(x)

TEST_CASE("the inline namespace names version and configuration", "[core][config]") {
    const std::string_view tag = WSOLO_TEST_EXPAND(WSOLO_ABI);
    const std::string version = "v" + std::to_string(wsolo::version_major) + "_" +
                                std::to_string(wsolo::version_minor) + "_" +
                                std::to_string(wsolo::version_patch) + "_";
    CHECK(tag.substr(0, version.size()) == version);
    CHECK((tag.find("_checked") != tag.npos) == (WSOLO_ENABLE_ASSERTS == 1));
    CHECK((tag.find("_exc") != tag.npos) == (WSOLO_HAS_EXCEPTIONS == 1));
}

TEST_CASE("an assertion that holds is silent", "[core][config]") {
    int evaluated = 0;
    WSOLO_ASSERT(++evaluated > 0, "never printed");
    CHECK(evaluated == WSOLO_ENABLE_ASSERTS);
}
