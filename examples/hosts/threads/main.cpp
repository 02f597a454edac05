// A thread for each connection.

#include "../chat.hpp"
#include "../socket.hpp"
#include "../thread_list.hpp"
#include "../tls.hpp"

using namespace std::chrono_literals;

int main(int count, char** given) {
    const arguments told(count, given);
    wsolo::connection_group everyone;
    std::atomic<bool> stops{false};
    const int listening = listen_on(told.port);
    stop_signals signals;
    signals.call([&] {
        stops = true;
        ::shutdown(listening, SHUT_RDWR); // accept() returns
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    pusher pushes;
    return with_streams(told, [&](auto wrap) {
        thread_list threads;
        while (!stops) {
            const int fd = accept_on(listening);
            const auto serve = [&, fd] {
                static_cast<void>(
                    wsolo::adapt::poll::serve(fd, chat{&pushes}, everyone, chat_options(), wrap));
                ::close(fd);
            };
            if (fd >= 0 && !threads.start(serve)) ::close(fd);
        }
        return 0;
    });
}
