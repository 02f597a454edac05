// expect-error: on_finished
// Would catch: an observer whose misspelt function is taken for one that does not care, and is never called.

#include <wsolo/write/single_writer.hpp>

struct transport {
    wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point) { return {}; }
    void finish(wsolo::end_of_write) {}
};

struct observer {
#ifdef WSOLO_TWIN
    void on_finished(const wsolo::drain_report&) {}
#else
    void on_finish(const wsolo::drain_report&) {}
#endif
    void on_high_water() {}
    void on_low_water() {}
};

using writer = wsolo::single_writer<transport, void (*)(), wsolo::server_side, observer>;

bool finished(const writer& out) { return out.is_finished(); }
