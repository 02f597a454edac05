// The program in docs/migrate/cpp-httplib.md before, where a cpp-httplib is that has WebSocket.
#if __has_include(<httplib.h>)
#include <httplib.h>
#endif
#if defined(CPPHTTPLIB_WEBSOCKET_MAX_PAYLOAD_LENGTH)
@WHOLE@
#endif
