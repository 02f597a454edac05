// Would catch: half a message that is held for ever, one that drips along and so is never late, a message that is
// blamed for the one before it, for a process that slept or for a reader that did not read, and a failure that
// no hook is told of.

#include <support/catch.hpp>
#include <support/event_log.hpp>

using namespace support;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{100h};
constexpr time_point at(int second) { return start + std::chrono::seconds(second); }

read_limits aged(delivery deliver = delivery::messages) {
    read_limits limits;
    limits.max_message_age = 20s;
    limits.deliver = deliver;
    return limits;
}

/// A reader, and what it said so far.
template <role Role>
struct ageing {
    explicit ageing(const read_limits& limits) : reader(limits) {}

    void read(const_bytes bytes) {
        std::vector<std::byte> received(bytes.begin(), bytes.end());
        for (auto& event : reader.in.read(mutable_bytes(received))) log.note<Role>(event);
    }
    lines said() {
        read({}); // what a tick found is told by a read
        return log.lines;
    }

    reader_under_test<Role> reader;
    event_log log;
};

template <role Role>
stream three_frames() {
    stream sent(peer_of(Role));
    sent.frame(0x01, "ab").frame(0x89, "p").frame(0x80, std::string(130, 'c'));
    return sent;
}

const lines late{"failed message_timeout -> Close 1008"};

template <role Role>
void check_every_cut(delivery deliver) {
    const stream sent = three_frames<Role>();
    const const_bytes all(sent.bytes());
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        INFO("cut at " << cut);
        ageing<Role> one(aged(deliver));
        one.read(all.first(cut));
        const bool is_unfinished = cut != 0 && cut != all.size();
        const time_point due = one.reader.in.tick(at(0));
        CHECK(due == (is_unfinished ? at(20) : no_deadline));
        CHECK(one.reader.in.deadline() == due);
        if (!is_unfinished) continue;
        CHECK(one.reader.in.tick(at(19)) == at(20));
        CHECK(one.reader.in.tick(at(20)) == at(25)); // the loop reads once more
        CHECK(one.reader.in.tick(at(24)) == at(25));
        CHECK(one.reader.in.open());
        CHECK(one.reader.in.tick(at(25)) == at(25));
        CHECK_FALSE(one.reader.in.open());
        CHECK(one.reader.in.error() == errc::message_timeout);
        CHECK(one.reader.in.end_of_input() == errc::message_timeout);
        CHECK(one.reader.in.tick(at(26)) == no_deadline); // told once
        one.log.lines.clear();
        one.read(all.subspan(cut));
        CHECK(one.log.lines == late);
        CHECK(one.reader.in.ignored() == all.size() - cut);
    }
}

template <role Role>
void check_dripping() {
    const stream sent = three_frames<Role>();
    const const_bytes all(sent.bytes());
    ageing<Role> one(aged());
    std::size_t taken = 0;
    for (int second = 0; one.reader.in.open() && second < 100; ++second, ++taken) {
        one.read(all.subspan(taken, 1));
        static_cast<void>(one.reader.in.tick(at(second)));
    }
    CHECK(taken == 26); // the age is the message's, not its last byte's
    CHECK(one.said().back() == late.back());
}

template <role Role>
void check_each_its_own() {
    ageing<Role> one(aged());
    stream sent(peer_of(Role));
    sent.frame(0x81, std::string(1000, 'x'));
    const const_bytes message(sent.bytes());
    // Each read ends one message and begins the next: none is under way for more than a second.
    one.read(message.first(3));
    for (int second = 0; second < 100; ++second) {
        REQUIRE(one.reader.in.tick(at(second)) == at(second + 20));
        one.read(message.subspan(3));
        one.read(message.first(1 + static_cast<std::size_t>(second) % 200)); // in the header, or after it
        const std::size_t rest = 1 + static_cast<std::size_t>(second) % 200;
        REQUIRE(one.reader.in.tick(at(second)) == at(second + 20));
        one.read(message.subspan(rest));
        one.read(message.first(3));
    }
    CHECK(one.log.lines.size() == 200);
    // A control frame between two messages is not their age, and a control frame inside of one does not renew it.
    ageing<Role> two(aged());
    stream control(peer_of(Role));
    control.frame(0x8a, "pong");
    const const_bytes pong(control.bytes());
    two.read(pong.first(1));
    CHECK(two.reader.in.tick(at(0)) == at(20));
    two.read(pong.subspan(1));
    two.read(message.first(500));
    CHECK(two.reader.in.tick(at(10)) == at(30));
    two.read(message.subspan(500));
    CHECK(two.reader.in.tick(at(11)) == no_deadline);
    stream half(peer_of(Role));
    half.frame(0x01, "half");
    two.read(half.bytes());
    CHECK(two.reader.in.tick(at(12)) == at(32));
    two.read(pong);
    CHECK(two.reader.in.tick(at(13)) == at(32));
    two.read(pong.first(1));
    CHECK(two.reader.in.tick(at(14)) == at(32));
    two.read(pong.subspan(1));
    CHECK(two.reader.in.tick(at(15)) == at(32));
}

