// Would catch: a message lost in the middle of the others because memory ran out for it, bytes read on after a gap, an
// end that waits for a Close that could not be queued, an endpoint that can never end because it has no handle, a Close that is
// forgotten because it could not be kept, and kept input whose memory grows with all that ever passed.

#include <support/heap.hpp>

#include <support/endpoint_fixture.hpp>
#include <support/handshake.hpp>

#include <wsolo/endpoint/client_connection.hpp>
#include <wsolo/endpoint/server_connection.hpp>

#include <memory>

namespace {

constexpr int close_op = 8;

/// A step without memory. The fixture's frames are made before it, and its wants copied after it.
template <class Fixture>
wsolo::endpoint_wants receive_without_memory(Fixture& f, std::string bytes) {
    const support::no_heap none;
    return f.whole->receive(std::as_writable_bytes(std::span(bytes)));
}

} // namespace

#if WSOLO_TEST_COUNTS_HEAP

TEMPLATE_TEST_CASE("without memory for a message none after it is handled", "[endpoint][memory]", server,
                   client) {
    endpoint_fixture<TestType, counted_work> f;
    f.receive(f.text("before"));
    f.run_until_quiet();
    const bool at_all = GENERATE(false, true); // memory, for the Close
    if (at_all) REQUIRE(f.whole->send_text("its block has room for a Close") == errc::none);
    const std::string lost = f.text(std::string(4000, 'x'));
    const std::string behind = f.text("behind");
    static_cast<void>(receive_without_memory(f, lost + behind));
    f.receive(f.text("later"));
    f.whole->work();
    f.run_until_quiet();
    f.end_of_input();
    f.whole->work();
    f.run();
    CHECK(f.wants.finished);
    CHECK(f.log.messages == std::vector<std::string>{"before"});
    CHECK(f.sent().back().first == close_op);
    REQUIRE(f.sent().size() == (at_all ? 2 : 1));
    CHECK(f.sent().back().second.substr(0, 2) == "\x03\xf3"); // 1011
    CHECK(f.log.endings.at(0).reason == errc::out_of_memory);
    CHECK(f.whole->handled().wait_up_to(f.whole->handled().snapshot() + 1) == errc::out_of_memory);
    CHECK(f.whole->counters().texts_received == 4); // lost, or no more wanted
    CHECK(f.whole->counters().binaries_received == 0);
}

TEMPLATE_TEST_CASE("an end without memory for it waits within its bound", "[endpoint][memory]", server,
                   client) {
    wsolo::endpoint_options options;
    options.ending.close_timeout = 5s;
    endpoint_fixture<TestType, counted_work> f(options);
    f.run();
    f.receive(f.text("no thread comes for it"));
    const wsolo::time_point begun = manual_clock::now();
    const std::string cut = f.text("cut").substr(0, 3);
    static_cast<void>(receive_without_memory(f, cut)); // it can't be kept, nor the end's time
    while (manual_clock::now() < begun + 5s) {
        manual_clock::advance(500ms);
        const support::no_heap none;
        f.wants = f.whole->run();
    }
    CHECK(f.whole->writer().is_finished()); // there was no memory for a Close either
}

TEMPLATE_TEST_CASE("what is unfinished and can't be kept ends the connection", "[endpoint][memory]", server,
                   client) {
    endpoint_fixture<TestType, counted_work> f;
    f.receive(f.text("before"));
    f.whole->work();
    REQUIRE(f.whole->send_text("its block has room for a Close") == errc::none);
    const std::string cut = f.text("cut");
    const std::size_t size = GENERATE(as<std::size_t>(), 1, 3, 4); // a part of its header, or of its payload
    static_cast<void>(receive_without_memory(f, cut.substr(0, size)));
    f.receive(cut.substr(size) + f.text("later"));
    f.whole->work();
    f.run_until_quiet();
    REQUIRE(f.sent().size() == 2);
    CHECK(f.sent()[1].second.substr(0, 2) == "\x03\xf3"); // 1011
    CHECK(f.end_of_input().finished);
    CHECK(f.log.messages == std::vector<std::string>{"before"});
    CHECK(f.log.endings.at(0).reason == errc::out_of_memory);
}

