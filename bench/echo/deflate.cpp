// wsolo over adapt/poll, with compression: `--deflate shared|shared_trimmed|own|own_12_5|none`.

#include "server.hpp"

#include <wsolo/adapt/poll.hpp>
#include <wsolo/adapt/zlib.hpp>

#include <string_view>

namespace {

struct echo_compressed {
    wsolo::adapt::zlib::permessage_deflate compression;
    bool trims;

    wsolo::errc on_message(auto& ws, const wsolo::message& got) {
        const wsolo::errc answer = ws.send(got);
        if (trims) compression.receiving().trim(); // this thread reads, and is between messages
        return answer;
    }
};

wsolo::deflate_options options_of(std::string_view mode) {
    wsolo::deflate_options options{.min_size = 0};
    if (mode == "own") {
        options.mode = wsolo::deflate_mode::own_stream;
    } else if (mode == "own_12_5") {
        options.mode = wsolo::deflate_mode::own_stream;
        options.memory_level = 5;
        options.send_window_bits = options.receive_window_bits = 12;
    } else if (mode == "none") {
        options.mode = wsolo::deflate_mode::no_takeover;
        options.receive_takeover = false;
    } else {
        echo::must(mode == "shared" || mode == "shared_trimmed", "--deflate: no such mode");
    }
    return options;
}

} // namespace

int main(int count, char** given) {
    const echo::arguments told(count, given);
    const std::string_view mode = told.deflate.empty() ? "shared" : told.deflate;
    const wsolo::deflate_options options = options_of(mode);
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    const auto make = [&] {
        return echo_compressed{wsolo::adapt::zlib::permessage_deflate(options), mode == "shared_trimmed"};
    };
    if (loop.accept(echo::listen_somewhere(), everyone, make) != wsolo::errc::none) return 1;
    loop.run();
    return 0;
}
