// S5: the end lost data. Our FIN left right after our Close, so a proxy that ends both directions at the first end of
// stream cut off the peer's last message and its Close. A failed write threw away the peer's Close, which could have been
// read. And closing the socket as soon as all was written made the kernel reset what was on its way.
//
// An endpoint in either role, over socket pairs and loopback TCP, one step at a time:
// - behind such a proxy: the peer's 3 MiB, said after it read our Close, arrive, and then its Close;
// - the peer says its last words and a Close, and leaves with our megabyte unread: its words and its Close count;
// - the peer closes, goes on with PINGs and reads late: up to 3 MiB in the system's buffers arrive, and then our Close.
//
// Teeth: an end at our Close, an end at a failed write, and one at the last write fail every time.

#include <support/stepped_socket.hpp>

using namespace support;

namespace {

const std::string much(3 * 1024 * 1024, 'm');

wsolo::endpoint_options usual() {
    wsolo::endpoint_options options;
    options.reading.max_frame_size = options.reading.max_message_size = 2 * much.size();
    options.handling.max_bytes = 4 * much.size();
    options.writing.limits.max_bytes = 4 * much.size();
    return options;
}

// ---- the wrong shims

struct ends_at_its_close : wsolo::adapt::posix_socket {
    ends_at_its_close(int socket, loop_marks*) noexcept : posix_socket(socket) {}
    void finish(wsolo::end_of_write why) noexcept {
        if (why == wsolo::end_of_write::drained) ::shutdown(descriptor(), SHUT_WR);
    }
};

struct ends_at_a_failed_write : own_way {
    ends_at_a_failed_write(int socket, loop_marks* marks) noexcept : own_way(socket, marks), loop(marks) {}
    void finish(wsolo::end_of_write why) noexcept {
        loop->hides_input = why != wsolo::end_of_write::drained;
        posix_socket::finish(why);
    }
    loop_marks* loop;
};

struct ends_at_the_last_write : own_way {
    ends_at_the_last_write(int socket, loop_marks* marks) noexcept : own_way(socket, marks), loop(marks) {}
    void finish(wsolo::end_of_write) noexcept { loop->is_cut = true; }
    loop_marks* loop;
};

// ---- what happens

template <class End>
std::string judge_end(const End& ours, const std::vector<std::string>& messages, unsigned code) {
    if (ours.seen.messages.size() < messages.size()) return "the peer's last message is missing";
    if (ours.seen.messages != messages) return "other messages than were sent";
    if (ours.seen.endings.size() != 1) return "no end";
    const wsolo::ending& how = ours.seen.endings[0];
    if (!how.peer_closed) return "the peer's Close is missing";
    if (static_cast<unsigned>(how.code) != code) return "another code than the peer's";
    return {};
}

template <class Transport, class Side>
std::string last_words_behind_a_proxy(network kind) {
    connection_ends front = connect_both(kind), back = connect_both(kind);
    stepped_end<Transport, Side> ours(std::move(back.ours), usual());
    hasty_proxy proxy(std::move(back.peers), std::move(front.ours));
    stepped_peer peer(std::move(front.peers), wsolo::peer_of(Side::self));
    const auto ways = [&] {
        return std::array{way{ours.socket(), proxy.is_reading()}, way{proxy.socket(0), ours.is_reading()},
                          way{proxy.socket(1), peer.is_reading()}, way{peer.socket(), proxy.is_reading()}};
    };
    peer.say(peer.frames().frame(0x81, "hello"));
    step_to_rest(ways, ours, proxy, peer);
    if (ours.whole.close(wsolo::close_code::going_away, "bye") != wsolo::errc::none)
        return "it can't be closed";
    step_to_rest(ways, ours, proxy, peer);
    if (peer.close_code() != 1001) return "our Close is missing";
    peer.say(peer.frames().frame(0x89, "late").frame(0x81, much).close(4001, "so be it"));
    if (Side::self == wsolo::role::client) peer.end(); // the server's part (RFC 6455 §7.1.1)
    step_to_rest(ways, ours, proxy, peer);
    if (peer.was_refused) return "the peer's last message was refused";
    const std::string wrong = judge_end(ours, {"hello", much}, 4001);
    if (!wrong.empty()) return wrong;
    if (ours.seen.endings[0].reason != wsolo::errc::none) return "an end that is not in order";
    return peer.saw_end ? "" : "the peer was reset";
}

template <class Transport, class Side>
std::string last_words_beside_a_failed_write(network kind) {
    connection_ends ends = connect_both(kind);
    stepped_end<Transport, Side> ours(std::move(ends.ours), usual());
    stepped_peer peer(std::move(ends.peers), wsolo::peer_of(Side::self));
    while (!ours.is_blocked()) {
        if (ours.whole.send_text(std::string(64 * 1024, 'x')) != wsolo::errc::none)
            return "it is never blocked";
        ours.step();
    }
    peer.reads = false;
    peer.say(peer.frames().frame(0x81, "my last words").close(4002));
    peer.step();
    peer.leave();
    pollfd broken{ours.socket(), 0, 0};
    if (::poll(&broken, 1, 10'000) != 1) return "the peer did not leave";
    ours.turn(); // a timer comes before what can be read
    step_to_rest([] { return std::array<way, 0>{}; }, ours);
    return judge_end(ours, {"my last words"}, 4002);
}

template <class Transport, class Side>
std::string all_that_was_written(network kind) {
    connection_ends ends = connect_both(kind, send_buffers::of_the_system);
    loop_habits small_reads;
    small_reads.reads = 1024; // so that something is unread when both Closes were exchanged
    stepped_end<Transport, Side> ours(std::move(ends.ours), usual(), small_reads);
    stepped_peer peer(std::move(ends.peers), wsolo::peer_of(Side::self));
    const auto ways = [&] {
        return std::array{way{ours.socket(), peer.is_reading()}, way{peer.socket(), ours.is_reading()}};
    };
    const std::string block(64 * 1024, 'b');
    std::size_t frames = 0;
    for (; frames * block.size() < much.size() && !ours.is_blocked(); ++frames) {
        if (ours.whole.send_text(block) != wsolo::errc::none) return "it takes no more";
        ours.step();
    }
    if (!step_until([&] { return !ours.is_blocked(); }, ways, ours, peer)) return "it stays blocked";
    peer.reads = false;
    support::stream goodbye = peer.frames().close(4003);
    for (int i = 0; i < 400; ++i) goodbye.frame(0x89, std::string(100, 'p'));
    peer.say(goodbye);
    step_to_rest(ways, ours, peer);
    peer.reads = true;
    static_cast<void>(step_until([&] { return peer.close_code() != 0; }, ways, ours, peer));
    peer.end();
    step_to_rest(ways, ours, peer);
    if (peer.was_reset) return "what was written was reset";
    const strict::stream all = peer.parsed();
    if (!all.error.empty() || all.rest != 0 || all.frames.size() != frames + 1)
        return "not all that was written";
    return judge_end(ours, {}, 4003);
}

} // namespace

TEST_CASE("S5: a peer behind a hasty proxy has its last word", "[scenario][s5]") {
    for (const network kind : {network::unix_pair, network::tcp}) {
        INFO((kind == network::tcp ? "tcp" : "socket pair"));
        CHECK(last_words_behind_a_proxy<own_way, wsolo::server_side>(kind) == "");
        CHECK(last_words_behind_a_proxy<own_way, wsolo::client_side<>>(kind) == "");
    }
}

TEST_CASE("S5: a failed write hides nothing that the peer has said", "[scenario][s5]") {
    for (const network kind : {network::unix_pair, network::tcp}) {
        INFO((kind == network::tcp ? "tcp" : "socket pair"));
        CHECK(last_words_beside_a_failed_write<own_way, wsolo::server_side>(kind) == "");
        CHECK(last_words_beside_a_failed_write<own_way, wsolo::client_side<>>(kind) == "");
    }
}

TEST_CASE("S5: what was written arrives, though the peer goes on", "[scenario][s5]") {
    for (const network kind : {network::unix_pair, network::tcp}) {
        INFO((kind == network::tcp ? "tcp" : "socket pair"));
        CHECK(all_that_was_written<own_way, wsolo::server_side>(kind) == "");
        CHECK(all_that_was_written<own_way, wsolo::client_side<>>(kind) == "");
    }
}

TEST_CASE("S5 teeth: ends that come too early fail five times out of five", "[scenario][s5][teeth]") {
    for (int repetition = 0; repetition < 5; ++repetition) {
        for (const network kind : {network::unix_pair, network::tcp}) {
            CHECK(last_words_behind_a_proxy<ends_at_its_close, wsolo::server_side>(kind) ==
                  "the peer's last message was refused");
            CHECK(last_words_behind_a_proxy<ends_at_its_close, wsolo::client_side<>>(kind) ==
                  "the peer's last message was refused");
            CHECK(last_words_beside_a_failed_write<ends_at_a_failed_write, wsolo::server_side>(kind) ==
                  "the peer's last message is missing");
            CHECK(last_words_beside_a_failed_write<ends_at_a_failed_write, wsolo::client_side<>>(kind) ==
                  "the peer's last message is missing");
        }
        // A socket pair keeps what was written; only TCP has resets that destroy.
        CHECK(all_that_was_written<ends_at_the_last_write, wsolo::server_side>(network::tcp) ==
              "what was written was reset");
        CHECK(all_that_was_written<ends_at_the_last_write, wsolo::client_side<>>(network::tcp) ==
              "what was written was reset");
    }
}