template <role Role>
void check_own_fault() {
    const stream sent = three_frames<Role>();
    const const_bytes all(sent.bytes());
    { // It slept: what lies in the socket is read before the second look.
        ageing<Role> one(aged());
        one.read(all.first(5));
        CHECK(one.reader.in.tick(at(0)) == at(20));
        CHECK(one.reader.in.tick(at(3600)) == at(3605));
        one.read(all.subspan(5));
        CHECK(one.reader.in.tick(at(3601)) == no_deadline);
        CHECK(one.reader.in.open());
        // and the next message has both looks before it
        one.read(all.first(5));
        CHECK(one.reader.in.tick(at(3602)) == at(3622));
        CHECK(one.reader.in.tick(at(3622)) == at(3627));
    }
    { // It did not read.
        ageing<Role> one(aged());
        one.reader.in.note_not_listening(at(0));
        CHECK(one.reader.in.tick(at(0)) == no_deadline);
        one.read(all.first(5));
        CHECK(one.reader.in.tick(at(0)) == at(20));
        CHECK(one.reader.in.tick(at(20)) == at(25));
        one.reader.in.note_not_listening(at(24));
        CHECK(one.reader.in.tick(at(25)) == at(44));
        CHECK(one.reader.in.tick(at(44)) == at(49));
    }
    { // The clock ran ahead and came back.
        ageing<Role> one(aged());
        one.read(all.first(5));
        CHECK(one.reader.in.tick(at(3600)) == at(3620));
        CHECK(one.reader.in.tick(at(0)) == at(20));
    }
}

} // namespace

TEST_CASE("what is under way for too long fails, wherever it was cut", "[session][reader]") {
    for (const delivery deliver : {delivery::messages, delivery::fragments}) {
        SECTION("a server reads, delivery " + std::to_string(static_cast<int>(deliver))) {
            check_every_cut<role::server>(deliver);
        }
        SECTION("a client reads, delivery " + std::to_string(static_cast<int>(deliver))) {
            check_every_cut<role::client>(deliver);
        }
    }
}

TEST_CASE("bytes that drip along renew nothing", "[session][reader]") {
    SECTION("a server reads") { check_dripping<role::server>(); }
    SECTION("a client reads") { check_dripping<role::client>(); }
}

TEST_CASE("each message has an age of its own", "[session][reader]") {
    SECTION("a server reads") { check_each_its_own<role::server>(); }
    SECTION("a client reads") { check_each_its_own<role::client>(); }
}

TEST_CASE("no message is late for what this side did", "[session][reader]") {
    SECTION("a server reads") { check_own_fault<role::server>(); }
    SECTION("a client reads") { check_own_fault<role::client>(); }
}

TEST_CASE("without a limit, or after the end, nothing is late", "[session][reader]") {
    const stream sent = three_frames<role::server>();
    ageing<role::server> none{read_limits{}};
    none.read(const_bytes(sent.bytes()).first(5));
    CHECK(none.reader.in.tick(at(0)) == no_deadline);
    CHECK(none.reader.in.tick(time_point::max()) == no_deadline);
    ageing<role::server> closed(aged());
    stream close(role::client);
    close.frame(0x01, "half").close(1000);
    closed.read(close.bytes());
    CHECK(closed.reader.in.tick(at(0)) == no_deadline);
    CHECK(closed.reader.in.tick(at(3600)) == no_deadline);
    CHECK(closed.said() == lines{"closed 1000  -> Close 1000 "});
    ageing<role::server> sent_ours(aged()); // no reply, but an end
    sent_ours.reader.in.note_close_sent();
    sent_ours.read(const_bytes(sent.bytes()).first(5));
    CHECK(sent_ours.reader.in.tick(at(0)) == at(20));
    CHECK(sent_ours.reader.in.tick(at(20)) == at(25));
    CHECK(sent_ours.reader.in.tick(at(25)) == at(25));
    CHECK(sent_ours.said() == lines{"failed message_timeout"});
}

namespace {

template <role Role>
void check_deadline() {
    const stream sent = three_frames<Role>();
    const const_bytes all(sent.bytes());
    ageing<Role> one(aged());
    one.read(all.first(5));
    CHECK(one.reader.in.deadline() == no_deadline); // no tick has dated it
    REQUIRE(one.reader.in.tick(at(0)) == at(20));
    one.read(all.subspan(5, 1));
    CHECK(one.reader.in.deadline() == at(20));
    one.read(all.subspan(6));
    CHECK(one.reader.in.deadline() == no_deadline);
    one.read(all.first(1));
    CHECK(one.reader.in.deadline() == no_deadline); // another one's
    CHECK(one.reader.in.tick(at(7)) == at(27));
    CHECK(one.reader.in.deadline() == at(27));
}

} // namespace

TEST_CASE("what is finished has no deadline, without another tick", "[session][reader]") {
    SECTION("a server reads") { check_deadline<role::server>(); }
    SECTION("a client reads") { check_deadline<role::client>(); }
}
