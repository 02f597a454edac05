// The functions in docs/hosts/microhttpd.md, where libmicrohttpd is.
#if __has_include(<microhttpd.h>)
#include <microhttpd.h>
#include <string>
#include <thread>
#include <vector>
#include <wsolo/adapt/poll.hpp>
#include <wsolo/wsolo.hpp>

struct chat {
    wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};
namespace server { // g++ warns of a global that a header's local hides
extern std::atomic<int> live;
extern wsolo::connection_group everyone;

@WHOLE@
} // namespace server
#endif
