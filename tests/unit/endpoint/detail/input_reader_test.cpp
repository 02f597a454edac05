// Would catch: a reader that is given up with a message, a header or a control frame half read, a message that is read on after a
// gap because there was no memory for its beginning, a reply that is owed after our Close, an idle connection that keeps a reader,
// and a message whose age begins anew with every read.

#include <support/catch.hpp>
#include <support/event_log.hpp>
#include <support/heap.hpp>

#include <wsolo/endpoint/detail/input_reader.hpp>

#include <optional>

using namespace support;
using wsolo::detail::input_reader;

namespace {

const wsolo::detail::read_bounds whole_messages{read_limits{}};

/// What one event says.
template <role Self>
std::string told(const event& found, const std::optional<control_frame>& reply) {
    std::string line = std::to_string(static_cast<int>(found.kind())) + ":";
    if (found.kind() == event_kind::failure) {
        line += to_string(found.error());
    } else if (found.kind() == event_kind::peer_close) {
        line += std::to_string(static_cast<int>(found.code())) + " " + std::string(found.reason());
    } else {
        line += text_of(found.payload());
    }
    if (found.is_message()) line += found.is_text() ? " text" : " binary";
    return reply ? line + " -> " + described<Self>(*reply) : line;
}

/// Two readers of the same stream.
template <role Self>
struct pair_of_readers {

    /// False: there was no memory.
    bool read(const_bytes part) {
        exact_bytes mine(part), its(part);
        for (const event& each : judge.read(its.view()))
            expected.push_back(told<Self>(each, each.owed_reply()));
        return one.read(whole_messages, mine.view(), [&](auto&& found) {
            for (const event& each : found) seen.push_back(told<Self>(each, one.owed_reply(each)));
        });
    }

    input_reader<Self> one;
    basic_reader<default_side<Self>> judge;
    std::vector<std::string> seen, expected;
};

/// All kinds of frames, some of them empty, as the peer of `Self` sends them.
template <role Self>
stream all_kinds() {
    stream sent(peer_of(Self));
    sent.frame(0x81, "whole").frame(0x89, "ping").frame(0x01, "in \xE2").frame(0x89, "between").frame(0x00);
    sent.frame(0x80, "\x82\xAC parts")
        .frame(0x02)
        .frame(0x80)
        .frame(0x8a, "pong")
        .frame(0x82, std::string(300, 'x'));
    return sent;
}

template <role Self>
void is_cut_anywhere(const stream& sent, bool ends) {
    const const_bytes all(sent.bytes());
    std::vector<std::string> whole;
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        pair_of_readers<Self> both;
        REQUIRE(both.read(all.first(cut)));
        REQUIRE(both.read(all.subspan(cut)));
        CHECK(both.seen == both.expected);
        CHECK(both.one.open() != ends);
        if (cut == 0) whole = both.seen;
        CHECK(both.seen == whole);
    }
    pair_of_readers<Self> both;
    for (const std::byte byte : all) REQUIRE(both.read({&byte, 1}));
    CHECK(both.seen == whole);
    CHECK(both.expected == whole);
}

} // namespace

TEST_CASE("a reader that comes and goes reads what one that stays reads, wherever the stream is cut",
          "[endpoint][input_reader]") {
    is_cut_anywhere<role::server>(all_kinds<role::server>(), false);
    is_cut_anywhere<role::client>(all_kinds<role::client>(), false);
    is_cut_anywhere<role::server>(all_kinds<role::server>().close(1001, "bye").frame(0x81, "late"), true);
    is_cut_anywhere<role::client>(all_kinds<role::client>().close(1001, "bye").frame(0x81, "late"), true);
    is_cut_anywhere<role::server>(all_kinds<role::server>().frame(0x01, "open").frame(0x81, "broken"), true);
    is_cut_anywhere<role::client>(all_kinds<role::client>().frame(0x81, "\xFF no text"), true);
}

TEST_CASE("between messages there is no reader", "[endpoint][input_reader]") {
    const stream sent = all_kinds<role::server>();
    std::vector<std::byte> received(sent.bytes());
    input_reader<role::server> in;
    std::size_t events = 0;
    const auto count = [&](auto&& found) {
        for ([[maybe_unused]] auto& each : found) ++events;
    };
    const heap_counts before = heap_now();
    bool has_memory = true, was_kept = false;
    for (std::size_t at = 0; at < received.size(); ++at) {
        has_memory = has_memory && in.read(whole_messages, mutable_bytes(received).subspan(at, 1), count);
        was_kept = was_kept || heap_now().held > before.held;
    }
    const heap_counts after = heap_now(); // before Catch2 takes some
    CHECK(has_memory);
    CHECK(events == 7);
    CHECK(after.held == before.held);
    CHECK(was_kept == (WSOLO_TEST_COUNTS_HEAP == 1));
}

