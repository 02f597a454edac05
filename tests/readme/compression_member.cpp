// The handlers in docs/compression.md, where zlib is.
#if __has_include(<zlib.h>)
#include <wsolo/adapt/poll.hpp>
#include <wsolo/adapt/zlib.hpp>

@BLOCK@

wsolo::errc accept_both(wsolo::adapt::poll::loop& loop, int one, int two, wsolo::connection_group& everyone) {
    const wsolo::errc error = loop.accept(one, everyone, [] { return chat{}; });
    return error != wsolo::errc::none ? error : loop.accept(two, everyone, [] { return careful{}; });
}
#endif
