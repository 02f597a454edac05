// S4: a state event, broadcast while the handshake ran, overtook the handshake's own acknowledgement, and
// the client took it for an answer. The deferred flush that was to mend it also ran when the handshake
// failed, so that a rejected client got every member's events.
//
// 1,000 connections are admitted in groups; events are broadcast on another thread, at least one while each
// handshake runs. A client that is accepted must see the acknowledgement, then every event since its admission,
// in order, without a gap; one that is refused sees the refusal and nothing else, and the report says how
// much was dropped. Over the adversarial transport (all 1,000 at once), socket pairs and loopback TCP (in
// waves).
//
// Teeth: no gate, and a gate that lets out either way, fail every time.

#include <support/catch.hpp>
#include <support/link.hpp>
#include <support/lobby.hpp>
#include <support/strict_parser.hpp>

#include <deque>
#include <thread>

using namespace support;

namespace {

/// Another thread that broadcasts when it is asked to.
template <class Lobby>
class broadcaster {
public:
    explicit broadcaster(Lobby& to) : to_(to), thread_([this] { run(); }) {}
    ~broadcaster() {
        ask(-1);
        thread_.join();
    }

    /// One event while every thread waits, and one more beside whatever comes next.
    void ask_for_two() {
        ask(2);
        std::unique_lock hold(mutex_);
        changed_.wait(hold, [this] { return asked_ < 2; });
    }
    void wait_until_idle() {
        std::unique_lock hold(mutex_);
        changed_.wait(hold, [this] { return asked_ == 0; });
    }

private:
    void ask(int count) {
        wait_until_idle();
        const std::lock_guard hold(mutex_);
        asked_ = count;
        changed_.notify_all();
    }
    void run() {
        std::unique_lock hold(mutex_);
        for (;;) {
            changed_.wait(hold, [this] { return asked_ != 0; });
            if (asked_ < 0) return;
            hold.unlock();
            to_.broadcast();
            hold.lock();
            --asked_;
            changed_.notify_all();
        }
    }

    Lobby& to_;
    std::mutex mutex_;
    std::condition_variable changed_;
    int asked_ = 0;
    std::thread thread_;
};

bool says_the_right_thing(std::size_t number) { return number % 4 != 3; }

std::string init_of(std::size_t number) {
    const stream sent = says_the_right_thing(number) ? stream(wsolo::role::client).frame(0x81, "init secret")
                                                     : stream(wsolo::role::client).frame(0x81, "init guess");
    return std::string(wsolo::text_of(wsolo::const_bytes(sent.bytes())));
}

std::string judge_member(const strict::stream& seen, int first, int end) {
    const auto events = static_cast<std::size_t>(end - first);
    if (seen.frames.empty() || seen.frames[0].payload != acknowledgement)
        return "an event overtook the acknowledgement";
    if (seen.frames.size() != events + 2) return "not all events since its admission";
    for (std::size_t i = 0; i < events; ++i) {
        if (seen.frames[i + 1].payload != "state " + std::to_string(static_cast<std::size_t>(first) + i))
            return "events out of order";
    }
    return seen.frames.back().opcode == 8 ? "" : "no Close";
}

std::string judge_refused(const strict::stream& seen, const wsolo::drain_report& report) {
    for (const strict::frame& frame : seen.frames) {
        if (frame.opcode == 1) return "a refused peer got events";
    }
    if (seen.frames.size() != 1 || seen.frames[0].opcode != 8) return "no refusal";
    return report.frames_dropped != 0 && report.frames_written == 1 ? ""
                                                                    : "the report forgets what was dropped";
}

template <class Link>
std::string all_that_the_peer_saw(Link& link) {
    std::string all;
    for (std::string next = link.peer_reads(); !next.empty(); next = link.peer_reads()) all += next;
    return all;
}

template <class Gate, class Link>
std::string run(std::size_t connections) {
    constexpr std::size_t group = 20;
    std::deque<Link> links(connections);
    lobby<Gate> here;
    std::vector<typename lobby<Gate>::guest*> guests;
    {
        broadcaster events(here);
        while (guests.size() < connections) {
            const std::size_t first = guests.size();
            for (std::size_t i = first; i < first + group; ++i) {
                links[i].peer_writes(init_of(i));
                guests.push_back(&here.admit(links[i].end()));
            }
            events.ask_for_two();
            for (std::size_t i = first; i < first + group; ++i) {
                while (!guests[i]->is_decided()) here.receive(*guests[i], links[i].server_reads());
            }
        }
        events.wait_until_idle();
    }
    here.close();
    for (std::size_t i = 0; i < connections; ++i) {
        const strict::stream seen = strict::parse(all_that_the_peer_saw(links[i]), false);
        const std::string wrong = !seen.error.empty() ? seen.error
                                  : says_the_right_thing(i)
                                      ? judge_member(seen, guests[i]->first_event(), here.events())
                                      : judge_refused(seen, guests[i]->gate().report());
        if (!wrong.empty()) return wrong;
    }
    return {};
}

} // namespace

TEST_CASE("S4: events wait for the acknowledgement, on 1,000 connections at once", "[scenario][s4]") {
    REQUIRE(run<waits_at_the_gate<scripted_link::transport>, scripted_link>(1000) == "");
}

TEMPLATE_TEST_CASE("S4: events wait for the acknowledgement, on 1,000 sockets in waves", "[scenario][s4]",
                   unix_link, tcp_link) {
    for (int wave = 0; wave < 10; ++wave) {
        INFO("wave " << wave);
        REQUIRE(run<waits_at_the_gate<support::ending_socket>, TestType>(100) == "");
    }
}

TEMPLATE_TEST_CASE("S4 teeth: without a gate, and with one that opens either way, five times out of five",
                   "[scenario][s4][teeth]", scripted_link, unix_link, tcp_link) {
    using transport = typename TestType::transport;
    for (int repetition = 0; repetition < 5; ++repetition) {
        CHECK(run<has_no_gate<transport>, TestType>(20) == "an event overtook the acknowledgement");
        CHECK(run<lets_out_either_way<transport>, TestType>(20) == "a refused peer got events");
    }
}
