// Would catch: a throw, a try, a dynamic_cast or a typeid anywhere in the library (built with -fno-exceptions
// -fno-rtti), and a room that only works when they are on.

#include <wsolo/wsolo.hpp>

#include <cstdio>

namespace {

bool buffer_grows() {
    wsolo::byte_buffer buffer;
    const bool appended = buffer.append(wsolo::bytes_of("solo"));
    return appended && wsolo::text_of(buffer.view()) == "solo";
}

bool errors_speak() {
    const wsolo::result<int> failed = wsolo::errc::closed;
    const std::error_code code = failed.error();
    return !failed && code.message() == wsolo::to_string(wsolo::errc::closed);
}

bool keys_differ() {
    wsolo::random_keys keys;
    return keys.next_key() != keys.next_key();
}

bool report(const char* name, bool passed) {
    if (!passed) std::printf("failed: %s\n", name);
    return passed;
}

} // namespace

int main() {
    bool passed = report("buffer_grows", buffer_grows());
    passed = report("errors_speak", errors_speak()) && passed;
    passed = report("keys_differ", keys_differ()) && passed;
    return passed ? 0 : 1;
}
