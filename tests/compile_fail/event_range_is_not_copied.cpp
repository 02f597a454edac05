// expect-error: deleted
// Would catch: two ranges over one read(), each of which would hand out the other's events.

#include <wsolo/session/reader.hpp>

int main() {
    wsolo::server_reader in;
    auto events = in.read(wsolo::mutable_bytes());
#ifdef WSOLO_TWIN
    auto& same = events;
#else
    auto same = events;
#endif
    return same.begin() == same.end() ? 0 : 1;
}
