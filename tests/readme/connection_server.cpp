// A server's connection of docs/connection.md, and the loop that it needs.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/server_connection.hpp>

#include <cerrno>
#include <sys/socket.h>

struct connection;
bool post_turn(connection* whose);
void remove_later(connection* gone);
void watch_socket(int fd, bool readable, bool writable);
void call_on_turn_at(connection* whose, wsolo::time_point deadline);
extern const std::string_view page;

@BLOCK@
