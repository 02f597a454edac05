// Would catch: an endpoint whose members end in an order in which a later one's end still uses an earlier one, seen where the end
// of its messages is left to its destructor: a turn was asked for that never came; a loop that has to wait in order to destroy one.

#include <support/endpoint_fixture.hpp>

namespace {

int used_after_end = 0;

/// Belongs to an atomic, and counts uses after its end. Its memory is still the endpoint's then.
class mortal {
public:
    mortal() = default;
    mortal(const mortal&) = delete;
    mortal& operator=(const mortal&) = delete;
    ~mortal() { life_ = ended; }
    void use() const noexcept { used_after_end += life_ == ended; }

private:
    static constexpr unsigned alive = 0xA11FE, ended = 0xDEAD;
    volatile unsigned life_ = alive; // volatile: what is written last is read by others
};

struct mortal_traits : manual_traits {
    template <class T>
    using atomic = wsolo::detail::plain_atomic<T, mortal>;
};

template <class Side, class Work>
void destroy_with_a_turn_owed(bool aborts) {
    endpoint_fixture<Side, Work> frames; // makes them
    endpoint_log log;
    wsolo::testing::scripted_wire wire;
    used_after_end = 0;
    {
        wsolo::endpoint_options options = endpoint_fixture<Side>::quiet();
        options.handle_quantum = 1;
        Work work{};
        if constexpr (requires { work.log; }) work.log = &log;
        wsolo::endpoint<wsolo::testing::scripted_transport, counted_schedule, logging_handler, Side, Work,
                        mortal_traits>
            whole(wsolo::testing::scripted_transport(wire), counted_schedule{&log}, logging_handler{&log},
                  options, Side{}, work);
        std::string bytes = frames.text("1") + frames.text("2") + frames.text("3");
        static_cast<void>(whole.receive(std::as_writable_bytes(std::span(bytes))));
        CHECK(log.messages.size() < 3);
        if (aborts) whole.abort();
    }
    CHECK(used_after_end == 0);
}

} // namespace

TEMPLATE_TEST_CASE("an endpoint that goes while a turn is owed uses no part that has gone", "[endpoint]",
                   server, client) {
    const bool aborts = GENERATE(false, true);
    destroy_with_a_turn_owed<TestType, counted_work>(aborts);
    destroy_with_a_turn_owed<TestType, wsolo::in_the_loop>(aborts);
}

TEMPLATE_TEST_CASE("let_go() gives out no guard any more, and says when none is left", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType> f;
    const auto handle = f.whole->handle();
    {
        const auto in_use = handle.try_use();
        REQUIRE(in_use);
        CHECK_FALSE(f.whole->let_go());
        CHECK_FALSE(handle.try_use());
        CHECK_FALSE(f.whole->let_go());
    }
    CHECK(f.whole->let_go());
    CHECK(f.whole->let_go());
    CHECK(handle.is_expired());
}
