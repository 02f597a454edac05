// Would catch: an accessor that answers for the wrong kind of event; a copy that still points to the input; a
// reply that changes with each call, or that a copied event can no longer build.

#include <support/catch.hpp>
#include <support/event_log.hpp>

#if defined(__unix__)
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace support;

namespace {

/// The first event of one frame, sent by a client.
template <class Use>
void with_event(unsigned first, std::string_view payload, Use use) {
    stream sent(role::client);
    sent.frame(first, payload);
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    int events = 0;
    for (auto& event : in.read(received.view())) {
        ++events;
        use(event);
    }
    CHECK(events == 1);
}

#if defined(__unix__) && WSOLO_ENABLE_ASSERTS
constexpr bool sees_stops = true;
#else
constexpr bool sees_stops = false; // nothing stops, or no fork shows it
#endif

/// Whether `misuse` stops the process; true where that can't be seen.
template <class Misuse>
bool stops(Misuse misuse) {
#if defined(__unix__) && WSOLO_ENABLE_ASSERTS
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL); // Catch2 would report it
        ::close(2);
        misuse();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#else
    static_cast<void>(misuse);
    return true;
#endif
}

} // namespace

TEST_CASE("a message's bytes as a span, as characters, and as copies", "[session][event]") {
    std::string copied;
    byte_buffer bytes;
    with_event(0x81, "h\xC3\xA9", [&](const event& seen) {
        CHECK(seen.kind() == event_kind::message);
        CHECK(seen.is_message());
        CHECK_FALSE(seen.is_fragment());
        CHECK(seen.is_text());
        CHECK(seen.payload().size() == 3);
        CHECK(seen.text() == "h\xC3\xA9");
        CHECK(seen.unmasked().bytes().data() == seen.payload().data());
        CHECK(seen.begins_message());
        CHECK(seen.ends_message());
        CHECK(seen.rsv() == 0);
        CHECK_FALSE(seen.owes_reply());
        CHECK_FALSE(seen.owed_reply().has_value());
        copied = seen.copy_text();
        auto copy = seen.copy_bytes();
        REQUIRE(copy.has_value());
        bytes = std::move(copy.value());
    });
    CHECK(copied == "h\xC3\xA9");
    CHECK(text_of(bytes.view()) == "h\xC3\xA9");
    with_event(0x82, "", [](const event& seen) {
        CHECK_FALSE(seen.is_text());
        CHECK(seen.text().empty());
        CHECK(seen.copy_bytes()->empty());
    });
}

TEST_CASE("control events say what came", "[session][event]") {
    with_event(0x89, "p", [](const event& seen) {
        CHECK(seen.kind() == event_kind::ping);
        CHECK(seen.text() == "p");
        CHECK_FALSE(seen.is_text());
        CHECK_FALSE(seen.is_message());
        const event copy = seen;
        REQUIRE(copy.owes_reply());
        CHECK(described<role::server>(*copy.owed_reply()) == "pong p");
        CHECK(described<role::server>(*copy.owed_reply()) == "pong p");
    });
    with_event(0x8a, "q", [](const event& seen) {
        CHECK(seen.kind() == event_kind::pong);
        CHECK(seen.text() == "q");
        CHECK_FALSE(seen.owes_reply());
    });
    with_event(0x88, "\x0F\xA0why", [](const event& seen) {
        CHECK(seen.kind() == event_kind::peer_close);
        CHECK(seen.code() == static_cast<close_code>(4000));
        CHECK(seen.reason() == "why");
    });
    with_event(0x88, "", [](const event& seen) {
        CHECK(seen.code() == close_code::no_status);
        CHECK(seen.reason().empty());
    });
    CHECK(sizeof(event) <= 32);
}

TEST_CASE("an event keeps nothing of the one before it", "[session][event]") {
    stream sent(role::client);
    sent.frame(0x89, "1").frame(0x81, "text").frame(0x8a, "2").frame(0x82, "binary");
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    std::string seen;
    for (auto& event : in.read(received.view())) {
        seen += event.is_text() ? 'T' : '-';
        seen += event.owes_reply() ? 'R' : '-';
    }
    CHECK(seen == "-RT-----");
}

TEST_CASE("asking an event for what its kind has not stops the program", "[session][event]") {
    with_event(0x81, "x", [](const event& seen) {
        CHECK(stops([&] { static_cast<void>(seen.code()); }));
        CHECK(stops([&] { static_cast<void>(seen.reason()); }));
        CHECK(stops([&] { static_cast<void>(seen.error()); }));
        CHECK_FALSE((sees_stops && stops([&] { static_cast<void>(seen.payload()); })));
    });
    with_event(0x89, "x", [](const event& seen) {
        CHECK(stops([&] { static_cast<void>(seen.begins_message()); }));
        CHECK(stops([&] { static_cast<void>(seen.ends_message()); }));
        CHECK(stops([&] { static_cast<void>(seen.rsv()); }));
        CHECK(stops([&] { static_cast<void>(seen.code()); }));
    });
    with_event(0x88, "", [](const event& seen) {
        CHECK(stops([&] { static_cast<void>(seen.payload()); }));
        CHECK(stops([&] { static_cast<void>(seen.error()); }));
    });
    with_event(0x80, "", [](const event& seen) {
        CHECK(stops([&] { static_cast<void>(seen.text()); }));
        CHECK(stops([&] { static_cast<void>(seen.reason()); }));
        CHECK(seen.error() == errc::unexpected_continuation);
    });
}
