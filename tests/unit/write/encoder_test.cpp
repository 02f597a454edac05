// Would catch: a message that is encoded and then dropped, replaced or refused, so that its peer's window is wrong from then on; one
// that is encoded twice because a write took a part of it, or encoded out of order; an outcome, a byte of the books or the memory
// that goes astray when an entry is exchanged; a masked frame whose mask is encoded, or is lost.

#include <support/catch.hpp>
#include <support/writer_fixture.hpp>

#include <wsolo/write/encoder.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using wsolo::opcode;

namespace {

/// What an encoder was asked, and what it is to do.
struct notes {
    std::vector<std::string> encoded; ///< messages, in order
    int forgotten = 0;
    int alone = 0; ///< shared frames that it encoded
    std::size_t form = 0;
    std::size_t least = 100;
    int refuses = 0;                ///< so many more leave as they are
    bool grows = false;             ///< a shared frame would not shrink
    bool fills = false;             ///< all the room that it is given, if it is more than the message has
    bool lacks = false;             ///< there is no memory for a shared frame's form
    std::vector<std::size_t> rooms; ///< that it was given
    std::function<void()> meanwhile;
};

/// "Z", the message's number, and its first byte: shorter than any message that it wants.
struct counting {
    static constexpr bool encodes = true;
    notes* all = nullptr;

    bool wants(std::size_t size) const noexcept { return size >= all->least; }
    std::size_t deflate(wsolo::const_bytes message, wsolo::mutable_bytes to) noexcept {
        if (all->refuses > 0 && all->refuses-- > 0) return 0;
        const std::string text(wsolo::text_of(message));
        std::string made = "Z" + std::to_string(all->encoded.size()) + text[0];
        if (all->fills) made.resize(to.size() - wsolo::encoder_work_room, '+');
        all->encoded.push_back(text);
        all->rooms.push_back(to.size());
        if (all->meanwhile) std::exchange(all->meanwhile, nullptr)();
        return put(made, to);
    }
    static std::size_t put(std::string_view made, wsolo::mutable_bytes to) noexcept {
        std::memset(to.data(), '?', to.size()); // all of it may be worked in
        std::memcpy(to.data(), made.data(), made.size());
        return made.size();
    }
    std::size_t shared_form() const noexcept { return all->form; }
    wsolo::result<std::size_t> deflate_alone(wsolo::const_bytes message, wsolo::mutable_bytes to) noexcept {
        ++all->alone;
        if (all->lacks) return errc::out_of_memory;
        if (all->grows) return std::size_t{0};
        return put("S" + std::string(1, wsolo::text_of(message)[0]), to);
    }
    void note_sent(wsolo::const_bytes message) noexcept {
        all->encoded.push_back("shared " + std::string(wsolo::text_of(message.first(1))));
    }
    void forget() noexcept { ++all->forgotten; }
};
static_assert(wsolo::message_encoder<counting>);
static_assert(wsolo::message_encoder<wsolo::never_encoded>);
struct without_forgetting {
    static constexpr bool encodes = true;
    bool wants(std::size_t) const noexcept { return true; }
    std::size_t deflate(wsolo::const_bytes, wsolo::mutable_bytes) noexcept { return 0; }
};
static_assert(!wsolo::message_encoder<without_forgetting>);

std::string long_text(char first, std::size_t size = 1000) { return first + std::string(size - 1, '.'); }

/// The wire: "*" before the payload of a frame with RSV1; long payloads by their first byte and size.
template <class Fixture>
std::vector<std::string> frames_of(const Fixture& f) {
    std::vector<std::string> found;
    std::string bytes = f.wire.bytes();
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
        CHECK(parsed.header.fin);
        if (wsolo::is_control(parsed.header.op)) {
            CHECK_FALSE(parsed.header.rsv1);
            payload = "(" + payload + ")";
        }
        if (payload.size() > 50) payload = payload.substr(0, 1) + std::to_string(payload.size());
        found.push_back((parsed.header.rsv1 ? "*" : "") + payload);
    }
    return found;
}

using strings = std::vector<std::string>;

} // namespace

