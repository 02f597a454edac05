// Would catch: a later error that overwrites the first, a handler that begins behind an error, an end that
// is told twice or not at all, a message that is neither handled nor reported, an exception that leaves
// with the turn.

#include <support/inbox_fixture.hpp>

#include <stdexcept>

using support::inbox_fixture;
using wsolo::errc;
using wsolo::inbox_push;
using wsolo::inbox_status;
using texts = std::vector<std::string>;

namespace {

constexpr bool accepted(const inbox_push& answer) { return answer.error == errc::none; }

} // namespace

TEST_CASE("a handler's error closes the inbox behind the message that it was", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b", "c", "d"}) REQUIRE(accepted(f.push(text)));
    CHECK(f.drain_until("b", errc::message_too_big).status == inbox_status::finished);
    CHECK(f.handled == texts{"a", "b"});
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].reason == errc::message_too_big);
    CHECK(f.reports[0].messages_handled == 2);
    CHECK(f.reports[0].messages_dropped == 2);
    CHECK(f.reports[0].bytes_handled == 20);
    CHECK(f.reports[0].bytes_dropped == 20);
    CHECK_FALSE(f.reports[0].clean());
    CHECK(f.push("e").error == errc::closed);
    CHECK(f.drain().status == inbox_status::finished);
    CHECK(f.in.finished());
    CHECK(f.scheduled == 1);
}

TEST_CASE("the first error wins", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b"}) REQUIRE(accepted(f.push(text)));
    static_cast<void>(f.in.drain([&](std::string&&) {
        CHECK(f.in.close(errc::connection_lost));
        CHECK_FALSE(f.in.close(errc::timed_out));
        return errc::message_too_big; // the handler's own comes too late
    }));
    CHECK_FALSE(f.in.close(errc::aborted));
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].reason == errc::connection_lost);
    CHECK(f.in.report().reason == errc::connection_lost);
}

TEST_CASE("close in the handler: no other handler begins", "[sync][inbox]") {
    for (const bool by_error : {false, true}) {
        inbox_fixture f;
        for (int i = 0; i < 20; ++i) REQUIRE(accepted(f.push(std::to_string(i)))); // one run of messages
        static_cast<void>(f.in.drain([&](std::string&& text) {
            f.handled.push_back(text);
            if (text == "1") f.in.close(by_error ? errc::aborted : errc::none);
        }));
        CHECK(f.handled.size() == (by_error ? 2 : 20));
        CHECK(f.in.finished());
    }
}

#if WSOLO_HAS_EXCEPTIONS
TEST_CASE("what a handler throws closes the inbox and reaches who drains", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b", "c"}) REQUIRE(accepted(f.push(text)));
    const auto handler = [&](std::string&& text) {
        f.handled.push_back(text);
        if (text == "b") throw std::runtime_error("no");
    };
    CHECK_THROWS_AS(f.in.drain(handler), std::runtime_error);
    CHECK(f.handled == texts{"a", "b"});
    CHECK(f.in.finished());
    REQUIRE(f.reports.size() == 1); // before the exception left
    CHECK(f.reports[0].reason == errc::handler_failed);
    CHECK(f.reports[0].messages_handled == 2);
    CHECK(f.reports[0].messages_dropped == 1);

    inbox_fixture g;
    REQUIRE(accepted(g.push("a")));
    CHECK_THROWS_AS(g.in.drain([&](std::string&&) {
        g.in.close(errc::connection_lost);
        throw std::runtime_error("too late to be the reason");
    }),
                    std::runtime_error);
    CHECK(g.in.report().reason == errc::connection_lost);
}
#endif

TEST_CASE("an orderly close handles what is queued, and accepts nothing more", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b"}) REQUIRE(accepted(f.push(text)));
    CHECK(f.in.close());
    CHECK_FALSE(f.in.close());
    CHECK(f.push("c").error == errc::closed);
    CHECK(f.drain(1).status == inbox_status::more);
    CHECK_FALSE(f.in.finished());
    CHECK(f.drain().status == inbox_status::finished);
    CHECK(f.handled == texts{"a", "b"});
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].clean());
    CHECK(f.reports[0].messages_accepted() == 2);
}

