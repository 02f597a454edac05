#include "options.hpp"

#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace echo {
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
    if (name == "--max-message") return read_number(value, into.max_message);
    if (name == "--max-fragments") return read_number(value, into.max_fragments);
    if (name == "--max-unsent") return read_number(value, into.max_unsent);
    if (name == "--handshake-timeout-ms") return read_time(value, into.handshake_timeout);
    if (name == "--write-timeout-ms") return read_time(value, into.write_timeout);
    if (name == "--close-timeout-ms") return read_time(value, into.close_timeout);
    if (name == "--ping-interval-ms") return read_time(value, into.ping_interval);
    if (name == "--threads") return read_number(value, into.threads) && into.threads <= 64;
    if (name == "--broadcast-ms") return read_time(value, into.broadcast_interval);
    if (name == "--close-one-ms") return read_time(value, into.close_one_interval);
    return false;
}

} // namespace

bool parse_options(int count, char** arguments, options& into) {
    for (int i = 1; i < count; ++i) {
        if (arguments[i] == std::string_view("--report")) {
            into.report_each = true;
        } else if (i + 1 < count && read_option(arguments[i], arguments[i + 1], into)) {
            ++i;
        } else {
            std::fputs("options: --report --port N --max-message BYTES --max-fragments N --max-unsent BYTES\n"
                       "         --threads N --broadcast-ms N --close-one-ms N\n"
                       "         --ping-interval-ms N --handshake-timeout-ms N --write-timeout-ms N "
                       "--close-timeout-ms N\n",
                       stderr);
            return false;
        }
    }
    return true;
}

} // namespace echo
