// S6: healthy peers were cut off. Two sides that push to each other both stopped reading, because of what they had not sent
// yet, and timed out. A PING after megabytes in the system's buffer was not answered in time by a peer that took these all
// the while. And a process that slept found its peer silent.
//
// In the manual clock's time, over socket pairs and loopback TCP:
// - two endpoints push 400,000 texts of 40 bytes to each other, all queued before the first is read: all arrive;
// - a peer that takes a megabyte a minute gets a PING after several of them: it is alive until it answers;
// - the peer answers a PING at once, and the process sleeps beyond every deadline before it looks: the timer comes first.
//
// Teeth: a loop that reads nothing while much is unsent, a socket that can't say what its peer has taken, and a timer that
// judges by the time of the last read fail every time.

#include <support/stepped_socket.hpp>

using namespace support;
using namespace std::chrono_literals;

namespace {

// ---- two that push

struct pushed {
    int texts = 400'000;
    loop_habits habits{};
};

std::string push_to_each_other(network kind, const pushed& how) {
    connection_ends ends = connect_both(kind);
    wsolo::endpoint_options options;
    options.writing.limits.max_bytes = std::size_t{64} * 1024 * 1024;
    options.writing.limits.max_frames = 1'000'000;
    stepped_end<own_way, wsolo::server_side> one(std::move(ends.ours), options, how.habits);
    stepped_end<own_way, wsolo::client_side<>> other(std::move(ends.peers), options, how.habits);
    const auto ways = [&] {
        return std::array{way{one.socket(), other.is_reading()}, way{other.socket(), one.is_reading()}};
    };
    const std::string text(40, 't');
    for (int i = 0; i < how.texts; ++i) {
        if (one.whole.send_text(text) != wsolo::errc::none) return "the server can't push";
        if (other.whole.send_text(text) != wsolo::errc::none) return "the client can't push";
    }
    const auto wanted = static_cast<std::size_t>(how.texts);
    const bool all =
        step_until([&] { return one.seen.count == wanted && other.seen.count == wanted; }, ways, one, other);
    if (!all) return one.is_reading() || other.is_reading() ? "not all arrived" : "both stand";
    if (one.whole.close() != wsolo::errc::none) return "it can't be closed";
    step_to_rest(ways, one, other);
    const bool ended = one.seen.endings.size() == 1 && other.seen.endings.size() == 1;
    if (!ended) return "no end";
    return one.seen.endings[0].reason == wsolo::errc::none ? "" : "an end that is not in order";
}

// ---- a slow download

/// Says nothing of what the peer has taken.
class keeps_its_buffer_to_itself {
public:
    keeps_its_buffer_to_itself(int socket, loop_marks*) noexcept : socket_(socket) {}
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) noexcept {
        return socket_.write(parts, deadline);
    }
    void finish(wsolo::end_of_write why) noexcept { socket_.finish(why); }
    void end_output() noexcept { ::shutdown(socket_.descriptor(), SHUT_WR); }
    void disconnect() noexcept { ::shutdown(socket_.descriptor(), SHUT_RDWR); }

private:
    wsolo::adapt::posix_socket socket_;
};

template <class Transport, class Side>
std::string ping_behind_a_download() {
    connection_ends ends = connect_both(network::tcp, send_buffers::of_the_system);
    stepped_end<Transport, Side> ours(std::move(ends.ours));
    stepped_peer peer(std::move(ends.peers), wsolo::peer_of(Side::self));
    peer.reads = false;
    const auto ways = [&] { return std::array{way{peer.socket(), ours.is_reading()}}; };
    const std::string block(64 * 1024, 'b');
    std::size_t frames = 0;
    while (!ours.is_blocked()) { // the system's buffers are full
        if (ours.whole.send_text(block) != wsolo::errc::none) return "it is never blocked";
        ++frames;
        ours.step();
    }
    const int megabytes = bytes_under_way(ours.socket());
    const auto a_second = static_cast<std::size_t>(megabytes) / 90;
    bool is_answered = false;
    for (int second = 0; second < 300 && !is_answered; ++second) {
        manual_clock::advance(1s);
        peer.read(a_second);
        step_to_rest(ways, ours, peer);
        if (ours.is_over()) {
            return "a peer that took our bytes was cut off: " +
                   std::string(name_of(ours.seen.endings.at(0).reason));
        }
        if (second % 10 != 9) continue; // it looks now and then
        for (const strict::frame& each : peer.parsed().frames) {
            if (each.opcode != 9 || is_answered) continue;
            if (second < 60) return "the PING did not wait for the download";
            peer.say(peer.frames().frame(0x8a, each.payload));
            is_answered = true;
        }
    }
    if (!is_answered) return "there was no PING";
    step_to_rest(ways, ours, peer);
    manual_clock::advance(19s);
    step_to_rest(ways, ours, peer);
    return ours.is_over() ? "it was cut off after its answer" : "";
}

