// A connection as a server might have one.

#include <wsolo/adapt/posix.hpp>
#include <wsolo/wsolo.hpp>

#include <algorithm>

struct connection {
    void watch_writable(bool on);
    void call_me_at(wsolo::time_point deadline);
    void remove(const wsolo::drain_report& report);
    wsolo::time_point now() const;
    wsolo::single_writer<wsolo::adapt::posix_socket, void (*)()> out;
    wsolo::stream_end end;
};

@BLOCK@
