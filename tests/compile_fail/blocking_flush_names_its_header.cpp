// expect-error: flush\(deadline\) needs <wsolo/write/wait\.hpp>
// Would catch: a call that waits, made without the opt-in header, and a message that does not say which one it is.

#ifdef WSOLO_TWIN
#include <wsolo/write/wait.hpp>
#endif
#include <wsolo/write/single_writer.hpp>

struct transport {
    wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point) { return {}; }
    void finish(wsolo::end_of_write) {}
};

wsolo::errc flush(wsolo::single_writer<transport, void (*)()>& out) { return out.flush(wsolo::no_deadline); }
