// expect-error: no matching function
// Would catch: a control reply to a span that does not say whether its bytes are still masked.

#include <wsolo/frame/control_reply.hpp>

wsolo::result<wsolo::control_frame> pong(wsolo::const_bytes payload) {
#ifdef WSOLO_TWIN
    return wsolo::make_control_reply<wsolo::role::server>(wsolo::opcode::ping,
                                                          wsolo::unmasked_bytes(payload));
#else
    return wsolo::make_control_reply<wsolo::role::server>(wsolo::opcode::ping, payload);
#endif
}
