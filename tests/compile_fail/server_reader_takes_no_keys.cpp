// expect-error: a client's replies are masked and need a key source
// Would catch: a server's reader whose replies would leave masked, or a client's whose replies would not.

#include <wsolo/session/reader.hpp>

int main() {
#ifdef WSOLO_TWIN
    wsolo::basic_reader<wsolo::role::client, wsolo::random_keys> reader;
#else
    wsolo::basic_reader<wsolo::role::server, wsolo::random_keys> reader;
#endif
    return reader.open() ? 0 : 1;
}
