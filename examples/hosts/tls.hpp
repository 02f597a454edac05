#pragma once
// For hosts whose sockets wsolo reads itself: plain, or TLS where OpenSSL was found and `--tls` is given.

#include "host.hpp"

#include <wsolo/adapt/poll.hpp>
#if defined(HOST_HAS_OPENSSL)
#include <wsolo/adapt/openssl.hpp>
#endif

/// Calls `serve` with what makes a stream of a socket. Its answer.
auto with_streams(const arguments& told, auto serve) {
#if defined(HOST_HAS_OPENSSL)
    if (told.certificate != nullptr) {
        const wsolo::adapt::openssl::context secrets(told.certificate, told.key);
        if (!secrets) {
            std::fprintf(stderr, "%s\n", secrets.why().c_str());
            std::exit(1);
        }
        return serve(wsolo::adapt::openssl::secured(secrets.get()));
    }
#endif
    told.refuse_tls();
    return serve(wsolo::adapt::poll::plain{});
}
