// Would catch: sides that agree and don't compress, or compress and did not agree; RSV1 taken where nothing was agreed, on a
// control frame or a continuation; a limit judged by the compressed size, or not at all; a failure without its Close code; an
// answer that the client did not allow and takes; a handler's own choice of extensions that is overruled.

#include <support/catch.hpp>
#include <support/deflate.hpp>

#include <wsolo/deflate/permessage_deflate.hpp>
#include <wsolo/endpoint/client_connection.hpp>
#include <wsolo/endpoint/server_connection.hpp>
#include <wsolo/testing/pair.hpp>

#include <chrono>
#include <thread>

using namespace std::chrono_literals;
using namespace std::string_literals;
using support::chat;
using support::compressible;
using support::noise;
using support::plain_deflater;
using wsolo::deflate_mode;
using wsolo::deflate_options;
using wsolo::deflate_terms;
using wsolo::errc;
using wsolo::frame_spec;
using wsolo::opcode;
using wsolo::role;
using wsolo::adapt::zlib::permessage_deflate;

namespace {

using strings = std::vector<std::string>;

/// Keeps what it gets.
struct keeping {
    permessage_deflate compression;
    std::vector<std::string> got;
    std::optional<wsolo::ending> end;

    void on_message(auto&, wsolo::message&& one) {
        got.push_back((one.is_text() ? "t" : "b") + std::string(one.text()));
    }
    void on_finished(auto&, const wsolo::ending& how) { end = how; }
};

keeping agreed(role self, const deflate_terms& terms = {}, const deflate_options& options = {}) {
    keeping made{permessage_deflate(options), {}, {}};
    made.compression.agree(self, terms);
    return made;
}

using server = wsolo::testing::paired<keeping>;
using client = wsolo::testing::paired<keeping, wsolo::client_side<>>;

std::string frame_of(role sender, frame_spec spec, std::string_view payload) {
    std::string out;
    wsolo::one_key key(wsolo::masking_key{std::byte{1}, std::byte{0x82}, std::byte{3}, std::byte{0xf4}});
    const errc error = sender == role::client
                           ? wsolo::append_frame<role::client>(out, spec, wsolo::bytes_of(payload), key)
                           : wsolo::append_frame<role::server>(out, spec, wsolo::bytes_of(payload));
    REQUIRE(error == errc::none);
    return out;
}
constexpr frame_spec compressed_text{opcode::text, true, true};
constexpr frame_spec compressed_binary{opcode::binary, true, true};

/// What a side of role `Self` makes of `bytes`, which come `piece` bytes at a time.
template <class Side>
keeping read_by(keeping handler, const std::string& bytes, std::size_t piece,
                const wsolo::endpoint_options& options = {}) {
    wsolo::testing::pair net;
    auto& mine = Side::self == role::server ? net.server : net.client;
    auto& peers = Side::self == role::server ? net.client : net.server;
    wsolo::testing::paired<keeping, Side> side(mine.transport(), mine.wake(), std::move(handler), options);
    mine.drive(side);
    net.run_for(1ms);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        peers.send(std::string_view(bytes).substr(at, piece));
        net.run_for(1ms);
    }
    peers.end_output();
    net.run_for(60s);
    return std::move(side.handler());
}

template <class Side>
void check_read(const std::string& bytes, const std::vector<std::string>& wanted, errc reason,
                const wsolo::endpoint_options& options = {}, bool is_agreed = true) {
    for (const std::size_t piece : std::initializer_list<std::size_t>{1, 2, 7, 1 << 20}) {
        if (piece < 7 && bytes.size() > 5000) continue;
        INFO("pieces of " << piece);
        const keeping one = read_by<Side>(is_agreed ? agreed(Side::self) : keeping{}, bytes, piece, options);
        CHECK(one.got == wanted);
        REQUIRE(one.end);
        CHECK(one.end->reason == reason);
        if (wsolo::close_code_for(reason) != wsolo::close_code::no_status)
            CHECK(one.end->code == wsolo::close_code_for(reason));
    }
}

} // namespace

