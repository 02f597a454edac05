// Would catch: an outbound that owns (and so copies) a payload, a rejected item that was moved from.

#include <support/writer_fixture.hpp>

TEST_CASE("each kind of outbound arrives as itself, and a rejected one is untouched", "[write][outbound]") {
    wsolo::writer_options options;
    options.limits.max_frames = 4;
    writer_fixture<server> f(options);
    const auto shared = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of("shared"));
    const std::vector<wsolo::outbound> items{wsolo::text{"text"}, wsolo::binary{wsolo::bytes_of("binary")},
                                             wsolo::shared{*shared},
                                             wsolo::raw{wsolo::bytes_of(std::string_view("\x81\x03raw", 5))}};
    for (const wsolo::outbound& item : items) REQUIRE(f.out->send(item) == errc::none);
    for (const wsolo::outbound& item : items) CHECK(f.out->send(item) == errc::queue_full);
    CHECK(std::get<wsolo::shared>(items[2]).frame.bytes().size() == 8);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"text", "shared", "raw"});
    CHECK(f.payloads(2) == std::vector<std::string>{"binary"});
}

TEST_CASE("a client refuses a shared frame, which is unmasked", "[write][outbound]") {
    writer_fixture<client> f;
    const auto shared = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of("shared"));
    CHECK(f.out->send(wsolo::outbound(wsolo::shared{*shared})) == errc::raw_frame_malformed);
    REQUIRE(f.out->send(wsolo::outbound(wsolo::text{"masked"})) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"masked"});
}
