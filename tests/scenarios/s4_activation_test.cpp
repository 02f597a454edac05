// S4, who counts and for how long: a connection becomes a member by a valid init message and by nothing
// else; until then nothing leaves for it. One that never says it is refused when its time is up, whatever
// else it sends, and nothing of it stays: no entry, no writer, no block on the heap; handles to it say that
// it is closed.
//
// Time is virtual. Every split of the init is tried, with PINGs before it and in its middle, over the
// adversarial transport, a socket pair and loopback TCP.
//
// Teeth: a service that counts every client that was upgraded, and one whose timer every frame restarts, fail every
// time.

#include <support/catch.hpp>
#include <support/heap.hpp>
#include <support/link.hpp>
#include <support/lobby.hpp>
#include <support/manual_clock.hpp>
#include <support/strict_parser.hpp>

#include <deque>

using namespace support;
using namespace std::chrono_literals;

namespace {

std::string bytes_of_stream(const stream& sent) {
    return std::string(wsolo::text_of(wsolo::const_bytes(sent.bytes())));
}
stream from_client() { return stream(wsolo::role::client); }

struct opening {
    const char* what;
    std::string bytes;
    standing expected;
};

std::vector<opening> openings() {
    return {
        {"the init", bytes_of_stream(from_client().frame(0x81, "init secret")), standing::member},
        {"the init in three fragments, with PINGs before and in it",
         bytes_of_stream(from_client()
                             .frame(0x89, "early")
                             .frame(0x01, "init ")
                             .frame(0x89, "between")
                             .frame(0x00, "sec")
                             .frame(0x80, "ret")),
         standing::member},
        {"PINGs and PONGs only", bytes_of_stream(from_client().frame(0x89, "a").frame(0x8a, "b")),
         standing::guest},
        {"an init without its end", bytes_of_stream(from_client().frame(0x01, "init secret")),
         standing::guest},
        {"a wrong token", bytes_of_stream(from_client().frame(0x81, "init guess")), standing::refused},
        {"another message", bytes_of_stream(from_client().frame(0x81, "hello")), standing::refused},
        {"the init as binary", bytes_of_stream(from_client().frame(0x82, "init secret")), standing::refused},
    };
}

/// The opening in two parts; between them, and in the end, events are broadcast.
template <class Gate, class Link>
std::string open_with(const opening& how, std::size_t split) {
    Link link;
    lobby<Gate> here;
    auto& guest = here.admit(link.end());
    here.broadcast();
    const auto receive = [&](std::string_view part) {
        link.peer_writes(part);
        for (std::size_t got = 0; got < part.size();) {
            const std::string next = link.server_reads();
            got += next.size();
            here.receive(guest, next);
        }
    };
    receive(how.bytes.substr(0, split));
    if (split < how.bytes.size() && how.expected != standing::guest) {
        if (here.members() != 0) return "a member before its init was valid";
        if (link.peer_has_bytes()) return "something left before the acknowledgement";
    }
    receive(how.bytes.substr(split));
    here.broadcast();
    if ((guest.stands() == standing::member) != (how.expected == standing::member))
        return "a member before its init was valid";
    if (guest.stands() != how.expected) return "neither accepted nor refused as it should be";
    if (how.expected == standing::guest && link.peer_has_bytes()) return "something left for a guest";
    if (how.expected != standing::guest && link.peer_reads().empty()) return "it got no answer";
    return {};
}

template <class Gate, class Link>
std::string open_every_way() {
    for (const opening& how : openings()) {
        for (std::size_t split = 0; split <= how.bytes.size(); ++split) {
            const std::string wrong = open_with<Gate, Link>(how, split);
            if (!wrong.empty()) return wrong + " (" + how.what + ")";
        }
    }
    return {};
}

/// A third says its init after five seconds, a third never says anything, a third sends PINGs only.
template <class Gate, class Link>
std::string let_time_pass() {
    constexpr std::size_t connections = 30;
    const std::string init = bytes_of_stream(from_client().frame(0x81, "init secret"));
    const std::string ping = bytes_of_stream(from_client().frame(0x89, "still here"));
    std::deque<Link> links(connections);
    lobby<Gate> here(10s);
    std::vector<typename lobby<Gate>::guest*> guests;
    using handle = decltype(guests[0]->gate().handle());
    std::vector<handle> handles;
    for (Link& link : links) {
        guests.push_back(&here.admit(link.end(), manual_clock::now()));
        handles.push_back(guests.back()->gate().handle());
    }
    for (int second = 0; second < 10; ++second) {
        if (here.present() != connections) return "refused before its time was up";
        here.broadcast();
        for (std::size_t i = 0; i < connections; ++i) {
            if (i % 3 == 0 && second == 5) here.receive(*guests[i], init, manual_clock::now());
            if (i % 3 == 2) here.receive(*guests[i], ping, manual_clock::now());
        }
        manual_clock::advance(1s);
        here.tick(manual_clock::now());
    }
    if (here.members() != connections / 3) return "a member was lost";
    if (here.present() != connections / 3) return "a connection without init stays beyond its time";
    for (std::size_t i = 0; i < connections; ++i) {
        if (i % 3 == 0) continue;
        if (handles[i].send_text("late") != wsolo::errc::closed) return "a handle to what is gone accepts";
        std::string seen = links[i].peer_reads();
        for (std::string next = seen; !next.empty(); seen += next) next = links[i].peer_reads();
        const strict::stream parsed = strict::parse(seen, false);
        if (parsed.frames.size() != 1 || parsed.frames[0].opcode != 8)
            return "more than the refusal was sent";
    }
    return {};
}

} // namespace

TEMPLATE_TEST_CASE("S4: a member by a valid init and by nothing else", "[scenario][s4]", scripted_link,
                   unix_link, tcp_link) {
    REQUIRE(open_every_way<waits_at_the_gate<typename TestType::transport>, TestType>() == "");
}

TEMPLATE_TEST_CASE("S4: a connection that never says its init is refused in time, and leaves nothing behind",
                   "[scenario][s4]", scripted_link, unix_link, tcp_link) {
    using gate = waits_at_the_gate<typename TestType::transport, manual_traits>;
    long held[2] = {};
    for (long& now : held) { // the first round warms up what the program keeps
        const std::string wrong = let_time_pass<gate, TestType>();
        REQUIRE(wrong == "");
        now = heap_now().held;
    }
    CHECK(held[0] == held[1]);
}

TEMPLATE_TEST_CASE("S4 teeth: trust in the upgrade, and in any frame, fails five times out of five",
                   "[scenario][s4][teeth]", scripted_link, unix_link, tcp_link) {
    using transport = typename TestType::transport;
    for (int repetition = 0; repetition < 5; ++repetition) {
        CHECK(open_every_way<trusts_the_upgrade<transport>, TestType>() ==
              "a member before its init was valid (the init)");
        CHECK(let_time_pass<trusts_any_frame<transport, manual_traits>, TestType>() ==
              "a connection without init stays beyond its time");
    }
}
