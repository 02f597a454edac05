// Would catch: hooks of an inbox that are half there, mistyped or misspelt and yet taken; a plain hook that is refused.

#include <support/catch.hpp>

#include <wsolo/sync/inbox.hpp>

using wsolo::inbox_report;

namespace {

struct base {
    bool operator()() const { return true; }
};
struct both : base {
    void on_resume() {}
    void on_finished(const inbox_report&) {}
};
struct only_resume : base {
    void on_resume() {}
};
struct only_finished final : base {
    void on_finished(const inbox_report&) {}
};
struct resume_of_something : base {
    void on_resume(int) {}
    void on_finished(const inbox_report&) {}
};
struct mistyped : base {
    void on_finished(inbox_report&) {}
    void on_finished(int) {}
};
struct answering : both {
    int on_resume() { return 0; } // NOLINT(readability-convert-member-functions-to-static)
};
class hidden : public base {
    void on_resume() {}
    void on_finished(const inbox_report&) {}
};
struct final_both final : both {};
struct by_data : base {
    void (*on_resume)() = nullptr;
    void (*on_finished)(const inbox_report&) = nullptr;
};

static_assert(wsolo::inbox_schedule<void (*)()>);
static_assert(wsolo::inbox_schedule<base>);
static_assert(wsolo::inbox_schedule<both>);
static_assert(wsolo::inbox_schedule<final_both>);
static_assert(wsolo::inbox_schedule<by_data>);
static_assert(!wsolo::inbox_schedule<only_resume>);
static_assert(!wsolo::inbox_schedule<only_finished>);
static_assert(!wsolo::inbox_schedule<resume_of_something>);
static_assert(!wsolo::inbox_schedule<mistyped>);
static_assert(!wsolo::inbox_schedule<answering>);
static_assert(!wsolo::inbox_schedule<hidden>);
static_assert(!wsolo::inbox_observer<base>);
static_assert(wsolo::inbox_observer<wsolo::no_inbox_observer>);

} // namespace

TEST_CASE("three functions make the hooks of an inbox", "[sync][inbox]") {
    int asked = 0, resumed = 0;
    inbox_report told;
    const auto ask = [&asked] { ++asked; };
    const auto resume = [&resumed] { ++resumed; };
    const auto end = [&told](const inbox_report& report) { told = report; };
    wsolo::inbox_hooks hooks{ask, resume, end};
    static_assert(wsolo::inbox_schedule<decltype(hooks)>);
    wsolo::inbox<int, decltype(hooks)> in(hooks, {.max_messages = 1});
    CHECK(in.push(1, 1).pause);
    CHECK(in.drain([](int&&) {}).status == wsolo::inbox_status::idle);
    CHECK(in.close(wsolo::errc::aborted));
    CHECK(in.drain([](int&&) {}).status == wsolo::inbox_status::finished);
    CHECK(asked == 2);
    CHECK(resumed == 1);
    CHECK(told.reason == wsolo::errc::aborted);
}
