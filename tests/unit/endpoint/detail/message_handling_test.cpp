// Would catch: a message that takes the short road and meets its handler otherwise than on the long one: out of order, with
// another number, twice, not at all, with other bytes, before those that wait, after an error, beyond a quantum, or in
// counts that do not add up; a lent message that is freed, or copied after all.
//
// The judge is the long road itself: the same stream, frame by frame, with an inbox that may refuse and so always queues.

#include <histories/seeded.hpp>
#include <support/endpoint_fixture.hpp>

#include <wsolo/sync/one_thread_traits.hpp>

#include <stdexcept>

namespace {

using histories::seeded;

/// What a handler does with a message; the message says so.
enum class deed : char {
    nothing = 'n',
    echo = 'e',
    echo_twice = 't',
    ping = 'p',
    ask = 'a',
    close = 'C',
    abort = 'A',
    fail = 'F',
    raise = 'R'
};

/// What can be seen of a history.
struct history {
    std::vector<std::pair<bool, std::string>> messages;
    std::vector<std::string> pings;
    std::vector<std::string> data, pongs, closes; ///< on the wire
    std::vector<wsolo::ending> endings;
    wsolo::endpoint_counters counters;
    std::uint64_t last_number = 0;
    bool is_cut = false; ///< by an abort, an error or an exception of the handler
    bool is_aborted = false;
    unsigned lent = 0; ///< messages that lay where they were read
};

struct noting {
    history* seen = nullptr;
    std::string* read = nullptr; ///< what receive() has

    [[nodiscard]] bool is_lent(const wsolo::message& received) const {
        const std::less_equal<> before;
        const auto* at = reinterpret_cast<const char*>(received.bytes().data());
        return before(read->data(), at) && before(at + received.size(), read->data() + read->size());
    }

    errc handle(auto& whole, const wsolo::message& received) const {
        const std::uint64_t number = seen->messages.size() + 1;
        CHECK(whole.handled().has_reached(number - 1));
        CHECK_FALSE(whole.handled().has_reached(number));
        CHECK(whole.handled().snapshot() >= number);
        CHECK(whole.handled().wait_up_to(number) == errc::would_deadlock);
        CHECK(whole.messages().queued_messages() >= 1); // it counts itself
        seen->lent += is_lent(received) ? 1U : 0U;
        const std::string text(received.text());
        seen->messages.emplace_back(received.is_text(), text);
        switch (text.empty() ? deed::nothing : static_cast<deed>(text.front())) {
        case deed::echo: return whole.send(received);
        case deed::echo_twice: {
            const errc first = whole.send(received);
            return first == errc::none ? whole.send_text("again") : first;
        }
        case deed::ping: static_cast<void>(whole.send_ping(wsolo::bytes_of("mine"))); break;
        case deed::ask: whole.ask_for_turn(); break;
        case deed::close: static_cast<void>(whole.close(wsolo::close_code::going_away, "enough")); break;
        case deed::abort:
            seen->is_cut = seen->is_aborted = true;
            whole.abort();
            break;
        case deed::fail: seen->is_cut = true; return errc::rate_exceeded;
        case deed::raise: seen->is_cut = true; throw std::runtime_error("handler");
        default: break;
        }
        return errc::none;
    }
    void on_ping(auto&, wsolo::const_bytes payload) const {
        seen->pings.emplace_back(wsolo::text_of(payload));
    }
    void on_finished(auto&, const wsolo::ending& how) const { seen->endings.push_back(how); }
};
struct lent_to : noting {
    errc on_message(auto& whole, const wsolo::message& received) const { return handle(whole, received); }
};
struct keeping : noting {
    errc on_message(auto& whole, wsolo::message&& received) const {
        const wsolo::message mine(std::move(received));
        return handle(whole, mine);
    }
};

/// The wire's frames of the peer, and where each ends.
struct stream {
    std::string bytes;
    std::vector<std::size_t> ends;
};

template <class Side>
stream draw_stream(seeded& draw) {
    constexpr wsolo::role peer = wsolo::peer_of(Side::self);
    stream made;
    test_keys keys;
    const auto add = [&](wsolo::frame_spec spec, std::string_view payload) {
        if constexpr (peer == wsolo::role::client) {
            REQUIRE(wsolo::append_frame<peer>(made.bytes, spec, wsolo::bytes_of(payload), keys) ==
                    errc::none);
        } else {
            REQUIRE(wsolo::append_frame<peer>(made.bytes, spec, wsolo::bytes_of(payload)) == errc::none);
        }
        made.ends.push_back(made.bytes.size());
    };
    const bool is_mild = draw.chance(70);
    unsigned number = 0;
    for (std::size_t left = draw.between(1, 60); left != 0; --left) {
        if (draw.chance(15)) add(draw.chance(60) ? wsolo::opcode::ping : wsolo::opcode::pong, "p");
        deed what = draw.one_of(
            {deed::echo, deed::echo, deed::echo, deed::nothing, deed::echo_twice, deed::ping, deed::ask});
        if (!is_mild && draw.chance(4))
            what = draw.one_of({deed::close, deed::abort, deed::fail, deed::raise});
        std::string payload = draw.chance(5) ? "" : static_cast<char>(what) + std::to_string(++number);
        if (!payload.empty() && draw.chance(20)) payload.append(draw.below(400), 'x');
        const auto op = draw.chance(70) ? wsolo::opcode::text : wsolo::opcode::binary;
        if (!is_mild && draw.chance(1)) payload += "\xff"; // ends it, if it is text
        if (draw.chance(15)) {
            const std::size_t cut = draw.below(payload.size() + 1);
            add({op, false}, std::string_view(payload).substr(0, cut));
            if (draw.chance(30)) add(wsolo::opcode::ping, "between");
            add({wsolo::opcode::continuation, true}, std::string_view(payload).substr(cut));
        } else {
            add(op, payload);
        }
    }
    if (draw.chance(60)) add(wsolo::opcode::close, "\x03\xe8");
    return made;
}

/// An endpoint that is given a stream.
template <class Side, class Handler, class Traits>
class given {
    using endpoint_type = wsolo::endpoint<wsolo::testing::scripted_transport, counted_schedule, Handler, Side,
                                          wsolo::in_the_loop, Traits>;

public:
    explicit given(const wsolo::endpoint_options& options)
        : whole_(wsolo::testing::scripted_transport(wire), counted_schedule{&log_}, handler(), options) {
        wants_ = whole_.run();
    }

