// One thread, many sockets.

#include "../chat.hpp"
#include "../socket.hpp"
#include "../tls.hpp"

using namespace std::chrono_literals;

int main(int count, char** given) {
    const arguments told(count, given);
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    stop_signals signals;
    signals.call([&] {
        loop.stop_accepting();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    pusher pushes;
    const auto make = [&] { return chat{&pushes}; };
    return with_streams(told, [&](auto wrap) {
        const int listening = listen_on(told.port);
        if (loop.accept(listening, everyone, make, chat_options(), wrap) != wsolo::errc::none) return 1;
        loop.run();
        return 0;
    });
}
