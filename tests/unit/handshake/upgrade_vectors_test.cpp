// Would catch: a handshake that gets another verdict than the RFCs give it, another rule's name, section or
// status, a verdict that falls at another byte, that depends on the split, or on who parsed the fields. The
// cases are data: tests/vectors/handshake/README.md.
//
// Compiled alone: tests/CMakeLists.txt defines WSOLO_VECTORS for it.

#include <support/handshake_vectors.hpp>

#include <wsolo/handshake/upgrade.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::handshake_status;
using wsolo::header_field;

namespace {

const wsolo::client_key rfc_key = [] {
    wsolo::client_key key;
    std::string_view("dGhlIHNhbXBsZSBub25jZQ==").copy(key.text.data(), key.text.size());
    return key;
}();

constexpr std::string_view subprotocols = "chat, superchat";
constexpr std::string_view extensions = "x-a; p, x-b";

wsolo::client_handshake asked(const wsolo::handshake_limits& limits) {
    wsolo::client_handshake client(limits);
    REQUIRE(
        client.start({.host = "server.example.com", .subprotocols = subprotocols, .extensions = extensions},
                     rfc_key) == errc::none);
    return client;
}

std::string refused(errc why, bool server) {
    const std::string status = server ? std::to_string(wsolo::http_status_for(why)) + " " : std::string();
    return "refused " + std::string(wsolo::name_of(why)) + " " + status + std::string(wsolo::section_of(why));
}

std::string verdict_of(const wsolo::server_handshake& server) {
    if (server.status() == handshake_status::need_more) return "more";
    if (server.status() == handshake_status::failed) return refused(server.error(), true);
    return server.request().is_upgrade() ? "upgrade" : "plain";
}

std::string verdict_of(const wsolo::client_handshake& client) {
    if (client.status() == handshake_status::need_more) return "more";
    return client.status() == handshake_status::failed ? refused(client.error(), false) : "open";
}

template <class Make>
void check_splits(const handshake_case& given, Make make) {
    auto whole = make();
    const outcome seen = feed_whole(whole, given.input);
    CHECK(verdict_of(whole) == given.verdict);
    CHECK(seen.taken == given.verdict_at);
    CHECK(first_split_that_matters(make, given.input) == std::string_view::npos);
}

std::vector<header_field> fields_of(const wsolo::header_list& list) {
    std::vector<header_field> fields;
    for (const header_field& field : list) fields.push_back(field);
    return fields;
}

void check_server(const handshake_case& given) {
    check_splits(given, [&] { return wsolo::server_handshake(given.limits); });
    wsolo::server_handshake server(given.limits);
    feed_whole(server, given.input);
    CHECK((server.has_request() || given.sees.empty()));
    if (!server.has_request()) return;
    const wsolo::upgrade_request request = server.request();
    const std::vector<header_field> fields = fields_of(request.headers());
    const auto judged = wsolo::judge(wsolo::http_request{.method = request.method(),
                                                         .target = request.target(),
                                                         .version = request.http_version(),
                                                         .fields = fields});
    CHECK(judged.error() == server.error());
    for (const auto& [what, text] : given.sees) {
        if (what == "host") {
            CHECK(request.host() == text);
        } else if (what == "resource") {
            CHECK(request.resource_name() == text);
        } else {
            REQUIRE(what == "same-origin");
            CHECK(wsolo::is_same_origin(request) == (text == "yes"));
        }
    }
}

void check_client(const handshake_case& given) {
    check_splits(given, [&] { return asked(given.limits); });
    wsolo::client_handshake client = asked(given.limits);
    feed_whole(client, given.input);
    if (!client.has_response()) return;
    const wsolo::upgrade_response response = client.response();
    const std::vector<header_field> fields = fields_of(response.headers());
    const auto judged = wsolo::judge(
        wsolo::http_answer{.status = response.status(), .version = response.http_version(), .fields = fields},
        {.key = rfc_key.view(), .subprotocols = subprotocols, .extensions = extensions});
    CHECK(judged.error() == client.error());
}

} // namespace

TEST_CASE("each handshake has the verdict that its vector says, however it is split",
          "[handshake][vectors]") {
    std::size_t servers = 0;
    std::size_t clients = 0;
    for (const handshake_case& given : handshake_cases_in(WSOLO_VECTORS "/handshake")) {
        INFO(given.where);
        if (given.server) {
            check_server(given);
            ++servers;
        } else {
            check_client(given);
            ++clients;
        }
    }
    CHECK(servers >= 300); // a folder that is not found or not read is no success
    CHECK(clients >= 100);
}
