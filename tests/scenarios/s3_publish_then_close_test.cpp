// S3: a stream was published under the lock, but its work was registered only after the lock was released.
// A close() in between counted no one, returned, and what the stream worked on was taken away from under
// it.
//
// A server answers an upgrade, which publishes the stream: the peer knows of it as soon as it has read the
// 101, and closes in that very moment. close() must not return before the stream has done its work (a
// greeting, here), and the greeting must arrive, before the Close. 200 times, over the adversarial
// transport, a socket pair and loopback TCP; the stream goes on only when the close has come as far as it
// can get.
//
// Teeth: with the wrong order close() returns too early every time; under TSan it is also reported as the
// data race that it is, and under the interleaving checker it is found without any help (unit/interleave).

#include <support/catch.hpp>
#include <support/hubs.hpp>
#include <support/link.hpp>
#include <support/own_process.hpp>
#include <support/strict_parser.hpp>

#include <wsolo/handshake/upgrade.hpp>
#include <wsolo/write/init_gate.hpp>

#include <thread>

using namespace support;
using namespace std::chrono_literals;
using wsolo::errc;

namespace {

struct nobody_to_wake {
    void operator()() const {}
};

/// What streams work on, and close() lets go of. `Flag` is a bool where nothing may race, as in the real
/// thing. Alone in its cache line: TSan remembers few uses of one place, and a neighbour's would push this
/// one's out.
template <class Flag>
struct alignas(64) resources {
    Flag gone{false};
};

template <class Hub, class Link, class Flag>
class service {
    using writer = wsolo::single_writer<typename Link::transport, wsolo::inline_drive<nobody_to_wake>>;

public:
    /// The server's thread: an upgrade, and the work of the stream that it makes.
    void serve() {
        wsolo::server_handshake handshake;
        while (handshake.status() == wsolo::handshake_status::need_more) {
            const std::string received = link_.server_reads();
            if (received.empty()) return;
            wsolo::const_bytes input = wsolo::bytes_of(received);
            handshake.feed(input);
        }
        std::string response;
        if (wsolo::append_accept_response(response, handshake.request()) != errc::none) return;
        wsolo::init_gate gate(out_);
        if (gate.acknowledge(wsolo::bytes_of(response)) != errc::none) return;
        hub_.publish([&] { gate.open(); }, [&] { wait_for_the_close(); },
                     [&] {
                         worked_too_late_ = held_.gone;
                         static_cast<void>(out_.send_text("welcome"));
                     });
    }

    /// The peer's thread: an upgrade, and then at once the close.
    std::string be_peer() {
        wsolo::client_handshake handshake;
        wsolo::random_keys random;
        if (handshake.start({.host = "localhost"}, random) != errc::none) return "no request";
        link_.peer_writes(wsolo::text_of(handshake.request()));
        std::string rest;
        while (handshake.status() == wsolo::handshake_status::need_more) {
            rest = link_.peer_reads();
            if (rest.empty()) return "no answer";
            wsolo::const_bytes input = wsolo::bytes_of(rest);
            handshake.feed(input);
            rest.erase(0, rest.size() - input.size());
        }
        close();
        for (std::string next = link_.peer_reads(); !next.empty(); next = link_.peer_reads()) rest += next;
        return judge(strict::parse(rest, false));
    }

    [[nodiscard]] bool worked_too_late() const { return worked_too_late_; }

private:
    void close() {
        hub_.close();
        held_.gone = true;
        close_has_returned_.store(true, std::memory_order_relaxed); // orders nothing: TSan sees the race
        static_cast<void>(out_.close(wsolo::close_code::going_away));
    }

    /// Until the close has returned, or can't.
    void wait_for_the_close() {
        const auto patience = std::chrono::steady_clock::now() + 10s;
        while (!close_has_returned_.load(std::memory_order_relaxed) && !hub_.holds_close() &&
               std::chrono::steady_clock::now() < patience)
            std::this_thread::yield();
    }

    static std::string judge(const strict::stream& seen) {
        if (!seen.error.empty()) return seen.error;
        if (seen.frames.size() != 2 || seen.frames[0].payload != "welcome") return "the greeting is lost";
        return seen.frames[1].opcode == 8 ? "" : "no Close";
    }

    Link link_;
    Hub hub_;
    resources<Flag> held_;
    bool worked_too_late_ = false;
    std::atomic<bool> close_has_returned_{false};
    writer out_{wsolo::born_gated, link_.end(), {{}}};
};

template <class Hub, class Link, class Flag>
std::string run() {
    service<Hub, Link, Flag> here;
    std::thread server([&] { here.serve(); });
    std::string found = here.be_peer();
    server.join();
    return here.worked_too_late() ? "close() had returned, and the stream went to work" : found;
}

using sound = registers_first<wsolo::std_blocking_traits>;
using hasty = publishes_first<wsolo::std_blocking_traits>;

} // namespace

TEMPLATE_TEST_CASE("S3: a close right after the upgrade waits for the stream that it published",
                   "[scenario][s3]", scripted_link, unix_link, tcp_link) {
    for (int repetition = 0; repetition < 200; ++repetition) {
        INFO("repetition " << repetition);
        REQUIRE(run<sound, TestType, bool>() == "");
    }
}

TEMPLATE_TEST_CASE("S3 teeth: published before it is registered, the stream is missed five times out of five",
                   "[scenario][s3][teeth]", scripted_link, unix_link, tcp_link) {
    for (int repetition = 0; repetition < 5; ++repetition)
        CHECK(run<hasty, TestType, std::atomic<bool>>() ==
              "close() had returned, and the stream went to work");
}

#if WSOLO_TEST_SEES_RACES
TEST_CASE("S3: published before it is registered, with nothing else to order it", "[.s3_race]") {
    static_cast<void>(run<hasty, unix_link, bool>());
}

TEST_CASE("S3 teeth: TSan calls the wrong order a data race, five times out of five",
          "[scenario][s3][teeth]") {
    for (int repetition = 0; repetition < 5; ++repetition) {
        const told seen = run_in_own_process("[.s3_race]");
        CHECK(seen.status != 0);
        CHECK(seen.output.find("ThreadSanitizer: data race") != std::string::npos);
    }
}
#endif