TEST_CASE("an error bounds an orderly close", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b", "c"}) REQUIRE(accepted(f.push(text)));
    CHECK(f.in.close());
    CHECK(f.drain(1).messages == 1);
    CHECK(f.in.close(errc::drain_timed_out)); // an error stands above none
    CHECK(f.drain().status == inbox_status::finished);
    CHECK(f.handled == texts{"a"});
    CHECK(f.reports.at(0).reason == errc::drain_timed_out);
    CHECK(f.reports.at(0).messages_dropped == 2);
}

TEST_CASE("closing an idle inbox asks for the drain that ends it", "[sync][inbox]") {
    for (const errc why : {errc::none, errc::connection_lost}) {
        inbox_fixture f;
        CHECK(f.in.close(why));
        CHECK(f.scheduled == 1);
        CHECK(f.reports.empty()); // the end comes in the drainer's thread
        CHECK(f.drain().status == inbox_status::finished);
        REQUIRE(f.reports.size() == 1);
        CHECK(f.reports[0].reason == why);
    }
}

TEST_CASE("a hook that refuses ends the inbox", "[sync][inbox]") {
    inbox_fixture f;
    f.refuses = true;
    CHECK(accepted(f.push("a"))); // and counted as dropped
    CHECK(f.in.finished());
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].reason == errc::schedule_refused);
    CHECK(f.reports[0].messages_dropped == 1);
    CHECK(f.push("b").error == errc::closed);

    inbox_fixture later;
    REQUIRE(accepted(later.push("a")));
    REQUIRE(accepted(later.push("b")));
    later.refuses = true;
    CHECK(later.drain(1).messages == 1);
    CHECK(later.reports.at(0).reason == errc::schedule_refused);
    CHECK(later.reports.at(0).messages_dropped == 1);
}

TEST_CASE("the destructor drops what is left, and tells", "[sync][inbox]") {
    support::inbox_notes notes;
    {
        wsolo::inbox<std::string, support::inbox_notes::hook> in({&notes});
        REQUIRE(accepted(in.push("a", 1)));
    }
    REQUIRE(notes.reports.size() == 1);
    CHECK(notes.reports[0].reason == errc::aborted);
    CHECK(notes.reports[0].messages_dropped == 1);
    {
        wsolo::inbox<std::string, support::inbox_notes::hook> in({&notes});
        in.close(errc::connection_lost);
    }
    REQUIRE(notes.reports.size() == 2);
    CHECK(notes.reports[1].reason == errc::connection_lost); // the first error, even so
    {
        wsolo::inbox<std::string, support::inbox_notes::hook> in({&notes});
        in.close();
        static_cast<void>(in.drain([](std::string&&) {}));
    }
    CHECK(notes.reports.size() == 3); // it was told already
}

TEST_CASE("an inbox that was closed in order and is empty ends in order, drained or not", "[sync][inbox]") {
    support::inbox_notes notes;
    {
        wsolo::inbox<std::string, support::inbox_notes::hook> in({&notes});
        REQUIRE(accepted(in.push("a", 1)));
        static_cast<void>(in.drain([](std::string&&) {}));
        in.close(); // the drain that this asks for does not come
    }
    REQUIRE(notes.reports.size() == 1);
    CHECK(notes.reports[0].clean());
    CHECK(notes.reports[0].messages_handled == 1);
    {
        wsolo::inbox<std::string, support::inbox_notes::hook> in({&notes});
        REQUIRE(accepted(in.push("a", 1)));
        in.close();
    }
    REQUIRE(notes.reports.size() == 2);
    CHECK(notes.reports[1].reason == errc::aborted); // in order, but "a" was not handled
    CHECK(notes.reports[1].messages_dropped == 1);
}
