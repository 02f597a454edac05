// Would catch: options that are copied for each connection after all, rules of other options than those that were given, default
// options that take memory, a copy that is counted once too often or too rarely, and an endpoint that reads without rules.

#include <support/catch.hpp>
#include <support/heap.hpp>

#include <wsolo/endpoint/server_connection.hpp>

#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using wsolo::endpoint_options;
using rules = wsolo::detail::shared_rules<endpoint_options>;

namespace {

endpoint_options special() {
    endpoint_options options;
    options.reading.max_message_size = 1000;
    options.reading.deliver = wsolo::delivery::fragments; // which an endpoint ignores
    options.max_unsent = 0;
    options.max_unsent_replies = 5;
    options.ending.close_timeout = 7s;
    return options;
}

} // namespace

TEST_CASE("rules are those of their options", "[endpoint][shared_rules]") {
    const rules made(special());
    REQUIRE(made);
    CHECK(made->reading.max_message_size == 1000);
    CHECK(made->reading.max_frame_size == UINT64_MAX);
    CHECK_FALSE(made->reading.by_fragments);
    CHECK(made->replies.bytes == SIZE_MAX);
    CHECK(made->replies.count == 5);
    CHECK(made->ending.close_timeout == 7s);
    CHECK_FALSE(rules());
    CHECK(rules::of_defaults()->reading.max_message_size == wsolo::default_max_message);
}

TEST_CASE("shared options are made ready once, whatever copies them", "[endpoint][shared_rules]") {
    const rules own(endpoint_options{}); // what the defaults need for good is there now
    const support::heap_counts before = support::heap_now();
    {
        const auto shared = wsolo::shared_options(special());
        const wsolo::server_options server =
            wsolo::shared_options(wsolo::server_options{{special(), 3s}, {}});
        const support::heap_counts made = support::heap_now();
        const endpoint_options copy = shared, other = copy;
        rules moved(copy.ready);
        rules taken(std::move(moved));
        taken = other.ready;
        taken = rules(taken);
        const bool is_same = taken.operator->() == shared.ready.operator->();
        const support::heap_counts after = support::heap_now(); // before Catch2 takes some
        CHECK(is_same);
        CHECK(after == made);
        CHECK(server.ready.operator->() != shared.ready.operator->());
        CHECK(server.handshake_timeout == 3s);
        if (WSOLO_TEST_COUNTS_HEAP) CHECK(made.held == before.held + 2);
    }
    const support::heap_counts last = support::heap_now();
    CHECK(last.held == before.held);
    const rules defaults{endpoint_options{}};
    const support::heap_counts with_defaults = support::heap_now();
    CHECK(with_defaults.taken == last.taken);
    CHECK(defaults.operator->() == own.operator->());
}

TEST_CASE("options that are changed after they were shared have rules of their own",
          "[endpoint][shared_rules]") {
    const auto shared = wsolo::shared_options(special());
    endpoint_options changed = shared;
    CHECK(rules(changed).operator->() == shared.ready.operator->());
    changed.max_unsent_replies = 6;
    const rules own(changed);
    CHECK(own->replies.count == 6);
    CHECK(own->reading.max_message_size == 1000);
    CHECK(shared.ready->replies.count == 5);
    changed = endpoint_options(shared);
    CHECK(wsolo::shared_options(changed).ready.operator->() == shared.ready.operator->());
}

TEST_CASE("threads copy and drop shared options", "[endpoint][shared_rules]") {
    const auto shared = wsolo::shared_options(special());
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([mine = shared] {
            for (int n = 0; n < 1000; ++n) {
                const endpoint_options copy = mine;
                WSOLO_ASSERT(copy.ready->replies.count == 5, "each copy has the same rules");
            }
        });
    for (auto& each : threads) each.join();
    CHECK(shared.ready->replies.count == 5);
}

#if WSOLO_TEST_COUNTS_HEAP
TEST_CASE("without memory shared options stay as they are", "[endpoint][shared_rules]") {
    const endpoint_options options = special();
    std::optional<endpoint_options> shared;
    {
        const support::no_heap none;
        shared = wsolo::shared_options(options);
    }
    CHECK_FALSE(shared->ready);
    CHECK(shared->max_unsent_replies == 5);
}
#endif

// Options may be constants of the program.
namespace {
constexpr wsolo::endpoint_options constant{.handle_quantum = 7};
static_assert(constant.handle_quantum == 7);
} // namespace
