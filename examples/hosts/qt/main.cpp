// Qt: its event loop. A QSocketNotifier says when, posix_socket writes, and the connection says what it wants next.

#include <QCoreApplication>
#include <QSocketNotifier>
#include <QTcpServer>
#include <QTimer>

#include "../chat.hpp"
#include "../host.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/connection_group.hpp>

#include <atomic>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// The listener, and what its connections share.
class site : public QTcpServer {
public:
    pusher pushes;
    wsolo::connection_group everyone;
    int live = 0;
    std::vector<std::byte> buffer = std::vector<std::byte>(64 * 1024); ///< for one read

    void stop() {
        close();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
        quit_if_done();
    }
    void quit_if_done() {
        if (!isListening() && live == 0) QCoreApplication::quit();
    }

protected:
    void incomingConnection(qintptr descriptor) override;
};

/// Deletes itself when it is finished. The application's thread has it; wake is any thread's.
class connection : public QObject {
    struct wake {
        bool operator()() const {
            return self->is_called_.exchange(true) ||
                   QMetaObject::invokeMethod(self, &connection::on_turn, Qt::QueuedConnection);
        }
        connection* self;
    };

public:
    connection(int fd, site& at)
        : QObject(&at),
          at_(at),
          fd_(fd),
          readable_(fd, QSocketNotifier::Read),
          writable_(fd, QSocketNotifier::Write),
          ws_(std::in_place, wsolo::adapt::posix_socket(fd), wake{this}, chat{&at.pushes}, chat_options()) {
        ++at.live;
        const int on = 1; // a write is whole frames already
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        timer_.setSingleShot(true);
        connect(&readable_, &QSocketNotifier::activated, this, &connection::on_readable);
        connect(&writable_, &QSocketNotifier::activated, this, &connection::on_turn);
        connect(&timer_, &QTimer::timeout, this, &connection::on_time);
        watch(ws_->join(at.everyone) == wsolo::errc::none ? ws_->run() : ws_->close());
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() override {
        ws_.reset(); // no thread calls for a turn any more
        ::close(fd_);
        --at_.live;
        at_.quit_if_done();
    }

private:
    void on_readable() {
        const ssize_t count = ::recv(fd_, at_.buffer.data(), at_.buffer.size(), MSG_DONTWAIT);
        if (count > 0)
            return watch(ws_->receive(std::span(at_.buffer).first(static_cast<std::size_t>(count))));
        if (count == 0) return watch(ws_->end_of_input());
        if (errno != EAGAIN && errno != EINTR) watch(ws_->end_of_input(wsolo::errc::connection_lost));
    }
    void on_turn() {
        is_called_ = false;
        watch(ws_->run());
    }
    void on_time() {
        armed_ = wsolo::no_deadline;
        on_turn();
    }
    void watch(const wsolo::endpoint_wants& wants) {
        readable_.setEnabled(wants.read && !wants.finished);
        writable_.setEnabled(wants.write && !wants.finished);
        if (wants.finished) {
            timer_.stop();
            return deleteLater(); // not inside of a notifier's own call
        }
        if (std::exchange(armed_, wants.deadline) == wants.deadline) return;
        if (wants.deadline == wsolo::no_deadline) return timer_.stop();
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(wants.deadline - std::chrono::steady_clock::now());
        timer_.start(std::clamp<std::chrono::milliseconds>(left, 0ms, 1h)); // too early: it is set again
    }

    site& at_;
    const int fd_;
    QSocketNotifier readable_;
    QSocketNotifier writable_;
    QTimer timer_;
    wsolo::time_point armed_ = wsolo::no_deadline;
    std::atomic<bool> is_called_{false};
    std::optional<wsolo::server_connection<wsolo::adapt::posix_socket, wake, chat>> ws_;
};

void site::incomingConnection(qintptr descriptor) {
    new connection(static_cast<int>(descriptor), *this); // the site's
}

} // namespace

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    stop_signals sigterm;
    QCoreApplication application(count, given);
    site at;
    // No descriptor, say: some connection gives one back. Qt has paused by itself.
    QObject::connect(&at, &QTcpServer::acceptError,
                     [&at] { QTimer::singleShot(100, &at, &QTcpServer::resumeAccepting); });
    if (!at.listen(QHostAddress::LocalHost, told.port))
        return std::fprintf(stderr, "%s\n", qPrintable(at.errorString())), 1;
    sigterm.call([&at] { QMetaObject::invokeMethod(&at, &site::stop, Qt::QueuedConnection); });
    say_listening(at.serverPort());
    QCoreApplication::exec(); // until the last one has left
}
