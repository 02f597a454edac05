// expect-error: no matching function
// Would catch: a client's frame that could leave unmasked.

#include <wsolo/frame/encode.hpp>

wsolo::result<wsolo::owned_frame> frame(wsolo::const_bytes payload, wsolo::random_keys& keys) {
#ifdef WSOLO_TWIN
    return wsolo::make_frame<wsolo::role::client>(wsolo::opcode::text, payload, keys);
#else
    static_cast<void>(keys);
    return wsolo::make_frame<wsolo::role::client>(wsolo::opcode::text, payload);
#endif
}
