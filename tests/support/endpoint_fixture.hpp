#pragma once
// An endpoint on a scripted wire and a clock that the test moves; its peer's frames are made by hand.

#include <support/writer_fixture.hpp>

#include <wsolo/endpoint/endpoint.hpp>

/// What a test wants of its handler, and what the handler saw.
struct endpoint_log {
    std::function<errc(const wsolo::message&)> on_message = [](const auto&) { return errc::none; };
    std::vector<std::string> messages;
    std::vector<bool> beats;          ///< whether the window rolled
    std::vector<std::string> refused; ///< messages that found the inbox full
    std::vector<wsolo::ending> endings;
    int scheduled = 0;
    int work_asked = 0;
    bool refuse = false;
    bool refuse_work = false;
    /// Stand for a loop and a pool in other threads that come at once, within the hooks.
    std::function<void()> on_scheduled = [] {};
    std::function<void()> on_work_asked = [] {};
};

struct logging_handler {
    endpoint_log* log = nullptr;
    errc on_message(auto&, const wsolo::message& received) const {
        log->messages.emplace_back(received.text());
        return log->on_message(received);
    }
    void on_refused(auto&, const wsolo::message& received) const {
        log->refused.emplace_back(received.text());
    }
    void on_beat(auto&, bool rolled) const { log->beats.push_back(rolled); }
    void on_finished(auto&, const wsolo::ending& how) const { log->endings.push_back(how); }
};

struct counted_schedule {
    endpoint_log* log;
    bool operator()() const {
        ++log->scheduled;
        if (log->refuse) return false;
        log->on_scheduled();
        return true;
    }
};

/// A `Work` that leaves it to the test to call work().
struct counted_work {
    endpoint_log* log = nullptr;
    bool operator()(const auto&) const {
        ++log->work_asked;
        if (log->refuse_work) return false;
        log->on_work_asked();
        return true;
    }
};

template <class Side, class Work = wsolo::in_the_loop, class Handler = logging_handler>
struct endpoint_fixture {
    using endpoint_type = wsolo::endpoint<wsolo::testing::scripted_transport, counted_schedule, Handler, Side,
                                          Work, manual_traits>;
    static constexpr wsolo::role peer = wsolo::peer_of(Side::self);

    /// No PINGs unless the test asks for them.
    static wsolo::endpoint_options quiet() {
        wsolo::endpoint_options options;
        options.beating.ping_interval = 0ms;
        return options;
    }

    explicit endpoint_fixture(const wsolo::endpoint_options& options = quiet()) {
        Work work{};
        if constexpr (requires { work.log; }) work.log = &log;
        Handler handler{};
        if constexpr (requires { handler.log; }) handler.log = &log;
        whole.emplace(wsolo::testing::scripted_transport(wire), counted_schedule{&log}, std::move(handler),
                      options, Side{}, work);
    }

    std::string frame(wsolo::frame_spec spec, std::string_view payload) {
        std::string bytes;
        if constexpr (peer == wsolo::role::client) {
            CHECK(wsolo::append_frame<peer>(bytes, spec, wsolo::bytes_of(payload), keys) == errc::none);
        } else {
            CHECK(wsolo::append_frame<peer>(bytes, spec, wsolo::bytes_of(payload)) == errc::none);
        }
        return bytes;
    }
    std::string text(std::string_view payload) { return frame(wsolo::opcode::text, payload); }
    std::string close_frame(std::string_view body = "\x03\xe8") { return frame(wsolo::opcode::close, body); }

    const wsolo::endpoint_wants& receive(std::string bytes) {
        wants = whole->receive(std::as_writable_bytes(std::span(bytes)));
        return wants;
    }
    const wsolo::endpoint_wants& run() { return wants = whole->run(); }
    const wsolo::endpoint_wants& end_of_input(errc why = errc::none) {
        return wants = whole->end_of_input(why);
    }

    /// What a loop does for so long: it comes at each deadline.
    const wsolo::endpoint_wants& live_for(wsolo::duration span) {
        const wsolo::time_point last = manual_clock::now() + span;
        while (!wants.finished && wants.deadline <= last) {
            if (wants.deadline > manual_clock::now())
                manual_clock::advance(wants.deadline - manual_clock::now());
            run();
        }
        if (manual_clock::now() < last) manual_clock::advance(last - manual_clock::now());
        return wants;
    }

    /// What a loop does: as long as the hook asks.
    void run_until_quiet() {
        while (std::exchange(log.scheduled, 0) != 0) run();
    }

    /// What is on the wire: opcode and payload of each frame. It parses without error.
    std::vector<std::pair<int, std::string>> sent() const {
        const strict::stream all = strict::parse(wire.bytes(), wsolo::masks(Side::self));
        CHECK(all.error == "");
        CHECK(all.rest == 0);
        std::vector<std::pair<int, std::string>> found;
        for (const strict::frame& each : all.frames) found.emplace_back(each.opcode, each.payload);
        return found;
    }

    /// The same without the payload of the endpoint's own PINGs.
    std::vector<std::pair<int, std::string>> sent_with_plain_pings() const {
        auto found = sent();
        for (auto& [op, payload] : found)
            if (op == 9) payload.clear();
        return found;
    }

    /// A loop in another thread that comes whenever the hook asks, at once.
    void loop_at_once() {
        log.on_scheduled = [this] { run(); };
    }

    wsolo::testing::scripted_wire wire;
    test_keys keys;
    endpoint_log log;
    wsolo::endpoint_wants wants;
    std::optional<endpoint_type> whole;
};

using sent_frames = std::vector<std::pair<int, std::string>>;
