// A thread for each connection.

#include "../chat.hpp"
#include "../socket.hpp"
#include "../tls.hpp"

#include <list>

using namespace std::chrono_literals;

int main(int count, char** given) {
    const arguments told(count, given);
    wsolo::connection_group everyone;
    const int listening = listen_on(told.port);
    stop_signals signals;
    signals.call([&] {
        ::shutdown(listening, SHUT_RDWR); // accept() returns
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    pusher pushes;
    return with_streams(told, [&](auto wrap) {
        struct served {
            std::atomic<bool> is_over{false};
            std::jthread thread;
        };
        std::list<served> threads;
        for (int fd = 0; (fd = ::accept(listening, nullptr, nullptr)) >= 0;) {
            threads.remove_if([](const served& each) { return each.is_over.load(); });
            served& fresh = threads.emplace_back();
            fresh.thread = std::jthread([&, fd] {
                static_cast<void>(
                    wsolo::adapt::poll::serve(fd, chat{&pushes}, everyone, chat_options(), wrap));
                ::close(fd);
                fresh.is_over = true;
            });
        }
        return 0;
    });
}
