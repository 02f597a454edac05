// What docs/defaults.md says is what the headers say.
#include <wsolo/endpoint/server_connection.hpp>

using namespace std::chrono_literals;

@BLOCK@

int main() {}
