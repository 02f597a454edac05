// expect-error: could not convert|no viable conversion|no known conversion|cannot convert
// Would catch: a payload that is still masked handed to what expects it in clear.

#include <wsolo/frame/control_reply.hpp>

wsolo::result<wsolo::close_body> read(wsolo::const_bytes bytes, wsolo::masking_key key) {
    const wsolo::masked_bytes masked(bytes, key);
#ifdef WSOLO_TWIN
    static_cast<void>(masked);
    return wsolo::parse_close_body(wsolo::unmasked_bytes(bytes));
#else
    return wsolo::parse_close_body(masked);
#endif
}
