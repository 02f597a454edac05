// A client's connection of docs/connection.md.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/client_connection.hpp>

#include <string>

struct wake_loop {
    bool operator()() const;
};

@BLOCK@
