// Would catch: defaults that do not agree: a message that one default side accepts and the other one does not take, by
// size, by the number of its fragments, or because no queue ever has room for it.

#include <support/catch.hpp>
#include <support/event_log.hpp>

#include <wsolo/endpoint/endpoint.hpp>

#include <cstring>

using namespace support;

namespace {

/// Hands what one side writes to the other side's reader, in reads of 64 KiB.
template <role Receiver>
struct straight_to_the_reader {
    basic_reader<default_side<Receiver>>* reader;
    std::vector<std::pair<std::size_t, std::size_t>>*
        messages; ///< sizes, and the bytes of them that are right
    std::string* failures;

    io_result write(std::span<const const_bytes> parts, time_point) const {
        const const_bytes taken = parts.front().first(std::min<std::size_t>(parts.front().size(), 64 * 1024));
        std::vector<std::byte> received(taken.begin(), taken.end());
        for (auto& event : reader->read(mutable_bytes(received))) {
            if (event.kind() == event_kind::failure) *failures += name_of(event.error());
            if (!event.is_message()) continue;
            const auto right = std::ranges::count(event.payload(), std::byte{'x'});
            messages->emplace_back(event.payload().size(), static_cast<std::size_t>(right));
        }
        return {io_status::ok, taken.size(), 0};
    }
    void finish(end_of_write) const {}
};

/// One side with the endpoint's default options writes, the other one, with the same, reads.
template <role Sender>
struct default_pair {
    using side = std::conditional_t<Sender == role::server, server_side, client_side<counted_keys>>;
    using transport = straight_to_the_reader<peer_of(Sender)>;

    endpoint_options options{};
    basic_reader<default_side<peer_of(Sender)>> reader{options.reading};
    std::vector<std::pair<std::size_t, std::size_t>> messages;
    std::string failures;
    single_writer<transport, void (*)(), side> writer{transport{&reader, &messages, &failures}, [] {},
                                                      options.writing};
    void pump() {
        while (writer.pump().status == pump_status::more) {}
    }
};

template <role Sender>
void check_sizes() {
    for (const std::size_t size : {default_max_message - 1, default_max_message, default_max_message + 1}) {
        INFO("a message of " << size);
        const std::string payload(size, 'x');
        const bool fits = size <= default_max_message;
        for (int way = 0; way < 4; ++way) {
            default_pair<Sender> pair;
            auto& out = pair.writer;
            errc answer = errc::none;
            if (way == 0) answer = out.send_text(payload);
            if (way == 1) answer = out.send_keyed(1, opcode::binary, bytes_of(payload));
            if (way >= 2) { // in many frames: a kilobyte each, or one byte in many thousand empty ones
                auto message = out.begin_message(opcode::text);
                const std::size_t piece = way == 2 ? 1024 : 1;
                const std::string_view whole = payload;
                const std::string_view first = whole.substr(0, way == 2 ? size - 1 : 20'000);
                for (std::size_t at = 0; at < first.size(); at += piece) {
                    REQUIRE(message.write(bytes_of(first.substr(at, piece))) == errc::none);
                    REQUIRE(message.write({}) == errc::none);
                    pair.pump();
                }
                answer = message.finish(bytes_of(whole.substr(first.size())));
                if (!fits) message.if_destroyed(unfinished::truncate);
            }
            CHECK(answer == (fits ? errc::none : errc::too_large));
            pair.pump();
            CHECK(pair.failures == "");
            if (fits) CHECK(pair.messages == std::vector{std::pair(size, size)});
        }
    }
}

/// What the writer does not send is just what the reader does not take.
template <role Receiver>
void check_one_more() {
    stream sent(peer_of(Receiver));
    sent.header(0x82, default_max_message + 1);
    basic_reader<default_side<Receiver>> in;
    std::vector<std::byte> received(sent.bytes());
    errc seen = errc::none;
    for (auto& event : in.read(mutable_bytes(received))) seen = event.error();
    CHECK(seen == errc::message_too_big);
}

} // namespace

TEST_CASE("two default sides exchange whatever either accepts", "[endpoint][options]") {
    SECTION("a server sends") { check_sizes<role::server>(); }
    SECTION("a client sends") { check_sizes<role::client>(); }
    SECTION("a server reads one byte more") { check_one_more<role::server>(); }
    SECTION("a client reads one byte more") { check_one_more<role::client>(); }
}

TEST_CASE("the longest default message has room in an empty queue and an empty inbox",
          "[endpoint][options]") {
    const endpoint_options usual;
    CHECK(usual.writing.limits.max_message == usual.reading.max_message_size);
    CHECK(wsolo::detail::accounts::charge_of(encoded_size<role::client>(default_max_message)) <=
          usual.writing.limits.max_bytes);
    struct no_hook {
        void operator()() const {}
    };
    inbox<int, no_hook> in(no_hook{}, usual.handling);
    CHECK(in.push(1, default_max_message).error == errc::none);
}
