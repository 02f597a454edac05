// An echo client that compresses (permessage-deflate): it sends back every message, until the server closes.
//
//     compressed_client [--mode shared|own|none] [--window BITS] [--min-size BYTES] [--max-message BYTES] [--bare yes]
//                       ws://HOST[:PORT][/PATH]
//
// --bare yes offers "permessage-deflate" without a parameter, if the mode and the window allow it: some servers know no other.

#include "../client/dial.hpp"
#include "../client/url.hpp"
#include "settings.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/adapt/zlib.hpp>
#include <wsolo/endpoint/client_connection.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <utility>

namespace {

struct mark_due {
    bool* is_due;
    void operator()() const noexcept { *is_due = true; }
};

struct echo {
    wsolo::adapt::zlib::permessage_deflate compression;
    wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

int poll_timeout(wsolo::time_point until) {
    if (until == wsolo::no_deadline) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<long long>(left.count(), 0, 60'000));
}

wsolo::client_options options_of(const compressed::settings& told) {
    wsolo::client_options options;
    options.reading.max_message_size = told.max_message;
    options.writing.limits.max_message = 0; // what it echoes is bounded by what it reads
    options.writing.limits.max_bytes = 4 * told.max_message;
    options.max_unsent = 2 * told.max_message;
    return options;
}

int talk(const client::url& to, const compressed::settings& told) {
    const client::descriptor socket =
        client::dial(to, std::chrono::steady_clock::now() + std::chrono::seconds(10));
    bool is_due = false;
    wsolo::client_connection<wsolo::adapt::posix_socket, mark_due, echo> connection(
        wsolo::adapt::posix_socket(socket.get()), mark_due{&is_due},
        echo{wsolo::adapt::zlib::permessage_deflate(told.deflate)},
        {.host = to.authority, .target = to.target}, options_of(told));
    wsolo::byte_buffer buffer;
    if (buffer.extend(64 * 1024) == nullptr) throw std::bad_alloc();
    wsolo::endpoint_wants wants = connection.run();
    while (!wants.finished) {
        if (std::exchange(is_due, false)) {
            wants = connection.run();
            continue;
        }
        // While neither is wanted, don't look for a hang-up.
        pollfd watched{wants.read || wants.write ? socket.get() : -1, 0, 0};
        watched.events = static_cast<short>((wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0));
        const int happened = ::poll(&watched, 1, poll_timeout(wants.deadline));
        constexpr int broken = POLLERR | POLLHUP; // recv and send say how
        if (wants.read && (watched.revents & (POLLIN | broken)) != 0) {
            const ssize_t count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
            if (count > 0) {
                wants = connection.receive(buffer.view().first(static_cast<std::size_t>(count)));
            } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
                wants =
                    connection.end_of_input(count == 0 ? wsolo::errc::none : wsolo::errc::connection_lost);
            }
        }
        if (happened <= 0 || (wants.write && (watched.revents & (POLLOUT | broken)) != 0))
            wants = connection.run();
    }
    const wsolo::ending ended = connection.how_it_ended();
    if (ended.reason == wsolo::errc::none) return 0;
    std::fprintf(stderr, "compressed_client: %s (HTTP %d, status code %u)\n",
                 std::string(to_string(ended.reason)).c_str(), connection.status(),
                 static_cast<unsigned>(ended.code));
    return 1;
}

} // namespace

int main(int count, char** given) {
    compressed::settings told;
    std::optional<client::url> to;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = given[i];
        if (!word.starts_with("--")) {
            to = client::parse_url(word);
        } else if (++i == count) {
            to.reset();
        } else if (word == "--bare" && std::string_view(given[i]) == "yes") {
            told.deflate.offer_client_window_bits = false;
        } else if (!compressed::take_option(told, word, given[i])) {
            to.reset();
            break;
        }
    }
    if (!to) {
        std::fprintf(stderr, "usage: compressed_client [--bare yes] %s ws://HOST[:PORT][/PATH]\n",
                     compressed::common_options);
        return 2;
    }
    try {
        return talk(*to, told);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "compressed_client: %s\n", error.what());
        return 1;
    }
}