TEMPLATE_TEST_CASE("bytes that could not be kept end the input", "[endpoint][memory]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handling.max_messages = 1;
    endpoint_fixture<TestType, counted_work> f(options);
    CHECK_FALSE(f.receive(f.text("1")).read);
    CHECK(f.whole->send_text("its block has room for a Close") == errc::none);
    const std::string lost = f.text("2");
    static_cast<void>(receive_without_memory(f, lost));
    f.receive(f.text("3"));
    for (int i = 0; i < 4; ++i) {
        f.whole->work();
        f.run();
    }
    REQUIRE(f.sent().size() == 2);
    CHECK(f.sent()[1].second.substr(0, 2) == "\x03\xf3"); // 1011
    CHECK(f.end_of_input().finished);
    CHECK(f.log.endings.at(0).reason == errc::out_of_memory);
    CHECK(f.log.endings.at(0).handled.messages_accepted() == 1);
}

namespace {
struct lent_handler {
    std::size_t* bytes;
    void on_message(auto&, const wsolo::message& received) const noexcept { *bytes += received.size(); }
};
struct keeping_handler {
    std::vector<wsolo::message>* kept;
    void on_message(auto&, wsolo::message&& received) const { kept->push_back(std::move(received)); }
};
template <class Handler>
using in_memory = wsolo::endpoint<wsolo::testing::scripted_transport, counted_schedule, Handler, server,
                                  wsolo::in_the_loop, manual_traits>;

std::string frames_for_a_server(std::initializer_list<std::string_view> payloads) {
    test_keys keys;
    std::string bytes;
    for (const std::string_view each : payloads)
        CHECK(wsolo::append_frame<wsolo::role::client>(bytes, wsolo::opcode::text, wsolo::bytes_of(each),
                                                       keys) == errc::none);
    return bytes;
}
} // namespace

TEST_CASE("a handler that can't keep a message costs no copy", "[endpoint][memory]") {
    wsolo::testing::scripted_wire wire;
    endpoint_log log;
    std::size_t bytes = 0;
    in_memory<lent_handler> whole(wsolo::testing::scripted_transport(wire), counted_schedule{&log},
                                  lent_handler{&bytes});
    const std::string large(4000, 'x');
    std::string input = frames_for_a_server({"a", large, "c"});
    const support::heap_counts before = support::heap_now();
    static_cast<void>(whole.receive(std::as_writable_bytes(std::span(input))));
    CHECK(support::heap_now() == before);
    CHECK(bytes == 4002);
}

TEST_CASE("a handler that keeps its messages has them, and no more than there is memory for",
          "[endpoint][memory]") {
    wsolo::testing::scripted_wire wire;
    endpoint_log log;
    std::vector<wsolo::message> kept;
    kept.reserve(9);
    in_memory<keeping_handler> whole(wsolo::testing::scripted_transport(wire), counted_schedule{&log},
                                     keeping_handler{&kept});
    std::string input = frames_for_a_server({"a", "b"}), more = frames_for_a_server({"c", "d"});
    static_cast<void>(whole.receive(std::as_writable_bytes(std::span(input))));
    input.assign(input.size(), '#');
    REQUIRE(whole.send_text("its block has room for a Close") == errc::none);
    {
        const support::no_heap none;
        static_cast<void>(whole.receive(std::as_writable_bytes(std::span(more))));
    }
    REQUIRE(kept.size() == 2);
    CHECK(kept[0].text() == "a");
    CHECK(kept[1].text() == "b");
    CHECK(whole.handled().is_closed());
    CHECK(whole.end_of_input().finished);
    CHECK(whole.how_it_ended().reason == errc::out_of_memory);
    CHECK(whole.how_it_ended().handled.messages_handled == 2);
}

