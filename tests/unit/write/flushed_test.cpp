// Would catch: a coroutine resumed before its bytes left, or never.

#include <support/fire_and_forget.hpp>
#include <support/writer_fixture.hpp>

#include <wsolo/write/flushed.hpp>

namespace {

template <class Writer>
fire_and_forget wait_for_flush(Writer& out, std::vector<errc>& told) {
    told.push_back(co_await wsolo::flushed(out));
}

} // namespace

TEMPLATE_TEST_CASE("flushed() resumes when what was sent before it left", "[write][flushed]", server,
                   client) {
    writer_fixture<TestType> f;
    std::vector<errc> told;
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text("hello") == errc::none);
    wait_for_flush(*f.out, told);
    static_cast<void>(f.out->pump());
    CHECK(told.empty());
    f.pump_all();
    CHECK(told == std::vector<errc>{errc::none});
}

TEMPLATE_TEST_CASE("flushed() says why not", "[write][flushed]", server, client) {
    writer_fixture<TestType> f;
    std::vector<errc> told;
    SECTION("dropped") {
        REQUIRE(f.out->send_text("hello") == errc::none);
        wait_for_flush(*f.out, told);
        f.out->abort();
        f.pump_all();
        CHECK(told == std::vector<errc>{errc::aborted});
    }
    SECTION("closed before") {
        REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
        wait_for_flush(*f.out, told);
        CHECK(told == std::vector<errc>{errc::closed});
    }
}
