// The coroutine of Asio's in docs/endpoint.md, where Asio is.
#if __has_include(<asio.hpp>) || __has_include(<boost/asio.hpp>)
#include <wsolo/adapt/asio_await.hpp>
#include <wsolo/endpoint/conversation.hpp>
#endif

#if defined(WSOLO_ASIO_AWAITS) && WSOLO_ASIO_AWAITS
namespace asio = wsolo::adapt::asio::net;

@BLOCK@
#endif