    void receive(std::string_view bytes) {
        read_ = bytes;
        wants_ = whole_.receive(std::as_writable_bytes(std::span(read_)));
        read_.assign(read_.size(), '#'); // what was lent is the loop's again
    }
    /// As often as the hook asks and the wire lets it.
    void run() {
        for (int i = 0; i < 1000 && !wants_.finished && (log_.scheduled != 0 || wants_.write); ++i) {
            log_.scheduled = 0;
            wants_ = whole_.run();
        }
    }
    void run_once() {
        if (std::exchange(log_.scheduled, 0) != 0) wants_ = whole_.run();
    }
    [[nodiscard]] bool wants_input() const { return wants_.read; }
    [[nodiscard]] bool is_finished() const { return wants_.finished; }

    history end() {
        if (!wants_.finished) wants_ = whole_.end_of_input();
        for (int i = 0; i < 1000 && !wants_.finished; ++i) {
            run();
            if (wants_.finished) break;
            manual_clock::advance(1s);
            wants_ = whole_.run();
        }
        CHECK(wants_.finished);
        const strict::stream all = strict::parse(wire.bytes(), wsolo::masks(Side::self));
        CHECK(all.error == "");
        for (const strict::frame& each : all.frames) {
            if (each.opcode == 8) seen_.closes.push_back(each.payload);
            if (each.opcode == 10) seen_.pongs.push_back(each.payload);
            if (each.opcode < 8) seen_.data.push_back(each.payload);
        }
        seen_.counters = whole_.counters();
        seen_.last_number = whole_.handled().snapshot();
        return seen_;
    }

    wsolo::testing::scripted_wire wire;

private:
    Handler handler() {
        Handler made;
        made.seen = &seen_;
        made.read = &read_;
        return made;
    }

