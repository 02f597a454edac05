// The adapter of docs/compose.md, and what its host must have.
#include <wsolo/endpoint/server_connection.hpp>

struct my_transport {
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline);
    void finish(wsolo::end_of_write why);
    void end_output();
    void disconnect();
};
struct chat {
    wsolo::errc on_message(auto& e, wsolo::message&& got) { return e.send(got); }
};
class adapter;
bool host_post(adapter* whose);
void host_destroy_later(adapter* gone);
void host_watch(adapter* whose, bool readable, bool writable);
void host_call_at(adapter* whose, wsolo::time_point when);

@BLOCK@
