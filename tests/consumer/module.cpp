// Would catch: a module that lacks a name, or that does not link: a frame from a writer to a reader, by `import` alone.

#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

import wsolo;

struct memory {
    std::vector<std::byte>* wire;

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
        std::size_t size = 0;
        for (const wsolo::const_bytes part : parts) {
            wire->insert(wire->end(), part.begin(), part.end());
            size += part.size();
        }
        return {wsolo::io_status::ok, size};
    }
    void finish(wsolo::end_of_write) {}
};
struct no_loop {
    bool operator()() const { return true; }
};

int main() {
    std::vector<std::byte> wire;
    wsolo::single_writer out{memory{&wire}, no_loop{}, wsolo::writer_options{}, wsolo::client_side<>{}};
    if (out.send_text("hello from a module") != wsolo::errc::none) return 1;
    static_cast<void>(out.pump());
    wsolo::server_reader in;
    for (const auto& event : in.read(wire))
        return event.is_text() && event.text() == "hello from a module" ? 0 : 2;
    return 3;
}
