// The connection in docs/hosts/qt.md, where Qt's headers are.
#if __has_include(<QtNetwork/QTcpServer>)
#include <QtCore/QSocketNotifier>
#include <QtCore/QTimer>
#include <QtNetwork/QTcpServer>
#include <atomic>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>
#include <wsolo/adapt/posix.hpp>
#include <wsolo/wsolo.hpp>

struct chat {
    wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};
extern wsolo::connection_group everyone;
extern std::vector<std::byte> buffer;
int left_until(wsolo::time_point deadline);

@BLOCK@
#endif
