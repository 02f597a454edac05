// The transport of docs/compose.md: what it must have.
#include <wsolo/endpoint/server_connection.hpp>

@BLOCK@
