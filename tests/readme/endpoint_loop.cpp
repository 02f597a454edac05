// A connection of docs/endpoint.md, and the loop that it needs.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>

#include <cerrno>
#include <sys/socket.h>

struct connection;
bool post_turn(connection* whose);
void remove_later(connection* gone);
void watch_socket(int fd, bool readable, bool writable);
void call_on_turn_at(connection* whose, wsolo::time_point deadline);
std::string_view answer(std::string_view question);
void log(wsolo::errc reason, wsolo::close_code code, std::uint64_t dropped);

@BLOCK@
