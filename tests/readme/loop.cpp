// A connection as a server might have one.

#include <wsolo/adapt/posix.hpp>
#include <wsolo/wsolo.hpp>

struct connection {
    void watch_writable(bool on);
    void call_me_at(wsolo::time_point deadline);
    void remove(const wsolo::drain_report& report);
    wsolo::single_writer<wsolo::adapt::posix_socket, void (*)()> out;
};

@BLOCK@
