#include "options.hpp"

#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace relay {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& into) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc() && end == text.data() + text.size();
}

bool read_time(std::string_view text, std::chrono::milliseconds& into) {
    std::uint32_t count = 0;
    if (!read_number(text, count)) return false;
    into = std::chrono::milliseconds(count);
    return true;
}

bool read_option(std::string_view name, std::string_view value, options& into) {
    if (name == "--port") return read_number(value, into.port);
    if (name == "--workers") return read_number(value, into.workers) && into.workers <= max_workers;
    if (name == "--messages") return read_number(value, into.messages);
    if (name == "--burst") return read_number(value, into.burst) && into.burst > 0;
    if (name == "--pace-ms") return read_time(value, into.pace);
    if (name == "--handshake-timeout-ms") return read_time(value, into.handshake_timeout);
    if (name == "--write-timeout-ms") return read_time(value, into.write_timeout);
    if (name == "--drain-timeout-ms") return read_time(value, into.drain_timeout);
    if (name == "--linger-ms") return read_time(value, into.linger);
    if (name == "--max-queue") return read_number(value, into.max_queue);
    return false;
}

void print_usage() {
    std::fputs("options: --port N --workers N --messages N --burst N --pace-ms N --max-queue BYTES\n"
               "         --handshake-timeout-ms N --write-timeout-ms N --drain-timeout-ms N --linger-ms N\n",
               stderr);
}

} // namespace

bool parse_options(int count, char** arguments, options& into) {
    for (int i = 1; i < count; i += 2) {
        if (i + 1 < count && read_option(arguments[i], arguments[i + 1], into)) continue;
        print_usage();
        return false;
    }
    return true;
}

} // namespace relay
