// The program in docs/hosts/libuv.md, where libuv is.
#if __has_include(<uv.h>)
@WHOLE@
#endif