TEMPLATE_TEST_CASE("compressed messages are inflated, in frames of any number",
                   "[deflate][permessage_deflate]", wsolo::server_side, wsolo::client_side<>) {
    constexpr role peer = wsolo::peer_of(TestType::self);
    plain_deflater out;
    const std::string long_text = compressible(3000), payload = out.message(long_text);
    std::string bytes = frame_of(peer, {opcode::text, false, true}, payload.substr(0, 1)) +
                        frame_of(peer, opcode::ping, "between") +
                        frame_of(peer, {opcode::continuation, false}, "") +
                        frame_of(peer, {opcode::continuation, false}, payload.substr(1, 100)) +
                        frame_of(peer, {opcode::continuation, true}, payload.substr(101));
    bytes += frame_of(peer, opcode::text, "plain");
    bytes += frame_of(peer, compressed_binary, out.message(long_text));
    bytes += frame_of(peer, compressed_text, "\0"s) + frame_of(peer, compressed_text, "");
    bytes +=
        frame_of(peer, compressed_text, out.message(chat(1))) + frame_of(peer, opcode::close, "\x03\xe8");
    check_read<TestType>(bytes, {"t" + long_text, "tplain", "b" + long_text, "t", "t", "t" + chat(1)},
                         errc::none);
}

TEMPLATE_TEST_CASE("RSV1 stands where it was agreed on, and nowhere else", "[deflate][permessage_deflate]",
                   wsolo::server_side, wsolo::client_side<>) {
    constexpr role peer = wsolo::peer_of(TestType::self);
    plain_deflater out;
    const std::string good = frame_of(peer, compressed_text, out.message(chat(1)));
    check_read<TestType>(good, {}, errc::reserved_bits_set, {}, false);
    const auto with = [&](std::string frame, char bits) {
        frame[0] = static_cast<char>(frame[0] | bits);
        return frame;
    };
    for (const opcode control : {opcode::ping, opcode::pong, opcode::close}) {
        const std::string body = control == opcode::close ? "\x03\xe8"s : "x"s;
        check_read<TestType>(good + with(frame_of(peer, control, body), 0x40), {"t" + chat(1)},
                             errc::reserved_bits_set);
    }
    for (const char wrong : {'\x20', '\x10', '\x60', '\x70'}) {
        check_read<TestType>(with(frame_of(peer, opcode::text, "x"), wrong), {}, errc::reserved_bits_set);
    }
    for (const bool first : {false, true}) { // on a continuation, whether or not the message is compressed
        check_read<TestType>(
            frame_of(peer, {opcode::binary, false, first}, out.message(chat(2)).substr(0, 2)) +
                with(frame_of(peer, {opcode::continuation, true}, "x"), 0x40),
            {}, errc::reserved_bits_set);
    }
}

TEMPLATE_TEST_CASE("what can't be inflated ends by 1007, what is too long by 1009",
                   "[deflate][permessage_deflate]", wsolo::server_side, wsolo::client_side<>) {
    constexpr role peer = wsolo::peer_of(TestType::self);
    const auto frame = [&](frame_spec spec, const std::string& payload) {
        return frame_of(peer, spec, payload);
    };
    const std::string before = frame(opcode::binary, "before"), after = frame(opcode::binary, "after");
    check_read<TestType>(before + frame(compressed_binary, "\xff\xff\xff") + after, {"bbefore"},
                         errc::invalid_compressed_data);
    check_read<TestType>(before + frame(compressed_text, plain_deflater().message("\xff\xfe")) + after,
                         {"bbefore"}, errc::invalid_utf8);
    wsolo::endpoint_options options;
    options.reading.max_message_size = 2000;
    for (const char kind : {'x', 'n'}) {
        const auto text = [&](std::size_t size) {
            return kind == 'x' ? std::string(size, 'x') : noise(size);
        };
        check_read<TestType>(frame(compressed_binary, plain_deflater().message(text(2000))) +
                                 frame(opcode::close, "\x03\xe8"),
                             {"b" + text(2000)}, errc::none, options);
        check_read<TestType>(before + frame(compressed_binary, plain_deflater().message(text(2001))) + after,
                             {"bbefore"}, errc::message_too_big, options);
        check_read<TestType>(frame(opcode::binary, text(2001)), {}, errc::message_too_big, options);
    }
    // Judged by the header where it is too long whatever it holds.
    const std::string huge = frame({opcode::binary, true, true}, std::string(2000 + 500 + 1024 + 1, '\0'));
    check_read<TestType>(huge.substr(0, 20), {}, errc::message_too_big, options);
}

