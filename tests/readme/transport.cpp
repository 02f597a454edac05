// The writer's user brings these.

#include <wsolo/wsolo.hpp>

long my_gather_write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline);
bool my_would_block();
void my_shutdown_of_output();
void my_shutdown();

@BLOCK@

static_assert(wsolo::transport<my_transport> && wsolo::byte_stream<my_transport>);
