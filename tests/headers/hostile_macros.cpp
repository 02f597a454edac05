// Would catch: a name of wsolo's that is a macro of Qt, windows.h, X11 or the system's. Compiled by check.hostile_macros.

// Standard headers come first, as they do in such programs: their own names are not the question here.
#if __has_include(<asio.hpp>)
#include <asio.hpp>
#endif
#if __has_include(<openssl/ssl.h>)
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif
#if __has_include(<uv.h>)
#include <uv.h>
#endif
// clang-format off: the standard and the system come before the macros, wsolo after them
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <random>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <set>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/sockios.h>
// Qt
#define slots
#define signals public
#define emit
#define foreach(a, b) for (a : b)
#define forever for (;;)
// windows.h
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define ERROR 0
#define near
#define far
#define small char
#define interface struct
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define VOID void
#define DELETE 0x10000
#define NO_ERROR 0
#define STRICT 1
#define IGNORE 0
#define SendMessage SendMessageA
#define GetMessage GetMessageA
#define CreateEvent CreateEventA
// X11
#define None 0L
#define Bool int
#define Status int
#define True 1
#define False 0
#define Success 0
#define Always 2
#define Above 0
#define Below 1
// others
#define likely(x) x
#define unlikely(x) x
#define unix 1
#define linux 1
#define major(x) x
#define minor(x) x
#define makedev(x, y) x
#define I 1

#include <wsolo/wsolo.hpp>
#include <wsolo/adapt/poll.hpp>
#include <wsolo/adapt/posix.hpp>
#if __has_include(<asio.hpp>)
#include <wsolo/adapt/asio_conversation.hpp>
#endif
#if __has_include(<openssl/ssl.h>)
#include <wsolo/adapt/openssl.hpp>
#endif
#if __has_include(<uv.h>)
#include <wsolo/adapt/libuv.hpp>
#endif
#include <wsolo/sync/await.hpp>
#include <wsolo/testing/pair.hpp>
#include <wsolo/write/await.hpp>
#include <wsolo/write/threaded.hpp>
#include <wsolo/write/wait.hpp>