namespace {

/// A server that decides by itself.
struct choosy : keeping {
    std::string_view own;
    void on_request(const wsolo::upgrade_request&, wsolo::http_reply& reply) {
        reply.accept({.extensions = own});
    }
};

template <class Handler>
struct connected {
    explicit connected(Handler server_handler, keeping client_handler,
                       wsolo::client_request asked = {.host = "a"})
        : one(net.server.transport(), net.server.wake(), std::move(server_handler)),
          two(net.client.transport(), net.client.wake(), std::move(client_handler), asked) {
        net.server.drive(one);
        net.client.drive(two);
        net.run_for(1s);
    }
    bool is_compressed() {
        return one.opened() != nullptr && two.opened() != nullptr &&
               one.opened()->handler().compression.is_agreed() &&
               two.opened()->handler().compression.is_agreed();
    }
    bool is_plain() {
        return one.opened() != nullptr && two.opened() != nullptr &&
               !one.opened()->handler().compression.is_agreed() &&
               !two.opened()->handler().compression.is_agreed();
    }
    /// Sends both ways: whether it arrived.
    bool talks() {
        const std::string text = compressible(5000);
        if (one.opened()->send_text(text) != errc::none ||
            two.opened()->send_binary(wsolo::bytes_of(text)) != errc::none)
            return false;
        net.run_for(1s);
        return one.opened()->handler().got == std::vector{"b" + text} &&
               two.opened()->handler().got == std::vector{"t" + text};
    }

    wsolo::testing::pair net{wsolo::testing::link_options{.latency = 1ms}};
    wsolo::server_connection<wsolo::testing::pair_transport, wsolo::testing::pair_wake, Handler,
                             wsolo::in_the_loop, wsolo::testing::virtual_traits>
        one;
    wsolo::client_connection<wsolo::testing::pair_transport, wsolo::testing::pair_wake, keeping,
                             wsolo::client_side<>, wsolo::in_the_loop, wsolo::testing::virtual_traits>
        two;
};

struct without {
    std::vector<std::string> got;
    void on_message(auto&, wsolo::message&& one) { got.push_back(std::string(one.text())); }
};

keeping wanting(const deflate_options& options) { return {permessage_deflate(options), {}, {}}; }

} // namespace

static_assert(wsolo::detail::message_compression<permessage_deflate>);
/// The handshake calls it where an exception would end the program.
struct throwing_offer : permessage_deflate {
    wsolo::deflate_text offer() const { return permessage_deflate::offer(); }
};
struct throwing_answer : permessage_deflate {
    wsolo::deflate_text answer(const wsolo::extension_list& offers) {
        return permessage_deflate::answer(offers);
    }
};
static_assert(!wsolo::detail::message_compression<throwing_offer>);
static_assert(!wsolo::detail::message_compression<throwing_answer>);

TEST_CASE("two connections whose handlers have a compression agree on it", "[deflate][permessage_deflate]") {
    for (const deflate_mode mode :
         {deflate_mode::shared_compressor, deflate_mode::own_stream, deflate_mode::no_takeover}) {
        connected<keeping> both(wanting({.mode = mode}),
                                wanting({.mode = mode, .send_window_bits = 10, .receive_window_bits = 11}));
        REQUIRE(both.is_compressed());
        CHECK(both.talks());
    }
}

