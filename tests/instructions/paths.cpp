// A dozen hot paths, each a thousand times, between marks that callgrind understands: instructions are the same in every run,
// whatever else the machine does. run.py compares them with the table.
//
// Sizes stay at 1 KiB and below: above it libc's copies differ from processor to processor.

#include "cut_off.hpp"

#include <wsolo/wsolo.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <valgrind/callgrind.h>
#include <vector>

namespace {

using wsolo::errc;
using wsolo::role;

constexpr int rounds = 1000;

void must(bool succeeded) {
    if (!succeeded) std::abort();
}

/// Runs `once`, which does `each` of what is counted, and marks what `rounds` of these took.
template <class Once>
void measure(const char* name, int each, Once once) {
    for (int i = 0; i < 64; ++i) once(); // memory is there, tables are set up
    CALLGRIND_ZERO_STATS;
    for (int i = 0; i < rounds; ++i) once();
    CALLGRIND_DUMP_STATS_AT(name);
    std::printf("%s %d\n", name, rounds * each);
}

/// Takes everything, at once, as a socket does.
struct sink {
    static constexpr bool never_waits = true;
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) const {
        std::size_t bytes = 0;
        for (const wsolo::const_bytes part : parts) bytes += part.size();
        return {wsolo::io_status::ok, bytes};
    }
    void finish(wsolo::end_of_write) const {}
    void end_output() const {}
    void disconnect() const {}
};
struct no_hook {
    void operator()() const {}
};
struct lent {
    errc on_message(auto& ws, const wsolo::message& got) const { return ws.send(got); }
};
struct kept {
    errc on_message(auto& ws, wsolo::message&& got) const { return ws.send(got); }
};

/// What a client sends, and the read buffer that it comes to. The keys are known, and none has a byte of 0.
class input {
public:
    input(std::size_t size, int messages) {
        const std::string payload(size, 'm');
        for (int i = 0; i < messages; ++i) {
            wsolo::one_key key(
                wsolo::masking_key{{std::byte{0x11}, std::byte{0x95}, std::byte{0x33}, std::byte{0xe7}}});
            must(wsolo::append_frame<role::client>(wire_, wsolo::opcode::text, wsolo::bytes_of(payload),
                                                   key) == errc::none);
        }
        buffer_.resize(wire_.size());
    }
    wsolo::mutable_bytes read() {
        std::memcpy(buffer_.data(), wire_.data(), wire_.size());
        return buffer_;
    }

private:
    std::string wire_;
    std::vector<std::byte> buffer_;
};

void frames() {
    std::vector<std::byte> room(2048);
    const std::string small(13, 's'), large(1024, 'l');
    const auto encode = [&](const std::string& payload) {
        must(wsolo::encode_frame<role::server>(room, wsolo::opcode::text, wsolo::bytes_of(payload))
                 .has_value());
    };
    wsolo::random_keys keys;
    const auto encode_masked = [&](const std::string& payload) {
        must(wsolo::encode_frame<role::client>(room, wsolo::opcode::text, wsolo::bytes_of(payload), keys)
                 .has_value());
    };
    measure("encode_server_13", 1, [&] { encode(small); });
    measure("encode_client_13", 1, [&] { encode_masked(small); });
    measure("encode_client_1024", 1, [&] { encode_masked(large); });
    std::string mixed;
    while (mixed.size() < 1000)
        mixed += "Gr\xc3\xbc\xc3\x9f"
                 "e \xd0\xbc\xd0\xb8\xd1\x80 \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x99\x82 ";
    measure("utf8_ascii_1024", 1, [&] { must(wsolo::is_valid_utf8(wsolo::bytes_of(large))); });
    measure("utf8_mixed_1000", 1, [&] { must(wsolo::is_valid_utf8(wsolo::bytes_of(mixed))); });
}

void reading() {
    for (const auto& [name, size, messages] :
         {std::tuple{"read_13", 13, 16}, std::tuple{"read_1024", 1024, 1}}) {
        input from(static_cast<std::size_t>(size), messages);
        wsolo::server_reader in;
        measure(name, messages, [&, many = messages] {
            int seen = 0;
            for (const wsolo::event& each : in.read(from.read())) seen += each.is_message() ? 1 : 0;
            must(seen == many);
        });
    }
}

void writing() {
    wsolo::single_writer out(sink{}, no_hook{});
    const std::string small(13, 's'), large(1024, 'l');
    const auto send = [&](const std::string& payload) {
        must(out.send_text(payload) == errc::none);
        must(out.pump().status == wsolo::pump_status::idle);
    };
    measure("send_13", 1, [&] { send(small); });
    measure("send_1024", 1, [&] { send(large); });
    measure("send_13_of_16", 16, [&] {
        for (int i = 0; i < 16; ++i) must(out.send_text(small) == errc::none);
        must(out.pump().status == wsolo::pump_status::idle);
    });
}

template <class Handler>
void echo(const char* name, std::size_t size, int messages) {
    wsolo::endpoint<sink, no_hook, Handler> whole(sink{}, no_hook{}, Handler{});
    input from(size, messages);
    measure(name, messages, [&] { must(whole.receive(from.read()).read); });
}

void broadcast() {
    using member = wsolo::endpoint<sink, no_hook, kept>;
    constexpr int many = 64;
    wsolo::connection_group everyone;
    std::vector<std::unique_ptr<member>> all;
    for (int i = 0; i < many; ++i) {
        all.push_back(std::make_unique<member>(sink{}, no_hook{}, kept{}));
        must(all.back()->join(everyone) == errc::none);
    }
    const std::string text(64, 't');
    measure("broadcast_64", many, [&] {
        must(everyone.send_text(text).accepted == many);
        for (const auto& each : all) must(each->run().read);
    });
}

void handshake() {
    constexpr std::string_view request =
        "GET /ws HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n";
    std::string bytes;
    measure("open_and_drop", 1, [&] {
        wsolo::server_connection<sink, no_hook, kept> fresh(sink{}, no_hook{}, kept{});
        bytes = request;
        must(fresh.receive(std::as_writable_bytes(std::span(bytes))).read && fresh.opened() != nullptr);
    });
}

} // namespace

int main() {
    frames();
    reading();
    writing();
    echo<lent>("echo_13_lent", 13, 1);
    echo<kept>("echo_13_kept", 13, 1);
    echo<lent>("echo_13_lent_of_16", 13, 16);
    echo<lent>("echo_1024_lent", 1024, 1);
    broadcast();
    handshake();
    cut_off_owed();
}
