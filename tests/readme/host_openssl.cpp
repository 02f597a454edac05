// The program of docs/hosts/openssl.md, where OpenSSL is.
#if __has_include(<openssl/ssl.h>)
int serve_securely(int listening);

@WHOLE@
#endif