TEST_CASE("what the other side does not have is not used", "[deflate][permessage_deflate]") {
    wsolo::testing::pair net;
    wsolo::server_connection<wsolo::testing::pair_transport, wsolo::testing::pair_wake, without,
                             wsolo::in_the_loop, wsolo::testing::virtual_traits>
        one(net.server.transport(), net.server.wake(), without{});
    wsolo::client_connection<wsolo::testing::pair_transport, wsolo::testing::pair_wake, keeping,
                             wsolo::client_side<>, wsolo::in_the_loop, wsolo::testing::virtual_traits>
        two(net.client.transport(), net.client.wake(), keeping{}, wsolo::client_request{.host = "a"});
    net.server.drive(one);
    net.client.drive(two);
    net.run_for(1s);
    REQUIRE(two.opened() != nullptr);
    CHECK_FALSE(two.opened()->handler().compression.is_agreed());
    CHECK(two.opened()->send_text(compressible(3000)) == errc::none);
    net.run_for(1s);
    CHECK(one.opened()->handler().got == std::vector{compressible(3000)});
}

TEST_CASE("a client fails an answer that its offer does not allow", "[deflate][permessage_deflate]") {
    // The server's handler agrees to what it likes.
    choosy wrong;
    wrong.own = "permessage-deflate; server_max_window_bits=12";
    connected<choosy> both(std::move(wrong), wanting({.receive_window_bits = 11}));
    CHECK(both.two.opened() == nullptr);
    CHECK(both.two.how_it_ended().reason == errc::handshake_invalid_deflate);
}

TEST_CASE("what a handler or a request says of extensions stands", "[deflate][permessage_deflate]") {
    connected<choosy> agreed_all({}, {});
    CHECK(agreed_all.is_compressed());
    connected<keeping> asked_other({}, {}, {.host = "a", .extensions = "x-other"});
    CHECK(asked_other.is_plain());
    CHECK(asked_other.talks());
    choosy other;
    other.own = "x-other";
    connected<choosy> answered_other(std::move(other), {},
                                     {.host = "a", .extensions = "x-other, permessage-deflate"});
    CHECK(answered_other.is_plain());
    CHECK(answered_other.talks());
}

TEST_CASE("one connection declines by saying that it has no extensions", "[deflate][permessage_deflate]") {
    choosy none;
    none.own = "";
    connected<choosy> answered_none(std::move(none), {});
    CHECK(answered_none.is_plain());
    CHECK(answered_none.talks());
    connected<keeping> asked_none({}, {}, {.host = "a", .extensions = ""});
    CHECK(asked_none.is_plain());
    CHECK(asked_none.talks());
}

namespace {

/// The payloads of the data frames in `bytes` that a client sent, as they were before a peer inflates them; "=" before one that
/// was not compressed.
strings inflated_by_peer(std::string bytes, support::plain_inflater& peer, bool takeover = true) {
    strings found;
    while (!bytes.empty()) {
        const wsolo::header_parse parsed = wsolo::parse_header(wsolo::bytes_of(bytes));
        REQUIRE(parsed.status == wsolo::parse_status::complete);
        const auto size = static_cast<std::size_t>(parsed.header.payload_size);
        REQUIRE(bytes.size() >= parsed.size + size);
        std::string payload = bytes.substr(parsed.size, size);
        if (parsed.header.masked)
            wsolo::apply_mask(std::as_writable_bytes(std::span(payload.data(), payload.size())),
                              parsed.header.key);
        bytes.erase(0, parsed.size + size);
        if (wsolo::is_control(parsed.header.op)) continue;
        if (parsed.header.rsv1 && !takeover) peer.reset();
        found.push_back(parsed.header.rsv1 ? peer.message(payload) : "=" + payload);
    }
    return found;
}

} // namespace

