// Would catch: a std::stop_token that is not heard, a caller's own token type that is not accepted,
// never_stop costing something.

#include <support/catch.hpp>

#include <wsolo/sync/stop_hook.hpp>
#include <wsolo/sync/stop_token.hpp>

#include <type_traits>

namespace {

/// The shape of C++26's stoppable_token, in the least words.
struct own_token {
    bool* requested;
    template <class Function>
    struct callback_type {
        callback_type(own_token token, Function function) {
            if (*token.requested) function();
        }
    };
    [[nodiscard]] bool stop_requested() const { return *requested; }
};

template <class Token>
int calls_at_once(const Token& token) {
    int calls = 0;
    const auto count = [&calls]() noexcept { ++calls; };
    [[maybe_unused]] const wsolo::stop_hook<Token, decltype(count)> hook(token, count);
    return calls;
}

} // namespace

static_assert(wsolo::stop_token_like<wsolo::never_stop>);
static_assert(wsolo::stop_token_like<own_token>);
static_assert(!wsolo::stop_token_like<int>);
static_assert(std::is_empty_v<wsolo::never_stop>);

TEST_CASE("a hook is called by its own kind of token", "[sync][stop_hook]") {
    CHECK(calls_at_once(wsolo::never_stop{}) == 0);
    bool requested = false;
    CHECK(calls_at_once(own_token{&requested}) == 0);
    requested = true;
    CHECK(calls_at_once(own_token{&requested}) == 1);
#if defined(__cpp_lib_jthread)
    std::stop_source source;
    CHECK(calls_at_once(source.get_token()) == 0);
    source.request_stop();
    CHECK(calls_at_once(source.get_token()) == 1);
    CHECK(calls_at_once(std::stop_token{}) == 0);
#endif
}
