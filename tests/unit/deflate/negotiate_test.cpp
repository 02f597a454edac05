// Would catch: a window's size that is out of bounds or written oddly and taken, a parameter that is unknown, doubled or has a
// value it may not have, an offer whose fault ends the handshake or hides the next offer, an answer to what was not offered, a
// window of 8 bits answered by 9, a client that believes any answer, two sides that understand one answer differently.

#include <support/catch.hpp>

#include <wsolo/deflate/negotiate.hpp>

#include <string>

using wsolo::deflate_answer;
using wsolo::deflate_direction;
using wsolo::deflate_mode;
using wsolo::deflate_options;
using wsolo::deflate_terms;
using wsolo::element_list;
using wsolo::errc;
using wsolo::extension_list;

namespace {

extension_list list_of(std::string_view field) { return extension_list(element_list(field)); }

/// The server's answer, or "declined".
std::string answered(std::string_view offers, const deflate_options& options = {}) {
    const auto answer = wsolo::choose_deflate(list_of(offers), options);
    return answer ? std::string(answer->text.view()) : "declined";
}

/// What a client makes of it: "server 15 kept, client 12 alone", "none", or the error's name.
std::string judged(std::string_view answer, const deflate_options& options = {}) {
    const auto terms = wsolo::judge_deflate_answer(list_of(answer), options);
    if (!terms) return std::string(wsolo::name_of(terms.error()));
    if (!*terms) return "none";
    const auto shown = [](const deflate_direction& way) {
        return std::to_string(way.window_bits) + (way.takeover ? " kept" : " alone");
    };
    return "server " + shown((*terms)->from_server) + ", client " + shown((*terms)->from_client);
}

constexpr const char* refused = "handshake_invalid_deflate";

/// Values that a window's size may not have, each as the text after the parameter's name.
constexpr const char* wrong_bits[] = {"=7",       "=16",         "=0",   "=010",        "=08",   "=09",
                                      "=\"010\"", "=\"\\0\\8\"", "=-9",  "=+9",         "=9.0",  "=1x",
                                      "=0xa",     "=150",        "=265", "=4294967305", "=\"\"", "=\"16\"",
                                      "=true",    "=\"1 0\"",    "="};

} // namespace

TEST_CASE("a server answers each parameter of an offer", "[deflate][negotiate]") {
    CHECK(answered("permessage-deflate") == "permessage-deflate");
    CHECK(answered("permessage-deflate; server_no_context_takeover") ==
          "permessage-deflate; server_no_context_takeover");
    CHECK(answered("permessage-deflate; client_no_context_takeover") ==
          "permessage-deflate; client_no_context_takeover");
    CHECK(answered("permessage-deflate; client_max_window_bits") == "permessage-deflate");
    for (int bits = 9; bits <= 15; ++bits) {
        const std::string number = std::to_string(bits);
        CHECK(answered("permessage-deflate; server_max_window_bits=" + number) ==
              "permessage-deflate; server_max_window_bits=" + number);
        CHECK(answered("permessage-deflate; server_max_window_bits=\"" + number + "\"") ==
              "permessage-deflate; server_max_window_bits=" + number);
        CHECK(answered("permessage-deflate; client_max_window_bits=" + number) ==
              (bits == 15 ? "permessage-deflate" : "permessage-deflate; client_max_window_bits=" + number));
    }
    CHECK(answered("permessage-deflate; server_max_window_bits=\"\\1\\0\"") ==
          "permessage-deflate; server_max_window_bits=10");
    CHECK(answered("permessage-deflate;client_max_window_bits=8") ==
          "permessage-deflate; client_max_window_bits=8");
    CHECK(answered(" permessage-deflate ; server_max_window_bits = 12 ;client_no_context_takeover;"
                   "server_no_context_takeover; client_max_window_bits") ==
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
          "server_max_window_bits=12");
}

