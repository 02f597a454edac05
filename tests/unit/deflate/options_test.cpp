// Would catch: two sides whose default options exchange no compressed message, or a default that holds more than is said.

#include <support/catch.hpp>
#include <support/deflate.hpp>

#include <wsolo/deflate/options.hpp>

TEST_CASE("two sides with the default options compress for each other", "[deflate][options]") {
    const wsolo::deflate_options options;
    const auto answer = wsolo::choose_deflate(
        wsolo::extension_list(wsolo::element_list(wsolo::offer_deflate(options).view())), options);
    REQUIRE(answer);
    for (const wsolo::role self : {wsolo::role::server, wsolo::role::client}) {
        support::zlib_deflater out(answer->terms.by(self), options);
        support::zlib_inflater in(answer->terms.by(self));
        std::size_t plain = 0, sent = 0;
        for (std::size_t i = 0; i < 200; ++i) {
            const std::string text =
                support::chat(3 * i) + support::chat(3 * i + 1) + support::chat(3 * i + 2);
            const auto payload = support::deflated(out, text);
            REQUIRE(payload);
            CHECK(support::inflate_whole(in, *payload, true) == support::inflate_end{text});
            plain += text.size();
            sent += payload->size();
        }
        CHECK(sent < plain / 3);
        CHECK(out.memory() == options.kept_window);
    }
}