TEMPLATE_TEST_CASE("messages are encoded in the order of the wire, others go as they are", "[write][encoder]",
                   server, client) {
    notes seen;
    writer_fixture<TestType, counting> f({}, counting{&seen});
    outcome_log log;
    REQUIRE(f.out->send_text(long_text('a'), log.next()) == errc::none);
    REQUIRE(f.out->send_text("short", log.next()) == errc::none);
    REQUIRE(f.out->send_binary(wsolo::bytes_of(long_text('b', 100000)), log.next()) == errc::none);
    REQUIRE(f.out->send_uncompressed(opcode::text, wsolo::bytes_of("secret"), log.next()) == errc::none);
    const std::string secret = long_text('s');
    REQUIRE(f.out->send_uncompressed(opcode::text, wsolo::bytes_of(secret), log.next()) == errc::none);
    REQUIRE(f.out->send_keyed(1, opcode::text, wsolo::bytes_of(long_text('k')), log.next()) == errc::none);
    REQUIRE(f.out->send(f.ping("p")) == errc::none);
    CHECK(f.out->send_wait(opcode::text, wsolo::bytes_of(long_text('w')), wsolo::time_point::min(), {},
                           log.next()) == errc::none);
    CHECK(seen.encoded.empty()); // not before it is planned
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(frames_of(f) == strings{"(p)", "*Z0a", "short", "*Z1b", "secret", "s1000", "*Z2k", "*Z3w"});
    CHECK(seen.encoded == strings{long_text('a'), long_text('b', 100000), long_text('k'), long_text('w')});
    REQUIRE(log.told.size() == 7);
    for (int i = 0; i < 7; ++i) CHECK(log.told[static_cast<std::size_t>(i)] == std::pair(i, errc::none));
    const auto report = f.out->report();
    CHECK(report.bytes_written == f.wire.bytes().size());
    CHECK(report.frames_written == 8);
    CHECK(f.out->queued_bytes() == 0);
    CHECK(seen.forgotten == 0);
}

TEMPLATE_TEST_CASE("a write that took a part goes on with the same bytes, wherever it stopped",
                   "[write][encoder]", server, client) {
    for (std::size_t cut = 1; cut < 3 * wsolo::encoded_size<TestType::self>(3); ++cut) {
        notes seen;
        writer_fixture<TestType, counting> f({}, counting{&seen});
        f.wire.then({io_status::would_block, cut, 0}).then({io_status::would_block, 1, 0});
        for (const char c : {'a', 'b', 'c'}) REQUIRE(f.out->send_text(long_text(c)) == errc::none);
        CHECK(f.out->pump().status == pump_status::blocked);
        REQUIRE(f.out->send_text(long_text('d')) == errc::none);
        CHECK(f.pump_all() == pump_status::idle);
        CHECK(frames_of(f) == strings{"*Z0a", "*Z1b", "*Z2c", "*Z3d"});
        CHECK(seen.encoded.size() == 4);
    }
    notes seen;
    writer_fixture<TestType, counting> f({}, counting{&seen});
    f.wire.chaotic(7, 3);
    strings wanted;
    for (int i = 0; i < 100; ++i) {
        REQUIRE(f.out->send_text(long_text('a')) == errc::none);
        wanted.push_back("*Z" + std::to_string(i) + "a");
    }
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(frames_of(f) == wanted);
}

TEMPLATE_TEST_CASE("what is dropped or replaced was never encoded, what was encoded leaves",
                   "[write][encoder]", server, client) {
    wsolo::writer_options options;
    options.limits.max_frames = 4;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    notes seen;
    writer_fixture<TestType, counting> f(options, counting{&seen});
    outcome_log log;
    f.wire.then({io_status::would_block, 3, 0});
    for (const char c : {'a', 'b'}) REQUIRE(f.out->send_text(long_text(c), log.next()) == errc::none);
    REQUIRE(f.out->send_keyed(7, opcode::text, wsolo::bytes_of(long_text('k')), log.next()) == errc::none);
    CHECK(f.out->pump().status ==
          pump_status::blocked); // all three are encoded, of the first 3 bytes have left
    CHECK(seen.encoded.size() == 3);
    REQUIRE(f.out->send_keyed(7, opcode::text, wsolo::bytes_of(long_text('l')), log.next()) == errc::none);
    REQUIRE(f.out->send_keyed(7, opcode::text, wsolo::bytes_of(long_text('m')), log.next()) == errc::none);
    CHECK(log.told == std::vector{std::pair(3, errc::conflated)});
    REQUIRE(f.out->send_text(long_text('n'), log.next()) == errc::none); // drops the newest key's
    CHECK(log.told.back() == std::pair(4, errc::dropped_oldest));
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(frames_of(f) == strings{"*Z0a", "*Z1b", "*Z2k", "*Z3n"});
    CHECK(seen.encoded == strings{long_text('a'), long_text('b'), long_text('k'), long_text('n')});
    const auto report = f.out->report();
    CHECK(report.frames_written == 4);
    CHECK(report.frames_dropped == 2);
    CHECK(report.bytes_written == f.wire.bytes().size());
}