TEST_CASE("a server declines what it can't have, and tries the next offer", "[deflate][negotiate]") {
    CHECK(answered("") == "declined");
    CHECK(answered("x-webkit-deflate-frame") == "declined");
    CHECK(answered("permessage-deflate-x, Permessage-Deflate") == "declined");
    CHECK(answered("permessage-deflate; server_max_window_bits=8") == "declined"); // and never 9
    for (const char* const fault : {"server_max_window_bits", "server_no_context_takeover=1",
                                    "client_no_context_takeover=true", "server_no_context_takeover=\"\"",
                                    "mystery", "server_max_window_bits=10; server_max_window_bits=10",
                                    "client_max_window_bits; client_max_window_bits=10",
                                    "client_no_context_takeover; client_no_context_takeover",
                                    "server_no_context_takeover; server_no_context_takeover",
                                    "Server_No_Context_Takeover", "max_window_bits=10"}) {
        INFO(fault);
        const std::string offer = std::string("permessage-deflate; ") + fault;
        CHECK(answered(offer) == "declined");
        CHECK(answered(offer + ", permessage-deflate; server_max_window_bits=11") ==
              "permessage-deflate; server_max_window_bits=11");
        CHECK(answered(offer + ", x; y=z, permessage-deflate") == "permessage-deflate");
    }
    for (const char* const bits : wrong_bits) {
        for (const char* const name : {"server_max_window_bits", "client_max_window_bits"}) {
            INFO(name << bits);
            CHECK(answered(std::string("permessage-deflate; ") + name + bits) == "declined");
        }
    }
    CHECK(answered("permessage-deflate; server_max_window_bits=8, permessage-deflate") ==
          "permessage-deflate");
    CHECK(answered("permessage-deflate; server_no_context_takeover, permessage-deflate") ==
          "permessage-deflate; server_no_context_takeover"); // the client's preference
}

