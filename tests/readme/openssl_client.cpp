// The wrap in docs/hosts/openssl.md, where OpenSSL is.
#if __has_include(<openssl/ssl.h>)
#include <wsolo/adapt/openssl.hpp>
#pragma GCC diagnostic ignored "-Wold-style-cast" // SSL_set_tlsext_host_name() has one

@BLOCK@
#endif