TEMPLATE_TEST_CASE("a refused or aborted message is not encoded", "[write][encoder]", server, client) {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    notes seen;
    writer_fixture<TestType, counting> f(options, counting{&seen});
    REQUIRE(f.out->send_text(long_text('a')) == errc::none);
    CHECK(f.out->send_text(long_text('b')) == errc::queue_full);
    f.out->abort();
    CHECK(f.pump_all() == pump_status::finished);
    CHECK(seen.encoded.empty());
    CHECK(f.wire.bytes().empty());
    CHECK(f.out->report().frames_dropped == 1);
    CHECK(f.out->send_text(long_text('c')) == errc::closed);
}

TEMPLATE_TEST_CASE("a Close comes after what is encoded before it", "[write][encoder]", server, client) {
    notes seen;
    writer_fixture<TestType, counting> f({}, counting{&seen});
    f.wire.chaotic(3, 5);
    for (const char c : {'a', 'b'}) REQUIRE(f.out->send_text(long_text(c)) == errc::none);
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    CHECK(f.pump_all() == pump_status::finished);
    CHECK(frames_of(f) == strings{"*Z0a", "*Z1b", "(\x03\xe8)"});
    CHECK(f.out->report().is_clean());
}

TEMPLATE_TEST_CASE("the budget counts a message as it is until it is encoded", "[write][encoder]", server,
                   client) {
    notes seen;
    writer_fixture<TestType, counting> f({}, counting{&seen});
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    REQUIRE(f.out->send_text(long_text('a', 5000)) == errc::none);
    REQUIRE(f.out->send_text(long_text('b', 5000)) == errc::none);
    CHECK(f.out->queued_bytes() > 10000);
    CHECK(f.out->pump().status == pump_status::blocked);
    CHECK(f.out->queued_bytes() == 2 * (wsolo::encoded_size<TestType::self>(3) + 16 + 80));
    f.wire.rule(nullptr);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.out->queued_bytes() == 0);
}

