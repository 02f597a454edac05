// expect-error: no matching function
// Would catch: a server's frame that could leave masked.

#include <wsolo/frame/encode.hpp>

wsolo::result<wsolo::owned_frame> frame(wsolo::const_bytes payload, wsolo::random_keys& keys) {
#ifdef WSOLO_TWIN
    static_cast<void>(keys);
    return wsolo::make_frame<wsolo::role::server>(wsolo::opcode::text, payload);
#else
    return wsolo::make_frame<wsolo::role::server>(wsolo::opcode::text, payload, keys);
#endif
}
