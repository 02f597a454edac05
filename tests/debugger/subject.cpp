// What check_printers.py prints, at the line that it stops at.

#include <wsolo/wsolo.hpp>

namespace {

struct nowhere {
    wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point) {
        return {wsolo::io_status::would_block};
    }
    void finish(wsolo::end_of_write) {}
};
struct no_loop {
    bool operator()() const { return true; }
};

} // namespace

// Not static, and told of their addresses: so that they are there.
extern "C" void stop_here(const void*, const void*, const void*, const void*, const void*) {}

int main() {
    wsolo::errc error = wsolo::errc::closed;
    wsolo::frame_header header{.op = wsolo::opcode::text, .masked = true, .payload_size = 5};
    header.key = {std::byte{1}, std::byte{0x20}, std::byte{3}, std::byte{0xff}};
    wsolo::frame_header plain{
        .fin = false, .rsv1 = true, .op = wsolo::opcode::binary, .payload_size = 1ULL << 40};
    wsolo::turn turn(wsolo::turn_state::gated);
    wsolo::single_writer out{nowhere{}, no_loop{}};
    static_cast<void>(out.send_text("stays"));
    static_cast<void>(out.pump());
    stop_here(&error, &header, &plain, &turn, &out);
}
