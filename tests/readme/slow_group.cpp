// The group of docs/slow_consumers.md.
#include <wsolo/endpoint/connection_group.hpp>

void log(std::size_t, std::size_t) {}

void tell_all() {
@BLOCK@
}

int main() {}
