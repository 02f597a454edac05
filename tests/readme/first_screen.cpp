// What the README's first screen leaves to the reader: a socket, a loop, and its timer.

#include <cstddef>
#include <span>

struct connection;
void watch(int fd, bool readable, bool writable);
void call_me_at(wsolo::time_point deadline);
void forget(connection* gone);

struct wake_loop {
    void operator()() const {}
};

struct connection {
    int fd;
    @BLOCK@
};