TEST_CASE("an endpoint made without memory ends", "[endpoint][memory]") {
    endpoint_log kept;
    endpoint_log* const log = &kept;
    wsolo::testing::scripted_wire wire;
    using endpoint_type = endpoint_fixture<server, counted_work>::endpoint_type;
    std::optional<endpoint_type> whole;
    std::optional<support::no_heap> none(std::in_place);
    whole.emplace(wsolo::testing::scripted_transport(wire), counted_schedule{log}, logging_handler{log},
                  wsolo::endpoint_options{}, server{}, counted_work{log});
    none.reset();
    CHECK_FALSE(whole->handle().try_use());
    CHECK(kept.scheduled == 0); // what holds it was not complete
    CHECK(whole->run().finished);
    CHECK(kept.work_asked == 0); // there is no handle to come by
    CHECK(kept.endings.at(0).reason == errc::out_of_memory);
    CHECK(whole->how_it_ended().written.is_clean() == false);
}

namespace {

/// Takes everything, and nothing from the heap.
struct sink {
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) const noexcept {
        std::size_t bytes = 0;
        for (const wsolo::const_bytes part : parts) bytes += part.size();
        return {io_status::ok, bytes, 0};
    }
    void finish(wsolo::end_of_write) const noexcept {}
    void end_output() const noexcept {}
    void disconnect() const noexcept {}
};
struct silent_hook {
    void operator()() const noexcept {}
};
struct silent_handler {
    void on_message(auto&, const wsolo::message&) const noexcept {}
};
using lean_server =
    wsolo::server_connection<sink, silent_hook, silent_handler, wsolo::in_the_loop, manual_traits>;
using lean_client = wsolo::client_connection<sink, silent_hook, silent_handler, wsolo::client_side<>,
                                             wsolo::in_the_loop, manual_traits>;

// docs/endpoint.md, "Memory". A socket has a few bytes more than the sink.
template <class Side>
using with_system_clock = wsolo::endpoint<sink, silent_hook, silent_handler, Side, wsolo::in_the_loop>;
static_assert(sizeof(with_system_clock<wsolo::server_side>) <= 400);
static_assert(sizeof(with_system_clock<wsolo::server_side>::writer_type) <= 80);
static_assert(sizeof(wsolo::server_reader) + sizeof(wsolo::single_writer<sink, silent_hook>) <= 248);
static_assert(sizeof(wsolo::server_connection<sink, silent_hook, silent_handler>) <=
              sizeof(with_system_clock<wsolo::server_side>) + 8);

constexpr wsolo::client_request lean_request{.host = "h"};
struct fixed_nonce {
    void fill(wsolo::mutable_bytes to) const noexcept {
        for (std::size_t i = 0; i < to.size(); ++i)
            to[i] = static_cast<std::byte>("the sample nonce"[i % 16]);
    }
};

template <class Connection>
wsolo::endpoint_wants feed(Connection& to, std::string& bytes) {
    return to.receive(std::as_writable_bytes(std::span(bytes)));
}

} // namespace

TEST_CASE("an idle reader and an idle writer by themselves keep 256 bytes of the heap in all",
          "[endpoint][memory]") {
    struct alone {
        wsolo::server_reader in;
        wsolo::single_writer<sink, silent_hook> out{sink{}, silent_hook{}};
    };
    std::string input = frames_for_a_server({"first", std::string(4000, 'x')});
    const auto bytes = std::as_writable_bytes(std::span(input));
    const support::heap_counts before = support::heap_now();
    auto whole = std::make_unique<alone>();
    int answered = 0;
    for (const auto part : {bytes.first(9), bytes.subspan(9)}) // the first message comes in two pieces
        for (const wsolo::event& each : whole->in.read(part))
            answered += whole->out.send_text(each.text()) == errc::none ? 1 : 0;
    const bool is_idle = whole->out.pump().status == pump_status::idle;
    const support::heap_counts after = support::heap_now();
    CHECK(answered == 2);
    CHECK(is_idle);
    static_assert(sizeof(alone) + sizeof(std::size_t) <= 256); // with the block's head
    CHECK(after.held - before.held == 1);                      // and nothing beside it
}

