#pragma once
// What the two programs of this folder are told on the command line.

#include <wsolo/deflate/options.hpp>

#include <cstdlib>
#include <string_view>

namespace compressed {

struct settings {
    std::uint16_t port = 0;
    std::size_t max_message = std::size_t{16} << 20;
    wsolo::deflate_options deflate{.min_size = 0};
};

inline constexpr const char* common_options =
    "[--mode shared|own|none] [--window BITS] [--min-size BYTES] [--max-message BYTES]";

/// Takes one option, or does not know it.
[[nodiscard]] inline bool take_option(settings& into, std::string_view name, std::string_view value) {
    const unsigned long number = std::strtoul(value.data(), nullptr, 10); // of argv: it ends by 0
    if (name == "--port") {
        into.port = static_cast<std::uint16_t>(number);
    } else if (name == "--max-message") {
        into.max_message = number;
    } else if (name == "--min-size") {
        into.deflate.min_size = static_cast<std::uint32_t>(number);
    } else if (name == "--window") {
        into.deflate.send_window_bits = into.deflate.receive_window_bits = static_cast<std::uint8_t>(number);
    } else if (name == "--mode" && value == "shared") {
        into.deflate.mode = wsolo::deflate_mode::shared_compressor;
    } else if (name == "--mode" && value == "own") {
        into.deflate.mode = wsolo::deflate_mode::own_stream;
    } else if (name == "--mode" && value == "none") {
        into.deflate.mode = wsolo::deflate_mode::no_takeover;
        into.deflate.receive_takeover = false;
    } else {
        return false;
    }
    return true;
}

} // namespace compressed