    history seen_;
    std::string read_;
    endpoint_log log_;
    wsolo::endpoint_wants wants_;
    endpoint_type whole_;
};

/// Each message queued before it is handled.
template <class Side>
history on_the_long_road(const stream& from) {
    auto options = endpoint_fixture<Side>::quiet();
    options.handling = {.max_bytes = 0, .max_messages = 0, .when_full = wsolo::inbox_overflow::drop_newest};
    given<Side, lent_to, manual_traits> peer(options);
    std::size_t at = 0;
    for (const std::size_t end : from.ends) {
        if (peer.is_finished()) break;
        peer.receive(std::string_view(from.bytes).substr(at, end - at));
        peer.run();
        at = end;
    }
    history seen = peer.end();
    CHECK(seen.lent == 0);
    return seen;
}

/// In random pieces, with random bounds, to a wire that blocks now and then.
template <class Side, class Handler, class Traits>
history as_it_comes(const stream& from, seeded& draw) {
    auto options = endpoint_fixture<Side>::quiet();
    options.handle_quantum = draw.one_of<std::uint32_t>({0, 1, 2, 7, 64});
    options.handling.max_messages = draw.one_of<std::uint32_t>({1, 3, 1024});
    options.handling.max_bytes = draw.one_of<std::size_t>({100, 5'000, 1'000'000});
    const bool is_roomy = options.handling.max_bytes > from.bytes.size();
    options.max_unsent = draw.one_of<std::size_t>({1, 300, 1'000'000});
    options.max_unsent_replies = draw.one_of<std::uint32_t>({1, 5, 16'384});
    given<Side, Handler, Traits> peer(options);
    if (draw.chance(50)) peer.wire.chaotic(draw.next(), 500);
    const std::size_t most = draw.one_of<std::size_t>({3, 60, 700, 100'000});
    for (std::size_t at = 0; at != from.bytes.size() && !peer.is_finished();) {
        if (peer.wants_input() || (is_roomy && draw.chance(10))) { // a loop that does not heed
            const std::size_t size = std::min(draw.between(1, most), from.bytes.size() - at);
            peer.receive(std::string_view(from.bytes).substr(at, size));
            at += size;
            draw.chance(50) ? peer.run() : draw.chance(50) ? peer.run_once() : void();
        } else {
            peer.run();
        }
    }
    peer.run();
    return peer.end();
}

bool begins(const std::vector<std::string>& shorter, const std::vector<std::string>& longer) {
    return shorter.size() <= longer.size() && std::equal(shorter.begin(), shorter.end(), longer.begin());
}

void check_same(const history& one, const history& judge) {
    CHECK(one.messages == judge.messages);
    REQUIRE(one.endings.size() == 1);
    REQUIRE(judge.endings.size() == 1);
    const wsolo::ending &how = one.endings[0], &wanted = judge.endings[0];
    CHECK(how.reason == wanted.reason);
    CHECK(how.handled.messages_handled == wanted.handled.messages_handled);
    CHECK(how.handled.bytes_handled == wanted.handled.bytes_handled);
    CHECK(how.handled.messages_handled == one.messages.size());
    CHECK(how.handled.messages_refused == 0);
    // What was queued before an abort is dropped with it.
    CHECK((one.is_aborted ? begins(one.data, judge.data) : one.data == judge.data));
    if (!one.is_aborted) CHECK(one.closes == judge.closes);
    if (one.is_cut) return; // what came after it in one read was looked at, or not
    CHECK(how.code == wanted.code);
    CHECK(how.handled.messages_dropped == 0);
    CHECK(one.last_number == judge.last_number);
    CHECK(one.pings == judge.pings);
    CHECK(one.pongs == judge.pongs);
    CHECK(one.counters.texts_received == judge.counters.texts_received);
    CHECK(one.counters.binaries_received == judge.counters.binaries_received);
    CHECK(one.counters.bytes_received == judge.counters.bytes_received);
    CHECK(one.counters.pings_received == judge.counters.pings_received);
}

struct one_thread : manual_traits {
    template <class T>
    using atomic = wsolo::one_thread_traits::atomic<T>;
};

template <class Side, class Handler, class Traits>
unsigned compare(std::uint64_t seeds) {
    unsigned lent = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        seeded draw(seed);
        const stream from = draw_stream<Side>(draw);
        const history judge = on_the_long_road<Side>(from);
        const history one = as_it_comes<Side, Handler, Traits>(from, draw);
        INFO("seed " << seed);
        check_same(one, judge);
        lent += one.lent;
    }
    return lent;
}

} // namespace

TEMPLATE_TEST_CASE("the short road is the long road in less time", "[endpoint][handling]", server, client) {
    CHECK(compare<TestType, lent_to, manual_traits>(150) > 1000);
    CHECK(compare<TestType, keeping, manual_traits>(150) == 0);
    CHECK(compare<TestType, lent_to, one_thread>(50) > 200);
}
