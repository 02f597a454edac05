// libevent: its events say when, posix_socket writes, and the connection says what it wants next.

#include "../chat.hpp"
#include "../host.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/connection_group.hpp>

#include <event2/event.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

struct site {
    pusher pushes;
    wsolo::connection_group everyone;
    event_base* loop = nullptr;
    evconnlistener* listener = nullptr;
    event* rest = nullptr; ///< the listener's, after an accept() that failed
    std::size_t live = 0;
    std::vector<std::byte> buffer = std::vector<std::byte>(64 * 1024); ///< for one read
};

/// Destroys itself when it is finished.
class connection {
    struct wake { // any thread
        // Not as a timeout: event_add() with a new one would take that back.
        bool operator()() const { return event_active(turn, EV_WRITE, 0), true; }
        event* turn;
    };

public:
    connection(int fd, site& at)
        : fd_(fd),
          at_(at),
          readable_(event_new(at.loop, fd, EV_READ | EV_PERSIST, &call<&connection::on_readable>, this)),
          writable_(event_new(at.loop, fd, EV_WRITE | EV_PERSIST, &call<&connection::on_turn>, this)),
          turn_(event_new(at.loop, -1, 0, &call<&connection::on_time>, this)),
          ws_(std::in_place, wsolo::adapt::posix_socket(fd), wake{turn_}, chat{&at.pushes}, chat_options()) {
        ++at.live;
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() {
        ws_.reset(); // no thread calls for a turn any more
        for (event* const each : {readable_, writable_, turn_}) event_free(each);
        ::close(fd_);
        --at_.live;
    }

    void start() {
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(ws_->join(at_.everyone) == wsolo::errc::none ? ws_->run() : ws_->close());
    }

private:
    template <void (connection::*Member)()>
    static void call(evutil_socket_t, short, void* self) {
        (static_cast<connection*>(self)->*Member)();
    }

    void on_readable() {
        const ssize_t count = ::recv(fd_, at_.buffer.data(), at_.buffer.size(), MSG_DONTWAIT);
        if (count > 0)
            return watch(ws_->receive(std::span(at_.buffer).first(static_cast<std::size_t>(count))));
        if (count == 0) return watch(ws_->end_of_input());
        if (errno != EAGAIN && errno != EINTR) watch(ws_->end_of_input(wsolo::errc::connection_lost));
    }
    void on_turn() { watch(ws_->run()); }
    void on_time() { // or the hook: libevent takes the time away in either case
        armed_ = wsolo::no_deadline;
        on_turn();
    }
    /// The last thing of every call: it may be gone then.
    void watch(const wsolo::endpoint_wants& wants) {
        if (wants.finished) {
            delete this;
            return;
        }
        if (std::exchange(reads_, wants.read) != wants.read)
            wants.read ? event_add(readable_, nullptr) : event_del(readable_);
        if (std::exchange(writes_, wants.write) != wants.write)
            wants.write ? event_add(writable_, nullptr) : event_del(writable_);
        if (std::exchange(armed_, wants.deadline) == wants.deadline || wants.deadline == wsolo::no_deadline)
            return;
        const auto left = std::max(wants.deadline - steady::now(), steady::duration::zero());
        const auto whole = std::chrono::floor<std::chrono::seconds>(left);
        const timeval after{whole.count(),
                            std::chrono::ceil<std::chrono::microseconds>(left - whole).count()};
        event_add(turn_, &after);
    }

    int fd_;
    site& at_;
    event* readable_;
    event* writable_;
    event* turn_;
    bool reads_ = false;
    bool writes_ = false;
    wsolo::time_point armed_ = wsolo::no_deadline;
    std::optional<wsolo::server_connection<wsolo::adapt::posix_socket, wake, chat>> ws_;
};

} // namespace

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    evthread_use_pthreads(); // for the hook
    site at;
    at.loop = event_base_new();
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(told.port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* const address = reinterpret_cast<sockaddr*>(&where);
    at.listener = evconnlistener_new_bind(
        at.loop,
        [](evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* of) {
            (new connection(fd, *static_cast<site*>(of)))->start();
        },
        &at, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, -1, address, sizeof where);
    if (at.listener == nullptr) return std::perror("listen"), 1;
    at.rest = evtimer_new(
        at.loop,
        [](evutil_socket_t, short, void* of) {
            site& my = *static_cast<site*>(of);
            if (my.listener != nullptr) evconnlistener_enable(my.listener);
        },
        &at);
    // No descriptor, say: some connection gives one back. What waits in the backlog would have this called at once again.
    evconnlistener_set_error_cb(at.listener, [](evconnlistener* listener, void* of) {
        const timeval pause{0, 100'000};
        evconnlistener_disable(listener);
        event_add(static_cast<site*>(of)->rest, &pause);
    });
    event* const sigterm = evsignal_new(
        at.loop, SIGTERM,
        [](evutil_socket_t, short, void* of) {
            site& stopping = *static_cast<site*>(of);
            evconnlistener_free(std::exchange(stopping.listener, nullptr));
            static_cast<void>(stopping.everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
        },
        &at);
    event_add(sigterm, nullptr);
    ::getsockname(evconnlistener_get_fd(at.listener), address, &size);
    say_listening(ntohs(where.sin_port));
    while (at.listener != nullptr || at.live > 0) // also while one wants nothing but to be woken
        event_base_loop(at.loop, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
    for (event* const each : {sigterm, at.rest}) event_free(each);
    event_base_free(at.loop);
    libevent_global_shutdown();
}