TEMPLATE_TEST_CASE("what the encoder refuses arrives as it is", "[write][encoder]", server, client) {
    notes seen;
    seen.refuses = 1;
    writer_fixture<TestType, counting> f({}, counting{&seen});
    REQUIRE(f.out->send_text(long_text('a')) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    REQUIRE(f.out->send_text(long_text('b')) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(frames_of(f) == strings{"a1000", "*Z0b"});
    CHECK(f.out->report().bytes_written == f.wire.bytes().size());
}

TEMPLATE_TEST_CASE("a message of a kind waits for the open one to end, and is encoded then",
                   "[write][encoder]", server, client) {
    notes seen;
    writer_fixture<TestType, counting> f({}, counting{&seen});
    {
        auto open = f.out->begin_message(opcode::binary);
        REQUIRE(open.write(wsolo::bytes_of(long_text('x'))) == errc::none);
        REQUIRE(f.out->send_text(long_text('a')) == errc::none);
        CHECK(f.pump_all() == pump_status::idle);
        CHECK(seen.encoded.empty());
        REQUIRE(open.finish() == errc::none);
    }
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(seen.encoded == strings{long_text('a')});
    CHECK(f.wire.bytes().find("*") == std::string::npos);
}

TEST_CASE("so much is encoded for one write, and no more", "[write][encoder]") {
    notes seen;
    writer_fixture<server, counting> f({}, counting{&seen});
    std::vector<std::size_t> encoded_by_then;
    f.wire.before_write([&] { encoded_by_then.push_back(seen.encoded.size()); });
    for (int i = 0; i < 40; ++i) REQUIRE(f.out->send_text(long_text('a', 10000)) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    // 64 KiB of messages, rounded up.
    CHECK(encoded_by_then == std::vector<std::size_t>{7, 14, 21, 28, 35, 40});
    CHECK(frames_of(f).size() == 40);
}

TEST_CASE("a quantum counts what messages were before", "[write][encoder]") {
    wsolo::writer_options options;
    options.pump_quantum = 20000;
    notes seen;
    writer_fixture<server, counting> f(options, counting{&seen});
    for (int i = 0; i < 40; ++i) REQUIRE(f.out->send_text(long_text('a', 10000)) == errc::none);
    CHECK(f.out->pump().status == pump_status::more);
    CHECK(seen.encoded.size() == 7);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(seen.encoded.size() == 40);
}

TEST_CASE("threads send, replace and drop while another encodes", "[write][encoder]") {
    wsolo::testing::scripted_wire wire;
    wire.chaotic(11, 200);
    notes seen;
    wsolo::writer_options options;
    options.limits.max_frames = 20;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    const auto no_hook = [] { return true; };
    wsolo::single_writer<wsolo::testing::scripted_transport, decltype(no_hook), wsolo::client_side<>,
                         wsolo::no_observer, wsolo::std_blocking_traits, counting>
        out(wsolo::testing::scripted_transport(wire), no_hook, options, {}, {}, counting{&seen});
    std::atomic<int> left{3};
    std::atomic<unsigned> accepted{0}; // where a write names all that is queued nothing can give way
    std::vector<std::thread> senders;
    for (int id = 0; id < 3; ++id) {
        senders.emplace_back([&, id] {
            const std::string text = long_text(static_cast<char>('a' + id));
            for (int i = 0; i < 400; ++i) {
                const errc answer = i % 3 == 0 ? out.send_keyed(7, opcode::text, wsolo::bytes_of(text))
                                               : out.send_text(i % 5 == 0 ? std::string_view("short") : text);
                accepted += answer == errc::none;
            }
            --left;
        });
    }
    while (left != 0) static_cast<void>(out.pump());
    for (std::thread& each : senders) each.join();
    for (int i = 0; i < 100000 && out.pump().status != pump_status::idle; ++i) {}
    const auto report = out.report();
    CHECK(report.frames_written + report.frames_dropped == accepted);
    struct {
        const wsolo::testing::scripted_wire& wire;
    } const whole{wire};
    const strings sent = frames_of(whole);
    CHECK(sent.size() == report.frames_written);
    CHECK(report.bytes_written == wire.bytes().size());
    std::size_t encoded = 0;
    for (const std::string& each : sent) {
        if (each == "short") continue;
        if (each != "*Z" + std::to_string(encoded) + seen.encoded.at(encoded)[0])
            FAIL(each << " is not in its place");
        ++encoded;
    }
    CHECK(encoded == seen.encoded.size());
}

TEST_CASE("a shared frame is encoded once for all peers that can read its form, and each outcome is told in "
          "its order",
          "[write][encoder]") {
    const auto frame = wsolo::make_shared_frame(opcode::text, wsolo::bytes_of(long_text('f', 200)));
    const auto large = wsolo::make_shared_frame(opcode::binary, wsolo::bytes_of(long_text('g', 9000)));
    const auto part = wsolo::make_shared_frame({opcode::text, false}, wsolo::bytes_of(long_text('p', 9000)));
    REQUIRE(frame);
    REQUIRE(large);
    REQUIRE(part);
    int made[3] = {};
    for (const std::size_t form : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
        for (int writer = 0; writer < 3; ++writer) {
            notes seen;
            seen.form = form;
            writer_fixture<server, counting> f({}, counting{&seen});
            outcome_log log;
            f.wire.chaotic(5, 20);
            REQUIRE(f.out->send_text(long_text('a'), log.next()) == errc::none);
            REQUIRE(f.out->send(*frame, log.next()) == errc::none);
            REQUIRE(f.out->send_text(long_text('b'), log.next()) == errc::none);
            REQUIRE(f.out->send(*large, log.next()) == errc::none);
            CHECK(f.out->send(*part) == errc::raw_frame_malformed);
            CHECK(seen.alone == 0);
            CHECK(f.pump_all() == pump_status::idle);
            made[form] += seen.alone;
            if (form == 2) {
                CHECK(frames_of(f) == strings{"*Z0a", "f200", "*Z1b", "g9000"});
                CHECK(seen.encoded == strings{long_text('a'), long_text('b')});
            } else {
                CHECK(frames_of(f) == strings{"*Z0a", "*Sf", "*Z2b", "*Sg"});
                CHECK(seen.encoded == strings{long_text('a'), "shared f", long_text('b'), "shared g"});
            }
            CHECK(log.told.size() == 4);
            CHECK(f.out->report().bytes_written == f.wire.bytes().size());
        }
    }
    CHECK(made[0] == 2);
    CHECK(made[1] == 2);
    CHECK(made[2] == 0);
    // What does not shrink is not tried twice.
    const auto noise = wsolo::make_shared_frame(opcode::binary, wsolo::bytes_of(long_text('n', 900)));
    REQUIRE(noise);
    notes seen;
    seen.grows = true;
    for (int writer = 0; writer < 2; ++writer) {
        writer_fixture<server, counting> f({}, counting{&seen});
        REQUIRE(f.out->send(*noise) == errc::none);
        CHECK(f.pump_all() == pump_status::idle);
        CHECK(frames_of(f) == strings{"n900"});
    }
    CHECK(seen.alone == 1);
    CHECK(seen.encoded.empty());
    // What lacks memory is tried again, by the same writer or another.
    const auto late = wsolo::make_shared_frame(opcode::binary, wsolo::bytes_of(long_text('l', 900)));
    REQUIRE(late);
    notes poor;
    poor.lacks = true;
    writer_fixture<server, counting> f({}, counting{&poor});
    REQUIRE(f.out->send(*late) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    poor.lacks = false;
    REQUIRE(f.out->send(*late) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(frames_of(f) == strings{"l900", "*Sl"});
    CHECK(poor.alone == 2);
    CHECK(poor.forgotten == 0);
}

TEMPLATE_TEST_CASE("an encoder is given so much room, and no more", "[write][encoder]", server, client) {
    wsolo::writer_options options;
    options.limits.max_bytes = 400'000;
    notes seen;
    writer_fixture<TestType, counting> f(options, counting{&seen});
    for (const std::size_t size :
         {std::size_t{100}, std::size_t{82'640}, std::size_t{82'641}, std::size_t{390'000}}) {
        REQUIRE(f.out->send_text(long_text('a', size)) == errc::none);
        CHECK(f.pump_all() == pump_status::idle);
    }
    // 128 more than the message, or an eighth of the budget and 32 KiB; and what it may work in.
    CHECK(seen.rooms == std::vector<std::size_t>{100 + 128 + 16, 82'768 + 16, 82'768 + 16, 82'768 + 16});
    CHECK(frames_of(f) == strings{"*Z0a", "*Z1a", "*Z2a", "*Z3a"});
}

TEMPLATE_TEST_CASE("a message may grow where the budget has room for it, header and all", "[write][encoder]",
                   server, client) {
    constexpr std::size_t header_growth = 6, most = wsolo::encoder_growth + header_growth;
    for (const std::size_t size : {std::size_t{100}, std::size_t{125}, std::size_t{126}, std::size_t{65'500},
                                   std::size_t{65'535}, std::size_t{65'536}}) {
        for (const std::size_t left : {std::size_t{0}, std::size_t{1}, std::size_t{6}, std::size_t{7},
                                       std::size_t{40}, most - 1, most, most + 1, std::size_t{100'000}}) {
            INFO(size << " bytes, " << left << " left");
            wsolo::writer_options options;
            options.limits.max_bytes = 400'000; // so that its eighth is no bound here
            const std::size_t head = wsolo::encoded_size<TestType::self>(size) - size;
            const std::size_t other_head = wsolo::encoded_size<TestType::self>(65536) - 65536;
            const std::size_t more = 400'000 - left - size - head - other_head - 2 * (16 + 80);
            notes seen;
            seen.fills = true;
            writer_fixture<TestType, counting> f(options, counting{&seen});
            f.wire.then({io_status::would_block, 1, 0});
            REQUIRE(f.out->send_text(long_text('a', size)) == errc::none);
            REQUIRE(f.out->send_uncompressed(opcode::text, wsolo::bytes_of(long_text('m', more))) ==
                    errc::none);
            CHECK(400'000 - f.out->queued_bytes() == left);
            CHECK(f.out->pump().status == pump_status::blocked);
            const std::size_t growth = std::min(left, most) - std::min(left, header_growth);
            CHECK(seen.rooms == std::vector{size + growth + 16});
            CHECK(f.out->queued_bytes() <= options.limits.max_bytes);
            CHECK(f.pump_all() == pump_status::idle);
            CHECK(frames_of(f) == strings{"*Z" + std::to_string(size + growth), "m" + std::to_string(more)});
            CHECK(f.out->report().bytes_written == f.wire.bytes().size());
            CHECK(f.out->queued_bytes() == 0);
        }
    }
    // Nor is it longer than a message may be.
    wsolo::writer_options options;
    options.limits.max_message = 1010;
    notes seen;
    seen.fills = true;
    writer_fixture<TestType, counting> f(options, counting{&seen});
    for (const std::size_t size : {std::size_t{1000}, std::size_t{1010}})
        REQUIRE(f.out->send_text(long_text('a', size)) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(seen.rooms == std::vector<std::size_t>{1010 + 16, 1010 + 16});
}

TEMPLATE_TEST_CASE("what a message may grow by is kept for it while it is encoded, and no longer",
                   "[write][encoder]", server, client) {
    for (const bool refuses : {false, true}) {
        wsolo::writer_options options;
        const std::size_t charge = wsolo::encoded_size<TestType::self>(1) + 16 + 80;
        options.limits.max_bytes = wsolo::encoded_size<TestType::self>(1000) + 16 + 80 + charge + 134;
        notes seen;
        seen.fills = true;
        writer_fixture<TestType, counting> f(options, counting{&seen});
        std::vector<errc> answers;
        seen.meanwhile = [&] {
            for (int i = 0; i < 2; ++i)
                answers.push_back(f.out->send_uncompressed(opcode::text, wsolo::bytes_of("x")));
            if (refuses) f.out->abort();
        };
        f.wire.then({io_status::would_block, 0, 0});
        REQUIRE(f.out->send_text(long_text('a', 1000)) == errc::none);
        const auto status = f.out->pump().status;
        CHECK(answers == std::vector{errc::none, errc::queue_full});
        CHECK(f.out->queued_bytes() <= options.limits.max_bytes);
        if (refuses) {
            CHECK(status == pump_status::finished);
            continue;
        }
        CHECK(f.pump_all() == pump_status::idle);
        CHECK(frames_of(f) == strings{"*Z1128", "x"});
        // All of the budget is free again.
        REQUIRE(f.out->send_uncompressed(opcode::text, wsolo::bytes_of(long_text('b', 1000))) == errc::none);
        REQUIRE(f.out->send_uncompressed(opcode::text, wsolo::bytes_of(std::string(133, 'c'))) == errc::none);
    }
}

TEMPLATE_TEST_CASE("each message of one write may grow by as much", "[write][encoder]", server, client) {
    wsolo::writer_options options;
    options.limits.max_bytes = 3 * (wsolo::encoded_size<TestType::self>(1000) + 16 + 80 + 134);
    notes seen;
    seen.fills = true;
    writer_fixture<TestType, counting> f(options, counting{&seen});
    for (int i = 0; i < 3; ++i) REQUIRE(f.out->send_text(long_text('a', 1000)) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(frames_of(f) == strings{"*Z1128", "*Z1128", "*Z1128"});
}

TEST_CASE("a message that grows does not use up a quantum", "[write][encoder]") {
    wsolo::writer_options options;
    options.pump_quantum = 20000;
    notes seen;
    seen.fills = true;
    writer_fixture<server, counting> f(options, counting{&seen});
    f.wire.then({io_status::ok, 1, 0}); // fewer bytes than it has grown by
    REQUIRE(f.out->send_text(long_text('a')) == errc::none);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(frames_of(f) == strings{"*Z1128"});
}

TEST_CASE("an abort in the middle of encoding ends it", "[write][encoder]") {
    notes seen;
    writer_fixture<server, counting> f({}, counting{&seen});
    seen.meanwhile = [&] { f.out->abort(); };
    for (const char c : {'a', 'b', 'c'}) REQUIRE(f.out->send_text(long_text(c)) == errc::none);
    CHECK(f.pump_all() == pump_status::finished);
    CHECK(seen.encoded.size() == 1);
    CHECK(f.wire.bytes().empty());
    CHECK(f.out->report().frames_dropped == 3);
}