TEMPLATE_TEST_CASE("what an endpoint sends is compressed, in the order of the wire, whatever is dropped",
                   "[deflate][permessage_deflate]", wsolo::server_side, wsolo::client_side<>) {
    for (const deflate_mode mode :
         {deflate_mode::shared_compressor, deflate_mode::own_stream, deflate_mode::no_takeover}) {
        for (const wsolo::overflow when_full : {wsolo::overflow::reject, wsolo::overflow::drop_oldest}) {
            wsolo::testing::pair net(wsolo::testing::link_options{
                .latency = 3ms, .rate = 100000, .send_buffer = 3000, .receive_buffer = 3000});
            auto& mine = TestType::self == role::server ? net.server : net.client;
            auto& peers = TestType::self == role::server ? net.client : net.server;
            wsolo::endpoint_options options;
            options.writing.limits.max_bytes = 20000;
            options.writing.limits.when_full = when_full;
            wsolo::testing::paired<keeping, TestType> side(
                mine.transport(), mine.wake(), agreed(TestType::self, {}, {.mode = mode, .min_size = 50}),
                options);
            mine.drive(side);
            support::dice roll(3);
            std::string received;
            std::vector<std::string> sent;
            int refused = 0;
            for (std::size_t i = 0; i < 600; ++i) {
                const std::size_t kind = roll.below(10);
                const std::string text = std::to_string(i) + ":" +
                                         (kind == 0   ? std::string("short")
                                          : kind == 1 ? noise(roll.below(2000), i)
                                          : kind == 2 ? compressible(roll.below(9000), i)
                                                      : chat(i));
                const wsolo::const_bytes bytes = wsolo::bytes_of(text);
                const errc error = kind == 3   ? side.writer().send_keyed(1, opcode::binary, bytes)
                                   : kind == 4 ? side.writer().send_uncompressed(opcode::binary, bytes)
                                               : side.send_binary(bytes);
                if (error != errc::none) ++refused;
                sent.push_back(error == errc::none ? text : "refused");
                if (roll.below(3) == 0) {
                    net.run_for(std::chrono::milliseconds(roll.below(40)));
                    received += peers.receive();
                }
            }
            net.run_for(10s);
            received += peers.receive();
            support::plain_inflater peer;
            const strings got = inflated_by_peer(received, peer, mode != deflate_mode::no_takeover);
            // Those that arrived did so in order and whole, and most of them were compressed.
            std::size_t compressed = 0, last = 0, wrong = 0;
            for (const std::string& each : got) {
                const bool is_plain = each.starts_with('=');
                const std::string text = each.substr(is_plain ? 1 : 0);
                const std::size_t number = static_cast<std::size_t>(std::strtoul(text.c_str(), nullptr, 10));
                if (number >= sent.size() || text != sent[number] || (last != 0 && number <= last)) ++wrong;
                last = number;
                compressed += is_plain ? 0U : 1U;
            }
            CHECK(wrong == 0);
            CHECK(got.size() > 200);
            CHECK(compressed > got.size() / 2);
            const auto report = side.writer().report();
            CHECK(report.bytes_written == received.size());
            CHECK(report.frames_written == got.size());
            CHECK(report.frames_dropped + report.frames_written + static_cast<std::size_t>(refused) == 600);
        }
    }
}

TEMPLATE_TEST_CASE("an endpoint's own stream goes on where a message does not shrink",
                   "[deflate][permessage_deflate]", wsolo::server_side, wsolo::client_side<>) {
    std::size_t sent[2] = {};
    for (const bool is_mixed : {false, true}) {
        wsolo::testing::pair net;
        auto& mine = TestType::self == role::server ? net.server : net.client;
        auto& peers = TestType::self == role::server ? net.client : net.server;
        wsolo::testing::paired<keeping, TestType> side(
            mine.transport(), mine.wake(),
            agreed(TestType::self, {}, {.mode = deflate_mode::own_stream, .min_size = 0}));
        mine.drive(side);
        strings wanted;
        std::string received;
        for (std::size_t i = 0; i < 300; ++i) {
            wanted.push_back(is_mixed && i % 10 == 9 ? noise(170, i) : chat(i));
            REQUIRE(side.send_binary(wsolo::bytes_of(wanted.back())) == errc::none);
            if (i % 7 != 0) continue;
            net.run_for(20ms);
            received += peers.receive();
        }
        net.run_for(5s);
        received += peers.receive();
        support::plain_inflater peer;
        CHECK(inflated_by_peer(received, peer) == wanted); // all of it compressed
        sent[is_mixed ? 1 : 0] = received.size();
    }
    // 30 of 300 messages were replaced by ones that do not shrink: the others take what they took.
    CHECK(sent[1] <= sent[0] * 12 / 10 + 30 * (170 + 30));
}

