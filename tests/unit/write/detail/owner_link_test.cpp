// Would catch: a writer that looks at options that are gone, or that keeps what its owner keeps already.

#include <support/writer_fixture.hpp>

namespace {

struct plain_hook {
    int* calls;
    void operator()() const { ++*calls; }
};
struct owners_hook {
    const wsolo::detail::writer_rules* of_all;
    void operator()() const {}
    [[nodiscard]] const wsolo::detail::writer_rules& rules() const noexcept { return *of_all; }
};
struct socket {
    int descriptor = -1;
    wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point) { return {}; }
    void finish(wsolo::end_of_write) {}
};
using lone = wsolo::single_writer<socket, plain_hook>;
using owned = wsolo::single_writer<socket, owners_hook>;

} // namespace

TEST_CASE("a writer asks its owner's hook for the rules, and keeps a copy where that has none",
          "[write][owner_link]") {
    wsolo::writer_options options;
    options.limits.max_message = 10;
    const wsolo::detail::writer_rules ten(options);
    options.limits.max_message = 20;
    int calls = 0;
    lone twenty(socket{}, plain_hook{&calls}, options);
    owned other(socket{}, owners_hook{&ten}, options); // the hook's count
    options.limits.max_message = 30;                   // nothing looks at these any more
    CHECK(twenty.send_text(std::string(20, 'x')) == errc::none);
    CHECK(twenty.send_text(std::string(21, 'x')) == errc::too_large);
    CHECK(other.send_text(std::string(10, 'x')) == errc::none);
    CHECK(other.send_text(std::string(11, 'x')) == errc::too_large);
    CHECK(calls == 1);
    const std::size_t owned_size = sizeof(owned), lone_size = sizeof(lone); // so that a mutant builds
    CHECK(owned_size <= 80);
    CHECK(lone_size == owned_size + sizeof(wsolo::detail::writer_rules));
}
