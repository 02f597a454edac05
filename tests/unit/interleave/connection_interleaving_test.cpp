// A connection over a transport whose writes end in a thread of their own, in every schedule within a bound: the loop comes
// for another reason while the completion of the 101 calls the hook. Would catch: a hook, or a handler, that is moved into
// the endpoint while a thread runs it, an opening that goes under its completion, a 101 that wakes no loop.

#include <support/catch.hpp>
#include <support/handshake.hpp>
#include <support/interleave/verdict.hpp>
#include <support/interleave_writer.hpp>

#include <wsolo/endpoint/server_connection.hpp>

#include <optional>

using namespace checked;
using interleave::explore;
using interleave::outcomes;
using interleave::passes;
using interleave::scenario;

namespace {

/// Takes one write, and ends it in a thread of its own.
struct device {
    std::size_t taken = 0;
    std::size_t offered = 0;
    wsolo::write_done done;
    interleave::atomic<int> started{0};

    void run_one() {
        while (started.load() == 0) interleave::traits::pause();
        started.store(0);
        taken += offered;
        const wsolo::io_result how{wsolo::io_status::ok, offered, 0};
        std::exchange(done, {})(how);
    }
};

struct stream {
    device* to;
    void start_write(std::span<const wsolo::const_bytes> parts, wsolo::time_point, wsolo::write_done done) {
        to->offered = 0;
        for (const wsolo::const_bytes part : parts) to->offered += part.size();
        to->done = std::move(done);
        to->started.store(1);
    }
    void cancel_write() {}
    void finish(wsolo::end_of_write) {}
    void end_output() {}
    void disconnect() {}
};

/// A hook that owns something, as one that holds an executor does: plain memory, which a move takes away.
struct owning_hook {
    explicit owning_hook(bell* rings) : to(rings) {}
    owning_hook(owning_hook&& other) noexcept : to(std::exchange(other.to, nullptr)) {}
    owning_hook& operator=(owning_hook&&) = delete;
    bool operator()() const {
        check(to != nullptr, "a hook that was moved away is called");
        to->rung.fetch_add(1);
        check(to != nullptr, "the hook is moved while it runs");
        return true;
    }
    bell* to;
};

struct handler {
    void on_message(auto&, const wsolo::message&) const {}
};

struct room {
    device wire;
    bell loop;
    using connection =
        wsolo::server_connection<stream, owning_hook, handler, wsolo::in_the_loop, interleave::traits>;
    std::optional<connection> whole;

    room() { whole.emplace(stream{&wire}, owning_hook(&loop), handler{}); }

    void serve(std::string input) {
        static_cast<void>(whole->receive(std::as_writable_bytes(std::span(input))));
        static_cast<void>(whole->run()); // a timer, say
        while (whole->opened() == nullptr) {
            loop.wait();
            static_cast<void>(whole->run());
        }
        check(whole->abort().finished, "nothing is in flight");
        whole.reset();
    }
};

void opens_beside(scenario& stage, outcomes& sizes) {
    static const std::string request = handshake_samples::rfc_request().text();
    auto& m = stage.make<room>("room");
    stage.thread("loop", [&m] { m.serve(request); });
    stage.thread("device", [&m] { m.wire.run_one(); });
    stage.finally([&] {
        check(m.wire.taken > 100, "the 101 has left");
        sizes.insert(0);
    });
}

} // namespace

TEST_CASE("the loop opens the connection beside the completion of its 101", "[connection]") {
    outcomes seen;
    const auto run = [&](scenario& stage) { opens_beside(stage, seen); };
    CHECK(passes(explore({.preemptions = 2, .deviations = 0, .clock_steps = 0}, run)));
    CHECK(seen == outcomes{0});
}