TEST_CASE("a frame for many is compressed once a window, and no stream diverges",
          "[deflate][permessage_deflate]") {
    struct member {
        deflate_mode mode;
        std::uint8_t bits;
        bool takeover;
    };
    const member all[] = {
        {deflate_mode::shared_compressor, 15, true}, {deflate_mode::own_stream, 15, true},
        {deflate_mode::no_takeover, 15, false},      {deflate_mode::shared_compressor, 9, true},
        {deflate_mode::own_stream, 11, true},        {deflate_mode::shared_compressor, 8, true}};
    std::vector<wsolo::shared_frame> frames;
    std::vector<std::string> texts;
    support::dice roll(17);
    for (std::size_t i = 0; i < 60; ++i) {
        texts.push_back(i % 7 == 0 ? noise(500, i) : compressible(100 + roll.below(6000), i));
        frames.push_back(*wsolo::make_shared_frame(opcode::binary, wsolo::bytes_of(texts.back())));
    }
    for (const member& each : all) {
        INFO(static_cast<int>(each.mode) << " " << int{each.bits});
        wsolo::testing::pair net;
        server side(net.server.transport(), net.server.wake(),
                    agreed(role::server, {.from_server = {each.bits, each.takeover}, .from_client = {}},
                           {.mode = each.mode, .min_size = 50}));
        net.server.drive(side);
        strings wanted;
        std::string received;
        for (std::size_t i = 0; i < 200; ++i) {
            const std::size_t which = roll.below(frames.size());
            const bool is_shared = roll.below(3) == 0;
            const std::string text = is_shared ? texts[which] : chat(i);
            REQUIRE((is_shared ? side.send(frames[which]) : side.send_binary(wsolo::bytes_of(text))) ==
                    errc::none);
            wanted.push_back(text);
            if (roll.below(4) != 0) continue;
            net.run_for(20ms);
            received += net.client.receive();
        }
        net.run_for(5s);
        received += net.client.receive();
        support::plain_inflater peer(each.bits);
        strings got = inflated_by_peer(received, peer, each.takeover);
        std::size_t compressed = 0;
        for (std::string& one : got) {
            if (one.starts_with('='))
                one.erase(0, 1);
            else
                ++compressed;
        }
        CHECK(got == wanted);
        CHECK(compressed >= (each.bits == 8 ? 0U : each.takeover ? 150U : 50U));
    }
}

TEST_CASE("one thread writes, another reads, and any asks", "[deflate][permessage_deflate]") {
    for (const deflate_mode mode :
         {deflate_mode::shared_compressor, deflate_mode::own_stream, deflate_mode::no_takeover}) {
        permessage_deflate one(deflate_options{.mode = mode, .min_size = 50});
        one.agree(role::server, {});
        int wrong_out = 0, wrong_in = 0, wanted = 0;
        std::thread writes([&] {
            support::plain_inflater peer;
            for (std::size_t i = 0; i < 300; ++i) {
                const std::string text = i % 50 == 49 ? noise(300, i) : compressible(400, i);
                std::byte room[500];
                const std::size_t size = one.deflate(wsolo::bytes_of(text), wsolo::mutable_bytes(room));
                if (size == 0) continue;
                if (mode == deflate_mode::no_takeover) peer.reset();
                wrong_out += peer.message(wsolo::text_of(wsolo::const_bytes(room).first(size))) != text;
                if (i == 150) one.sending().trim();
            }
        });
        std::thread reads([&] {
            plain_deflater peer;
            for (std::size_t i = 0; i < 300; ++i) {
                const std::string text = compressible(400, i);
                wsolo::byte_buffer to;
                const errc error = one.inflate(wsolo::bytes_of(peer.message(text)), true, to);
                wrong_in += error != errc::none || support::text_of(to) != text;
                if (i == 150) one.receiving().trim();
            }
        });
        for (int i = 0; i < 300; ++i) wanted += one.wants(60) ? 1 : 0;
        writes.join();
        reads.join();
        CHECK(wrong_out == 0);
        CHECK(wrong_in == 0);
        CHECK(wanted == 300);
    }
}
