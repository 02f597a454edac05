// The program in docs/hosts/asio.md, where Asio is.
#if __has_include(<asio.hpp>)
@WHOLE@
#endif
