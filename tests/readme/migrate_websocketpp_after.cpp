// The program in docs/migrate/websocketpp.md after, where Asio is.
#if __has_include(<asio.hpp>)
@WHOLE@
#endif
