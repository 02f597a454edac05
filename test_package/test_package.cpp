// Would catch: a package without its headers, with those of another version, or that needs a flag which it does not bring.
// A client's frame is written by a single_writer and read by a server's reader.

#include <wsolo/adapt/posix.hpp>
#include <wsolo/wsolo.hpp>

#include <string>
#include <vector>

namespace {

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

bool passes_from_writer_to_reader(const std::string& text) {
    std::vector<std::byte> wire;
    wsolo::single_writer out{memory{&wire}, no_loop{}, wsolo::writer_options{}, wsolo::client_side<>{}};
    if (out.send_text(text) != wsolo::errc::none) return false;
    static_cast<void>(out.pump());
    wsolo::server_reader in;
    for (const auto& event : in.read(wire)) return event.is_text() && event.copy_text() == text;
    return false;
}

} // namespace

int main() {
    const std::string version = std::to_string(wsolo::version_major) + "." +
                                std::to_string(wsolo::version_minor) + "." +
                                std::to_string(wsolo::version_patch);
    return version == EXPECTED_VERSION && passes_from_writer_to_reader("hello from a package") ? 0 : 1;
}
