// The connection in docs/hosts/libevent.md, where libevent is.
#if __has_include(<event2/event.h>)
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>
#include <wsolo/adapt/posix.hpp>
#include <wsolo/wsolo.hpp>

struct chat {
    wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};
extern wsolo::connection_group everyone;
extern std::vector<std::byte> buffer;
class connection;
void set_time(event*, wsolo::time_point);

@BLOCK@
#endif
