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
    CHECK(items[2].visit([](const auto& kind) -> std::size_t {
        if constexpr (std::is_same_v<std::decay_t<decltype(kind)>, wsolo::shared>)
            return kind.frame.bytes().size();
        return 0;
    }) == 8);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"text", "shared", "raw"});
    CHECK(f.payloads(2) == std::vector<std::string>{"binary"});
}

TEST_CASE("an outbound knows its kind, also where it holds no bytes", "[write][outbound]") {
    const auto kind_of = [](const wsolo::outbound& item) {
        return item.visit([](const auto& kind) {
            using type = std::decay_t<decltype(kind)>;
            return std::is_same_v<type, wsolo::text>     ? 't'
                   : std::is_same_v<type, wsolo::binary> ? 'b'
                   : std::is_same_v<type, wsolo::shared> ? 's'
                                                         : 'r';
        });
    };
    CHECK(kind_of(wsolo::text{}) == 't');
    CHECK(kind_of(wsolo::binary{}) == 'b');
    CHECK(kind_of(wsolo::shared{}) == 's');
    CHECK(kind_of(wsolo::raw{}) == 'r');
    CHECK(kind_of(wsolo::outbound()) == 'r');
    writer_fixture<server> f;
    CHECK(f.out->send(wsolo::outbound()) == errc::raw_frame_malformed);
    CHECK(f.out->send(wsolo::text{}) == errc::none);
}

TEST_CASE("a client refuses a shared frame, which is unmasked", "[write][outbound]") {
    writer_fixture<client> f;
    const auto shared = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of("shared"));
    CHECK(f.out->send(wsolo::outbound(wsolo::shared{*shared})) == errc::raw_frame_malformed);
    REQUIRE(f.out->send(wsolo::outbound(wsolo::text{"masked"})) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"masked"});
}

TEST_CASE("a shared frame that is no message is what its header says - server", "[write][outbound]") {
    writer_fixture<server> f;
    const auto send = [&](wsolo::frame_spec spec, std::string_view payload) {
        return f.out->send(*wsolo::make_shared_frame(spec, wsolo::bytes_of(payload)));
    };
    CHECK(f.out->send(wsolo::shared_frame()) == errc::raw_frame_malformed);
    CHECK(send({wsolo::opcode::text, false}, "part") == errc::raw_frame_malformed);
    CHECK(send({wsolo::opcode::continuation, true}, "part") == errc::raw_frame_malformed);
    CHECK(send(wsolo::opcode::text, "data") == errc::none);
    CHECK(send(wsolo::opcode::pong, "passes it") == errc::none);
    CHECK(send(wsolo::opcode::close, std::string_view("\x03\xe9", 2)) == errc::none);
    CHECK(f.out->report().close == wsolo::close_code::going_away);
    CHECK(send(wsolo::opcode::text, "late") == errc::closed);
    CHECK(f.pump_all() == pump_status::finished);
    CHECK(f.payloads(1) == std::vector<std::string>{"data"});
    CHECK(f.payloads(10) == std::vector<std::string>{"passes it"});
}

TEST_CASE("a shared message is held to the limit of its payload - server", "[write][outbound]") {
    for (const std::uint32_t most : {100U, 125U, 126U, 5000U, 65'535U, 65'536U}) {
        wsolo::writer_options options;
        options.limits.max_message = most;
        writer_fixture<server> f(options);
        const std::string fits(most, 'x'), longer(most + 1, 'x');
        const auto send = [&](const std::string& payload) {
            return f.out->send(*wsolo::make_shared_frame(wsolo::opcode::binary, wsolo::bytes_of(payload)));
        };
        CHECK(send(fits) == errc::none);
        CHECK(send(longer) == errc::too_large);
    }
}
