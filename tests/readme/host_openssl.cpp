// The program of docs/hosts/openssl.md, where OpenSSL is.
#if __has_include(<openssl/ssl.h>)
#include <wsolo/adapt/openssl.hpp>

int serve_securely(int listening);

@BLOCK@
#endif