#if WSOLO_TEST_COUNTS_HEAP
TEMPLATE_TEST_CASE_SIG("without memory for what is unfinished nothing after it is read",
                       "[endpoint][input_reader]", ((role Self), Self), role::server, role::client) {
    stream sent(peer_of(Self));
    sent.frame(0x81, "before").frame(0x01, "the beginning");
    const std::size_t first = sent.size();
    sent.frame(0x80, "the end").frame(0x81, "after");
    const const_bytes all(sent.bytes());
    for (const std::size_t cut : {first - 14, first - 1, first}) { // within its header, its payload, after it
        for (long blocks = 0; blocks < 2; ++blocks) {
            input_reader<Self> in;
            exact_bytes one(all.first(cut)), other(all.subspan(cut));
            std::vector<std::string> seen;
            seen.reserve(8);
            const auto note = [&](auto&& found) {
                for (const event& each : found)
                    seen.emplace_back(each.is_message() ? text_of(each.payload()).substr(0, 6) : "failed");
            };
            bool has_memory = true;
            {
                const no_heap none(blocks);
                has_memory = in.read(whole_messages, one.view(), note);
            }
            const bool is_whole = has_memory && in.open();
            CHECK(in.read(whole_messages, other.view(), note));
            INFO(cut << " " << blocks);
            CHECK(seen.at(0) == "before");
            if (is_whole) {
                CHECK(seen.back() == "after");
                CHECK(seen.at(1) == "the be");
            } else {
                CHECK_FALSE(in.open());
                CHECK((seen.size() == 1 || seen.at(1) == "failed"));
                CHECK(seen.size() <= 2);
            }
            if (blocks == 0) CHECK_FALSE(is_whole);
        }
    }
}
#endif

TEST_CASE("after our Close no event owes a reply, whether a reader was there or not",
          "[endpoint][input_reader]") {
    const bool is_cut = GENERATE(false, true);
    stream sent(role::client);
    sent.frame(0x89, "asked");
    pair_of_readers<role::server> both;
    const const_bytes all(sent.bytes());
    if (is_cut) REQUIRE(both.read(all.first(3)));
    both.one.note_close_sent();
    both.judge.note_close_sent();
    CHECK(both.one.close_sent());
    REQUIRE(both.read(all.subspan(is_cut ? 3 : 0)));
    CHECK(both.seen == both.expected);
    CHECK(both.seen == std::vector<std::string>{"2:asked"});
}

TEST_CASE("a message's age goes on from read to read, and ends with it", "[endpoint][input_reader]") {
    using namespace std::chrono_literals;
    read_limits limits;
    limits.max_message_age = 10s;
    stream sent(role::client);
    sent.frame(0x81, "slowly");
    std::vector<std::byte> received(sent.bytes());
    const bool is_late = GENERATE(false, true);
    const time_point start{100h};
    input_reader<role::server> in;
    const wsolo::detail::read_bounds bounds(limits);
    errc error = errc::none;
    int messages = 0;
    const auto note = [&](auto&& found) {
        for (const event& each : found) {
            if (each.kind() == event_kind::failure)
                error = each.error();
            else
                ++messages;
        }
    };
    CHECK(in.tick(start) == no_deadline);
    REQUIRE(in.read(bounds, mutable_bytes(received).first(3), note));
    CHECK(in.tick(start) == start + 10s);
    REQUIRE(in.read(bounds, mutable_bytes(received).subspan(3, 2), note));
    CHECK(in.tick(start + 9s) == start + 10s);
    CHECK(in.deadline() == start + 10s);
    if (is_late) {
        CHECK(in.tick(start + 10s) == start + 12500ms);
        CHECK(in.tick(start + 13s) == start + 13s);
        REQUIRE(in.read(bounds, {}, note));
        CHECK(error == errc::message_timeout);
        CHECK_FALSE(in.open());
    } else {
        REQUIRE(in.read(bounds, mutable_bytes(received).subspan(5), note));
        CHECK(messages == 1);
    }
    CHECK(in.deadline() == no_deadline);
    CHECK(in.tick(start + 60s) == no_deadline);
}

static_assert(sizeof(input_reader<role::server>) <= 16);
