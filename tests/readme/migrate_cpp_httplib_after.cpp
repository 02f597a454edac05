// The program in docs/migrate/cpp-httplib.md after, where Asio is.
#if __has_include(<asio.hpp>)
@WHOLE@
#endif
