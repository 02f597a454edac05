// The client in docs/hosts/poll.md.
#include <netdb.h>
#include <string_view>
#include <wsolo/adapt/poll.hpp>

void print(std::string_view text);
void complain(wsolo::errc why, int status);

@BLOCK@