TEST_CASE("an open connection keeps nothing of its handshake", "[connection][memory]") {
    std::string request = handshake_samples::rfc_request().text();
    std::string answer = handshake_samples::rfc_response().without("Sec-WebSocket-Protocol").text();
    const auto held = [](auto make) { // by what `make` leaves, besides itself
        const support::heap_counts before = support::heap_now();
        auto made = make();
        const support::heap_counts after = support::heap_now();
        return after.bytes - before.bytes;
    };
    const auto on_heap = [](auto made) { return static_cast<long>(::malloc_usable_size(made)); };
    const long bare =
        held([&] {
            return std::make_unique<lean_server::endpoint_type>(sink{}, silent_hook{}, silent_handler{});
        }) -
        on_heap(std::make_unique<lean_server::endpoint_type>(sink{}, silent_hook{}, silent_handler{}).get());
    bool is_open = false;
    const long opened = held([&] {
                            auto made =
                                std::make_unique<lean_server>(sink{}, silent_hook{}, silent_handler{});
                            static_cast<void>(feed(*made, request));
                            is_open = made->opened() != nullptr;
                            return made;
                        }) -
                        on_heap(std::make_unique<lean_server>(sink{}, silent_hook{}, silent_handler{}).get());
    CHECK(is_open);
    CHECK(opened == bare);
    const long dialled = held([&] {
                             auto made = std::make_unique<lean_client>(
                                 sink{}, silent_hook{}, silent_handler{}, lean_request, fixed_nonce{});
                             static_cast<void>(made->run());
                             static_cast<void>(feed(*made, answer));
                             is_open = made->opened() != nullptr;
                             return made;
                         }) -
                         on_heap(std::make_unique<lean_client>(sink{}, silent_hook{}, silent_handler{},
                                                               lean_request, fixed_nonce{})
                                     .get());
    CHECK(is_open);
    CHECK(dialled == bare);
}

namespace {
/// Says how it was told that its connection did not open.
struct told_handler : silent_handler {
    std::vector<std::pair<errc, int>>* told = nullptr;
    void on_not_opened(errc why, int status) const { told->emplace_back(why, status); }
};
} // namespace

TEST_CASE("a handler is told that there was no memory for its connection, by the first call, once",
          "[connection][memory]") {
    std::vector<std::pair<errc, int>> told;
    std::string bytes = "GET";
    told_handler handler;
    handler.told = &told;
    const auto live = [&](auto& whole) {
        CHECK(told.empty()); // what holds this is not complete
        const int first = GENERATE(0, 1, 2, 3, 4);
        const wsolo::endpoint_wants wants = first == 0   ? whole.run()
                                            : first == 1 ? feed(whole, bytes)
                                            : first == 2 ? whole.end_of_input()
                                            : first == 3 ? whole.abort(errc::pong_timeout)
                                                         : whole.close();
        CHECK(wants.finished);
        CHECK(told == std::vector<std::pair<errc, int>>{{errc::out_of_memory, 0}});
        CHECK(whole.run().finished);
        CHECK(told.size() == 1);
        CHECK(whole.opened() == nullptr);
        CHECK(whole.how_it_ended().reason == errc::out_of_memory);
    };
    const bool is_server = GENERATE(true, false);
    std::optional<support::no_heap> none(std::in_place);
    if (is_server) {
        wsolo::server_connection<sink, silent_hook, told_handler, wsolo::in_the_loop, manual_traits> whole(
            sink{}, silent_hook{}, handler);
        none.reset();
        live(whole);
    } else {
        wsolo::client_connection<sink, silent_hook, told_handler, wsolo::client_side<>, wsolo::in_the_loop,
                                 manual_traits>
            whole(sink{}, silent_hook{}, handler, lean_request, fixed_nonce{});
        none.reset();
        live(whole);
    }
}

