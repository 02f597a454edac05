// expect-error: deleted
// Would catch: a byte_buffer that can be copied by accident; both copies would free the same memory.

#include <wsolo/core/byte_buffer.hpp>

#include <utility>

int main() {
    wsolo::byte_buffer from;
#ifdef WSOLO_TWIN
    wsolo::byte_buffer to = std::move(from);
#else
    wsolo::byte_buffer to = from;
#endif
    return to.empty() ? 0 : 1;
}
