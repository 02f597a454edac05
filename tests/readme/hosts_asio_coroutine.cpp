// The coroutines in docs/hosts/asio.md, where Asio is.
#if __has_include(<asio.hpp>)
#include <asio.hpp>
#include <wsolo/adapt/asio_conversation.hpp>
#endif

#if defined(WSOLO_ASIO_AWAITS) && WSOLO_ASIO_AWAITS
using asio::ip::tcp;

extern wsolo::connection_group everyone;
void print(std::string_view);

@BLOCK@
#endif