TEST_CASE("whichever allocation fails, a connection opens in its group or ends, and gives everything back",
          "[connection][memory]") {
    const bool is_server = GENERATE(true, false);
    bool ran_without_failure = false;
    for (long n = 0; n < 60; ++n) {
        std::string input = is_server
                                ? handshake_samples::rfc_request().text()
                                : handshake_samples::rfc_response().without("Sec-WebSocket-Protocol").text();
        const support::heap_counts before = support::heap_now();
        bool is_open = false, is_finished = false, is_member = false;
        errc joined = errc::none;
        const auto live = [&](auto& whole) {
            wsolo::basic_connection_group<manual_traits> everyone;
            joined = whole.join(everyone);
            static_cast<void>(whole.run());
            const wsolo::endpoint_wants wants = feed(whole, input);
            is_open = whole.opened() != nullptr && !wants.finished &&
                      whole.opened()->how_it_ended().reason == errc::none;
            is_member = everyone.size() == 1;
            is_finished = wants.finished || whole.abort().finished;
        };
        {
            const support::no_heap none(n);
            if (is_server) {
                lean_server whole(sink{}, silent_hook{}, silent_handler{});
                live(whole);
            } else {
                lean_client whole(sink{}, silent_hook{}, silent_handler{}, lean_request, fixed_nonce{});
                live(whole);
            }
        }
        const support::heap_counts after = support::heap_now(); // before Catch2 takes some
        INFO("after " << n << " allocations");
        CHECK(is_finished);
        CHECK(after.held == before.held);
        CHECK(is_member == (is_open && joined == errc::none));
        ran_without_failure = ran_without_failure || is_member;
        if (n == 0) CHECK_FALSE(is_open);
    }
    CHECK(ran_without_failure);
}

namespace {

/// Is given no memory until it stands where it stays: what was made before it has none.
struct late_handler {
    static inline std::optional<support::no_heap> none;
    int moves = 0;

    late_handler() = default;
    late_handler(late_handler&& from) noexcept : moves(from.moves + 1) {
        if (moves == 3) none.reset();
    }
    late_handler& operator=(late_handler&&) = delete;
    ~late_handler() = default;
    void on_message(auto&, const wsolo::message&) const noexcept {}
};

} // namespace

TEST_CASE("an endpoint without memory for its rates ends", "[endpoint][memory]") {
    using endpoint_type =
        wsolo::endpoint<sink, silent_hook, late_handler, server, wsolo::in_the_loop, manual_traits>;
    const bool has_rate = GENERATE(true, false);
    wsolo::endpoint_options options;
    options.rate.messages.per_second = has_rate ? 1 : 0;
    std::optional<endpoint_type> whole;
    late_handler::none.emplace();
    whole.emplace(sink{}, silent_hook{}, late_handler{}, options);
    late_handler::none.reset();
    CHECK((whole->how_it_ended().reason == errc::out_of_memory) == has_rate);
    CHECK(whole->run().finished == has_rate);
}

TEST_CASE("an endpoint without memory for its rules ends", "[endpoint][memory]") {
    using endpoint_type =
        wsolo::endpoint<sink, silent_hook, late_handler, server, wsolo::in_the_loop, manual_traits>;
    const bool has_rules = GENERATE(true, false); // of their own
    wsolo::endpoint_options options;
    if (has_rules) options.reading.max_message_size = 1;
    static_cast<void>(
        wsolo::shared_options(wsolo::endpoint_options())); // what the defaults need for good is there now
    std::optional<endpoint_type> whole;
    late_handler::none.emplace();
    whole.emplace(sink{}, silent_hook{}, late_handler{}, options);
    late_handler::none.reset();
    CHECK((whole->how_it_ended().reason == errc::out_of_memory) == has_rules);
    CHECK(whole->run().finished == has_rules);
}