// ---- a process that slept

template <class Side>
std::string sleep_after_a_ping(network kind, wsolo::duration how_long, loop_habits habits = {}) {
    connection_ends ends = connect_both(kind);
    stepped_end<own_way, Side> ours(std::move(ends.ours), {}, habits);
    stepped_peer peer(std::move(ends.peers), wsolo::peer_of(Side::self));
    const auto ways = [&] {
        return std::array{way{ours.socket(), peer.is_reading()}, way{peer.socket(), ours.is_reading()}};
    };
    manual_clock::advance(20s);
    step_to_rest(ways, ours, peer);
    const strict::stream asked = peer.parsed();
    if (asked.frames.size() != 1 || asked.frames[0].opcode != 9) return "there was no PING";
    peer.say(peer.frames().frame(0x8a, asked.frames[0].payload));
    const auto nobody_reads = [&] { return std::array{way{peer.socket(), false}}; };
    step_to_rest(nobody_reads, peer);
    manual_clock::advance(how_long);
    ours.turn(); // the timer comes before what can be read
    step_to_rest(ways, ours, peer);
    if (ours.is_over()) return "cut off: " + std::string(name_of(ours.seen.endings.at(0).reason));
    peer.say(peer.frames().frame(0x81, "still here"));
    step_to_rest(ways, ours, peer);
    return ours.seen.count == 1 ? "" : "it does not go on";
}

} // namespace

TEST_CASE("S6: two that push to each other read as well", "[scenario][s6]") {
    CHECK(push_to_each_other(network::unix_pair, {}) == "");
    CHECK(push_to_each_other(network::tcp, {}) == "");
}

TEST_CASE("S6: a peer that takes our bytes is alive", "[scenario][s6]") {
    CHECK(ping_behind_a_download<own_way, wsolo::server_side>() == "");
    CHECK(ping_behind_a_download<own_way, wsolo::client_side<>>() == "");
}

TEST_CASE("S6: a process that slept does not blame its peer", "[scenario][s6]") {
    for (const network kind : {network::unix_pair, network::tcp}) {
        for (const wsolo::duration how_long :
             {wsolo::duration(25s), wsolo::duration(1min), wsolo::duration(10h)}) {
            CHECK(sleep_after_a_ping<wsolo::server_side>(kind, how_long) == "");
            CHECK(sleep_after_a_ping<wsolo::client_side<>>(kind, how_long) == "");
        }
    }
}

TEST_CASE("S6 teeth: healthy peers are cut off five times out of five", "[scenario][s6][teeth]") {
    pushed few;
    few.texts = 60'000; // enough for both to stop
    few.habits.pauses_above = 16'384;
    loop_habits by_the_clock;
    by_the_clock.judges_after = 40s;
    for (int repetition = 0; repetition < 5; ++repetition) {
        for (const network kind : {network::unix_pair, network::tcp}) {
            CHECK(push_to_each_other(kind, few) == "both stand");
            CHECK(sleep_after_a_ping<wsolo::server_side>(kind, 25s, by_the_clock) == "cut off: pong_timeout");
            CHECK(sleep_after_a_ping<wsolo::client_side<>>(kind, 25s, by_the_clock) ==
                  "cut off: pong_timeout");
        }
        CHECK(ping_behind_a_download<keeps_its_buffer_to_itself, wsolo::server_side>() ==
              "a peer that took our bytes was cut off: pong_timeout");
        CHECK(ping_behind_a_download<keeps_its_buffer_to_itself, wsolo::client_side<>>() ==
              "a peer that took our bytes was cut off: pong_timeout");
    }
}
