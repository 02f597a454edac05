// Would catch: a later error that overwrites the first, a handler that begins after an error, an end that
// is told twice or not at all, a message that is neither handled nor reported, an exception that leaves
// with the turn.

#include <support/inbox_fixture.hpp>

#include <memory>
#include <stdexcept>

using support::inbox_fixture;
using wsolo::errc;
using wsolo::inbox_push;
using wsolo::inbox_status;
using texts = std::vector<std::string>;

namespace {

constexpr bool accepted(const inbox_push& answer) { return answer.error == errc::none; }

} // namespace

TEST_CASE("a handler's error closes the inbox after its message", "[sync][inbox]") {
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
    CHECK_FALSE(f.reports[0].is_clean());
    CHECK(f.push("e").error == errc::closed);
    CHECK(f.drain().status == inbox_status::finished);
    CHECK(f.in.is_finished());
    CHECK(f.scheduled == 1);
}

TEST_CASE("what an end dropped is not held any more", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b", "c"}) REQUIRE(accepted(f.push(text)));
    CHECK(f.in.report().messages_dropped == 0); // it waits
    CHECK(f.in.report().bytes_dropped == 0);
    static_cast<void>(f.in.close(errc::timed_out));
    static_cast<void>(f.drain());
    REQUIRE(f.in.is_finished());
    CHECK(f.in.queued_messages() == 0);
    CHECK(f.in.queued_bytes() == 0);
    CHECK_FALSE(f.in.is_paused());
    CHECK(f.push("d").error == errc::closed);
    CHECK(f.in.report().messages_dropped == 3);
    CHECK(f.in.report().bytes_dropped == 30);
    CHECK(f.in.report().messages_handled == 0);
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
        CHECK(f.in.is_finished());
    }
}

#if WSOLO_HAS_EXCEPTIONS
TEST_CASE("a handler's exception closes the inbox and reaches the thread that drains", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b", "c"}) REQUIRE(accepted(f.push(text)));
    const auto handler = [&](std::string&& text) {
        f.handled.push_back(text);
        if (text == "b") throw std::runtime_error("no");
    };
    CHECK_THROWS_AS(f.in.drain(handler), std::runtime_error);
    CHECK(f.handled == texts{"a", "b"});
    CHECK(f.in.is_finished());
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

TEST_CASE("what a wanted() throws ends the inbox as a handler's exception does", "[sync][inbox]") {
    const int asked_before = GENERATE(0, 1, 2);
    inbox_fixture f;
    for (const char* text : {"a", "b", "c"}) REQUIRE(accepted(f.push(text)));
    int asked = 0;
    const auto wanted = [&] {
        if (asked++ == asked_before) throw std::runtime_error("no");
        return true;
    };
    const auto handler = [&](std::string&& text) { f.handled.push_back(std::move(text)); };
    CHECK_THROWS_AS(f.in.drain_while(handler, wanted), std::runtime_error);
    CHECK(f.handled.size() == static_cast<std::size_t>(asked_before));
    CHECK(f.in.is_finished());
    REQUIRE(f.reports.size() == 1); // before the exception left
    CHECK(f.reports[0].reason == errc::handler_failed);
    CHECK(f.reports[0].messages_handled == f.handled.size());
    CHECK(f.reports[0].messages_accepted() == 3);
    CHECK(f.drain().status == inbox_status::finished);
    CHECK(f.push("d").error == errc::closed);
}

namespace {

/// Hooks that throw where they are told to.
struct throwing_hooks {
    bool* resume_throws;
    bool* finished_throws;
    int* ends;
    void operator()() const {}
    void on_resume() const {
        if (*resume_throws) throw std::runtime_error("no resume");
    }
    void on_finished(const wsolo::inbox_report&) const {
        ++*ends;
        if (*finished_throws) throw std::runtime_error("no end");
    }
};

} // namespace

TEST_CASE("what the hooks throw leaves no turn behind", "[sync][inbox]") {
    bool resume_throws = false, finished_throws = false;
    int ends = 0;
    const throwing_hooks hooks{&resume_throws, &finished_throws, &ends};
    const auto held = std::make_shared<int>(0); // a message that is forgotten would keep it
    using inbox = wsolo::inbox<std::shared_ptr<int>, throwing_hooks>;
    SECTION("on_resume() is as a handler") {
        resume_throws = true;
        finished_throws = GENERATE(false, true);
        inbox in(hooks, {.max_messages = 4});
        for (int i = 0; i < 4; ++i) REQUIRE(accepted(in.push(std::shared_ptr<int>(held), 1)));
        CHECK_THROWS_WITH(in.drain([](std::shared_ptr<int>&&) {}), "no resume");
        CHECK(in.is_finished());
        CHECK(in.report().reason == errc::handler_failed);
        CHECK(in.report().messages_handled == 2);
        CHECK(in.report().messages_dropped == 2);
    }
    SECTION("on_finished() is called once, and then it is over") {
        finished_throws = true;
        inbox in(hooks);
        REQUIRE(accepted(in.push(std::shared_ptr<int>(held), 1)));
        const bool by_the_handler = GENERATE(false, true);
        if (by_the_handler) {
            CHECK_THROWS_WITH(in.drain([](std::shared_ptr<int>&&) { throw std::runtime_error("no"); }), "no");
        } else {
            in.close(errc::connection_lost);
            CHECK(in.drain([](std::shared_ptr<int>&&) {}).status == inbox_status::finished);
        }
        CHECK(in.is_finished());
    }
    SECTION("in the destructor") {
        finished_throws = true;
        inbox in(hooks);
        REQUIRE(accepted(in.push(std::shared_ptr<int>(held), 1)));
    }
    CHECK(ends == 1);
    CHECK(held.use_count() == 1);
}
#endif

TEST_CASE("an orderly close handles what is queued, and accepts nothing more", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b"}) REQUIRE(accepted(f.push(text)));
    CHECK(f.in.close());
    CHECK_FALSE(f.in.close());
    CHECK(f.push("c").error == errc::closed);
    CHECK(f.drain(1).status == inbox_status::more);
    CHECK_FALSE(f.in.is_finished());
    CHECK(f.drain().status == inbox_status::finished);
    CHECK(f.handled == texts{"a", "b"});
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].is_clean());
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
    CHECK(f.in.is_finished());
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
    CHECK(notes.reports[0].is_clean());
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