TEST_CASE("endpoints of shared options take no memory for them", "[endpoint][memory]") {
    using endpoint_type = with_system_clock<wsolo::server_side>;
    const auto taken_with = [](const wsolo::endpoint_options& options) {
        const support::heap_counts before = support::heap_now();
        const endpoint_type whole(sink{}, silent_hook{}, silent_handler{}, options);
        return support::heap_now().held - before.held;
    };
    wsolo::endpoint_options options;
    options.max_unsent = 1000;
    const long by_default = taken_with({}), alone = taken_with(options);
    const auto shared = wsolo::shared_options(options);
    CHECK(taken_with(shared) == by_default);
    CHECK(alone == by_default + 1);
}

TEMPLATE_TEST_CASE("a Close that can't be kept is answered now", "[endpoint][memory]", server, client) {
    endpoint_fixture<TestType, counted_work> f;
    f.receive(f.text("unhandled"));
    REQUIRE(f.whole->send_text("its block has room for a Close") == errc::none);
    const std::string close = f.close_frame();
    static_cast<void>(receive_without_memory(f, close));
    f.run();
    REQUIRE(f.sent().size() == 2);
    CHECK(f.sent()[1] == std::pair<int, std::string>{close_op, "\x03\xe8"});
    f.whole->work();
    f.run();
    CHECK(f.end_of_input().finished);
    CHECK(f.log.endings.at(0).reason == errc::none);
}

TEST_CASE("kept input is not moved for the little that was read of it", "[endpoint][memory]") {
    wsolo::detail::kept_input kept;
    bool has_memory = kept.append(wsolo::bytes_of(std::string(1000, 'x')));
    has_memory = has_memory && kept.append(wsolo::bytes_of("x")); // which makes room for more
    kept.keep_last(900);
    const long before = support::heap_now().taken;
    has_memory = has_memory && kept.append(wsolo::bytes_of("x"));
    CHECK(support::heap_now().taken == before);
    CHECK(has_memory);
    CHECK(kept.size() == 901);
}

TEST_CASE("what was read of kept input does not pile up", "[endpoint][memory]") {
    wsolo::detail::kept_input kept;
    const std::string chunk(100, 'x');
    const long before = support::heap_now().bytes;
    bool has_memory = kept.append(wsolo::bytes_of("ab"));
    for (int i = 0; i < 1000 && has_memory; ++i) {
        has_memory = kept.append(wsolo::bytes_of(chunk));
        kept.keep_last(2); // it is never empty
    }
    const long most = support::heap_now().bytes - before;
    kept.keep_last(0);
    const long last = support::heap_now().bytes - before;
    CHECK(has_memory);
    CHECK(most < 1000);
    CHECK(last == 0);
}

TEST_CASE("whichever allocation of a group fails, its members are whole", "[endpoint][group][memory]") {
    for (long n = 0; n < 12; ++n) {
        const support::heap_counts before = support::heap_now();
        std::size_t accepted = 0, joined = 0;
        errc error = errc::none, closed = errc::none;
        bool no_frame = false;
        {
            std::optional<wsolo::basic_connection_group<manual_traits>> everyone;
            endpoint_fixture<server> first, second;
            {
                const support::no_heap none(n);
                everyone.emplace();
                for (auto* each : {&first, &second}) {
                    const errc answer = each->whole->join(*everyone);
                    joined += answer == errc::none ? 1U : 0U;
                    if (answer != errc::none) error = answer;
                }
                const auto sum = everyone->send_text("to all");
                accepted = sum.accepted;
                no_frame = sum.error == errc::out_of_memory;
                closed = everyone->close_all(wsolo::close_code::going_away, "", 1s);
            }
            INFO("after " << n << " allocations");
            CHECK((joined == 2) == (error == errc::none));
            if (joined < 2) CHECK(error == errc::out_of_memory);
            CHECK((accepted == joined || no_frame));
            CHECK(closed == errc::none);
            CHECK(everyone->size() == joined);
            first.run_until_quiet();
            second.run_until_quiet();
            first.whole.reset();
            second.whole.reset();
            CHECK(everyone->wait(manual_clock::now()) == errc::none);
        }
        const support::heap_counts after = support::heap_now();
        INFO("after " << n << " allocations");
        CHECK(after.held == before.held);
    }
}

#endif