TEST_CASE("a server's options narrow its answer, as far as the offer allows", "[deflate][negotiate]") {
    const deflate_options small{.send_window_bits = 11, .receive_window_bits = 10};
    CHECK(answered("permessage-deflate", small) == "permessage-deflate; server_max_window_bits=11");
    CHECK(answered("permessage-deflate; client_max_window_bits", small) ==
          "permessage-deflate; server_max_window_bits=11; client_max_window_bits=10");
    CHECK(answered("permessage-deflate; client_max_window_bits=9; server_max_window_bits=15", small) ==
          "permessage-deflate; server_max_window_bits=11; client_max_window_bits=9");
    CHECK(answered("permessage-deflate; client_max_window_bits=12; server_max_window_bits=10", small) ==
          "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10");
    // What bounds the client stands in no answer to a client that did not say it could be bounded (RFC 7692 §7.1.2.2).
    CHECK(wsolo::choose_deflate(list_of("permessage-deflate"), small)->terms.from_client.window_bits == 15);
    CHECK(answered("permessage-deflate", {.mode = deflate_mode::no_takeover, .receive_takeover = false}) ==
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    CHECK(answered("permessage-deflate; client_max_window_bits",
                   {.send_window_bits = 1, .receive_window_bits = 1}) ==
          "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8");
    CHECK(answered("permessage-deflate", {.send_window_bits = 200}) == "permessage-deflate");
}

TEST_CASE("a client offers what its options say", "[deflate][negotiate]") {
    const auto offered = [](const deflate_options& options) {
        return std::string(wsolo::offer_deflate(options).view());
    };
    CHECK(offered({}) == "permessage-deflate; client_max_window_bits");
    CHECK(offered({.offer_client_window_bits = false}) == "permessage-deflate");
    CHECK(offered({.mode = deflate_mode::own_stream, .offer_client_window_bits = false}) ==
          "permessage-deflate");
    CHECK(offered({.mode = deflate_mode::no_takeover,
                   .send_window_bits = 10,
                   .receive_window_bits = 12,
                   .receive_takeover = false,
                   .offer_client_window_bits = false}) ==
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
          "server_max_window_bits=12; "
          "client_max_window_bits=10");
    CHECK(offered({.send_window_bits = 9, .receive_window_bits = 8}) ==
          "permessage-deflate; server_max_window_bits=8; client_max_window_bits=9");
}

TEST_CASE("a client takes the answers that its offer allows", "[deflate][negotiate]") {
    CHECK(judged("") == "none");
    CHECK(judged("other; permessage-deflate") == "none");
    CHECK(judged("permessage-deflate") == "server 15 kept, client 15 kept");
    CHECK(judged("other, permessage-deflate; server_no_context_takeover; client_no_context_takeover") ==
          "server 15 alone, client 15 alone");
    CHECK(judged("permessage-deflate; server_max_window_bits=8; client_max_window_bits=8") ==
          "server 8 kept, client 8 kept");
    CHECK(judged("permessage-deflate; client_max_window_bits=\"12\"") == "server 15 kept, client 12 kept");
    const deflate_options bounded{
        .send_window_bits = 11, .receive_window_bits = 12, .receive_takeover = false};
    CHECK(judged("permessage-deflate; server_no_context_takeover; server_max_window_bits=12", bounded) ==
          "server 12 alone, client 11 kept");
    CHECK(judged("permessage-deflate; server_no_context_takeover; server_max_window_bits=9; "
                 "client_max_window_bits=10",
                 bounded) == "server 9 alone, client 10 kept");
    CHECK(judged("permessage-deflate", {.mode = deflate_mode::no_takeover}) ==
          "server 15 kept, client 15 alone");
}

TEST_CASE("a client refuses every other answer", "[deflate][negotiate]") {
    CHECK(judged("permessage-deflate, permessage-deflate") == refused);
    for (const char* const fault :
         {"server_max_window_bits", "client_max_window_bits", "server_no_context_takeover=1", "mystery",
          "client_no_context_takeover=\"\"", "server_max_window_bits=10; server_max_window_bits=10",
          "client_no_context_takeover; client_no_context_takeover"}) {
        INFO(fault);
        CHECK(judged(std::string("permessage-deflate; ") + fault) == refused);
    }
    for (const char* const bits : wrong_bits) {
        for (const char* const name : {"server_max_window_bits", "client_max_window_bits"}) {
            INFO(name << bits);
            CHECK(judged(std::string("permessage-deflate; ") + name + bits) == refused);
        }
    }
    // What was not offered, or not granted.
    CHECK(judged("permessage-deflate; client_max_window_bits=15", {.offer_client_window_bits = false}) ==
          refused);
    CHECK(judged("permessage-deflate; client_max_window_bits=12", {.send_window_bits = 11}) == refused);
    CHECK(judged("permessage-deflate", {.receive_window_bits = 12}) == refused);
    CHECK(judged("permessage-deflate; server_max_window_bits=13", {.receive_window_bits = 12}) == refused);
    CHECK(judged("permessage-deflate", {.receive_takeover = false}) == refused);
}

TEST_CASE("both sides come to the same terms, whatever they want", "[deflate][negotiate]") {
    using some = std::initializer_list<std::uint8_t>;
    int agreed = 0, declined = 0;
    const auto each = [](auto use) {
        for (const deflate_mode mode :
             {deflate_mode::shared_compressor, deflate_mode::own_stream, deflate_mode::no_takeover}) {
            for (const std::uint8_t send : some{9, 12, 15}) {
                for (const std::uint8_t receive : some{8, 9, 13, 15}) {
                    for (const int marks : {0, 1, 2, 3}) {
                        use(deflate_options{.mode = mode,
                                            .send_window_bits = send,
                                            .receive_window_bits = receive,
                                            .receive_takeover = (marks & 1) != 0,
                                            .offer_client_window_bits = (marks & 2) != 0});
                    }
                }
            }
        }
    };
    each([&](const deflate_options& client) {
        each([&](const deflate_options& server) {
            const wsolo::deflate_text offer = wsolo::offer_deflate(client);
            const auto answer = wsolo::choose_deflate(list_of(offer.view()), server);
            if (!answer) {
                ++declined;
                if (client.receive_window_bits != 8) FAIL("declined: " << offer.view());
                return;
            }
            ++agreed;
            const auto terms = wsolo::judge_deflate_answer(list_of(answer->text.view()), client);
            if (!terms || !*terms) FAIL("refused: " << offer.view() << " - " << answer->text.view());
            const deflate_terms& ours = **terms;
            // A client may bound itself further than it has to.
            const bool is_same = ours.from_server == answer->terms.from_server &&
                                 ours.from_client.window_bits <= answer->terms.from_client.window_bits &&
                                 ours.from_client.takeover <= answer->terms.from_client.takeover;
            if (!is_same) FAIL("different: " << offer.view() << " - " << answer->text.view());
        });
    });
    CHECK(agreed == 144 * 108);
    CHECK(declined == 144 * 36);
}

TEST_CASE("each side compresses by its own direction", "[deflate][negotiate]") {
    const deflate_terms terms{.from_server = {9, false}, .from_client = {12, true}};
    CHECK(terms.by(wsolo::role::server) == deflate_direction{9, false});
    CHECK(terms.by(wsolo::role::client) == deflate_direction{12, true});
}
