// expect-error: no matching|too many initializers
// Would catch: a server's reader whose replies would leave masked, or a client's whose replies would not.

#include <wsolo/session/reader.hpp>

int main() {
#ifdef WSOLO_TWIN
    wsolo::basic_reader<wsolo::client_side<>> reader({}, wsolo::client_side<>(wsolo::random_keys()));
#else
    wsolo::basic_reader<wsolo::server_side> reader({}, wsolo::server_side(wsolo::random_keys()));
#endif
    return reader.open() ? 0 : 1;
}
