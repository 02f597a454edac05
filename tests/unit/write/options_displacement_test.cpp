// Would catch: queued data that is dropped for an item that then finds no memory; outcomes of displaced data that displace
// one another without end.

#include <support/writer_fixture.hpp>

#include <algorithm>

TEST_CASE("what finds no memory displaces nothing", "[write][displacement]") {
    using wsolo::detail::entry;
    wsolo::writer_limits limits;
    limits.max_frames = 1;
    limits.when_full = wsolo::overflow::drop_oldest;
    wsolo::detail::outbox<manual_traits> box(wsolo::writer_options{.limits = limits},
                                             wsolo::turn_state::free);
    const auto push = [&](std::size_t size, entry* made, wsolo::detail::errands& todo) {
        entry* owned = nullptr;
        const errc error = box.push(
                                  {.size = size, .may_displace = true}, owned, [](wsolo::mutable_bytes) {},
                                  [&](wsolo::detail::entry*) { return made; }, todo)
                               .error;
        entry::destroy(owned);
        return error;
    };
    wsolo::detail::errands todo;
    REQUIRE(push(100, entry::make_own(100), todo) == errc::none);
    const std::size_t before = box.queued_bytes();
    CHECK(push(200, nullptr, todo) == errc::out_of_memory);
    CHECK(todo.empty());
    CHECK(box.queued_bytes() == before);
    CHECK(box.report().frames_dropped == 0);
    CHECK(push(200, entry::make_own(200), todo) == errc::none);
    CHECK(box.report().frames_dropped == 1);
}

namespace {

/// Each displaced item has another one sent, which displaces the one that displaced it.
template <class Side>
struct chain {
    writer_fixture<Side> f{of_one()};
    int depth = 0, deepest = 0;
    errc last = errc::none;

    errc send() { return f.out->send_text("x", {&on_told, this}); }

private:
    static wsolo::writer_options of_one() {
        wsolo::writer_options options;
        options.limits.max_frames = 1;
        options.limits.when_full = wsolo::overflow::drop_oldest;
        return options;
    }
    static void on_told(void* context, errc) noexcept {
        auto& self = *static_cast<chain*>(context);
        self.deepest = std::max(self.deepest, ++self.depth);
        if (self.depth < 100 && !self.f.out->is_finished()) self.last = self.send();
        --self.depth;
    }
};

} // namespace

TEMPLATE_TEST_CASE("outcomes that displace one another end soon, with a full queue", "[write][displacement]",
                   server, client) {
    chain<TestType> told;
    REQUIRE(told.send() == errc::none);
    CHECK(told.send() == errc::none);
    CHECK(told.deepest > 1);
    CHECK(told.deepest < 20);
    CHECK(told.f.out->queued_frames() == 1);
    told.depth = 100; // no more of it
}

TEMPLATE_TEST_CASE("only outcomes of displaced data count to the end of their chain", "[write][displacement]",
                   server, client) {
    for (const bool in_loop : {false, true}) {
        chain<TestType> told;
        const auto nest = [&](auto& again, int left) -> void { // a loop's scopes may nest
            if (left == 0) {
                REQUIRE(told.send() == errc::none);
                CHECK(told.send() == errc::none);
                return;
            }
            const auto inside = told.f.out->loop_scope();
            again(again, left - 1);
        };
        nest(nest, in_loop ? 10 : 0);
        CHECK(told.deepest == 8);
        told.depth = 100; // no more of it
    }
}

TEMPLATE_TEST_CASE("what a write does not name can be replaced while it is under way",
                   "[write][displacement]", server, client) {
    writer_fixture<TestType> f;
    outcome_log log;
    const auto keyed = [&](std::string_view payload) {
        return f.out->send_keyed(7, wsolo::opcode::binary, wsolo::bytes_of(payload));
    };
    for (int i = 0; i < 100; ++i)
        REQUIRE(f.out->send_text("a", log.next()) == errc::none); // more than it can name
    REQUIRE(keyed("old") == errc::none);
    f.wire.before_write([&, calls = 0]() mutable {
        if (++calls == 1) REQUIRE(keyed("new") == errc::none);
    });
    f.pump_all();
    CHECK(f.wire.calls().size() == 2);
    CHECK(f.payloads(2) == std::vector<std::string>{"new"});
}

TEMPLATE_TEST_CASE("keyed items give way as all data does", "[write][displacement]", server, client) {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<TestType> f(options);
    outcome_log log;
    REQUIRE(f.out->send_keyed(7, wsolo::opcode::text, wsolo::bytes_of("a"), log.next()) == errc::none);
    REQUIRE(f.out->send_text("b") == errc::none);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::dropped_oldest}});
    f.pump_all();
    CHECK(f.payloads(1) == std::vector<std::string>{"b"});
}
