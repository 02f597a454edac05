// A WebSocket server that sends every message back: what the conformance and the hostile suites run, and the soak.
//
// Laws of this file:
// - A peer that does not read its echoes is not read from: that is the whole flow control.
// - What each connection reports stands beside what was counted here, send by send.

#include "../hosts/socket.hpp"
#include "ledger.hpp"
#include "options.hpp"
#include "threads.hpp"

#include <wsolo/adapt/poll.hpp>

namespace {

/// What all connections share.
struct house {
    const options how;
    ledger counted{how.report_each};
    closer closes{};
};

/// One connection's handler.
struct echoing {
    void on_upgraded(auto& ws) const {
        if (home->how.close_one_interval.count() != 0) home->closes.add(ws.handle());
    }
    wsolo::errc on_message(auto& ws, const wsolo::message& received) {
        ++handled;
        const wsolo::errc answer = ws.send(received);
        if (answer == wsolo::errc::none) ++sent;
        return answer;
    }
    void on_finished(auto&, const wsolo::ending& how) const { home->counted.enter(port, how, handled, sent); }
    void on_not_opened(wsolo::errc why, int) const { home->counted.enter_refused(port, why); }

    house* home;
    unsigned port; ///< the peer's
    std::uint64_t handled = 0;
    std::uint64_t sent = 0;
};

/// Serves until SIGTERM or SIGINT, and the drain that follows.
bool serve(const options& how) {
    house home{how};
    pool handling;
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    stop_signals signals; // before there is a thread
    handling.start(how.threads);

    const auto make = [&home](const wsolo::adapt::poll::arrival& who) {
        return echoing{&home, ntohs(reinterpret_cast<const sockaddr_in&>(who.address).sin_port)};
    };
    std::uint16_t port = how.port;
    const int listening = listen_in_silence(port);
    const auto accept = [&](auto work) {
        return loop.accept(listening, everyone, make, how.of_a_connection(), wsolo::adapt::poll::plain{},
                           work);
    };
    const wsolo::errc refused =
        how.threads == 0 ? accept(wsolo::in_the_loop{}) : accept(in_a_pool{&handling});
    if (refused != wsolo::errc::none) return false;
    say_listening(port); // everything is open now: the soak counts descriptors from here on
    signals.call([&] {
        loop.stop_accepting();
        static_cast<void>(
            everyone.close_all(wsolo::close_code::going_away, "the server is stopping", how.close_timeout));
    });

    std::uint64_t broadcast = 0;
    auto says = every(how.broadcast_interval, [&, number = 0]() mutable {
        std::string text = "to everyone: " + std::to_string(number++) + ' ';
        text.resize(3000, '.'); // more than what is copied into each connection's queue
        broadcast += everyone.send_text(text).accepted;
    });
    const auto closes = every(how.close_one_interval, [&] { home.closes.close_one(); });
    loop.run();
    says = {}; // ends
    return home.counted.close(broadcast);
}

} // namespace

int main(int count, char** given) {
    options how;
    if (!how.read(count, given)) return 2;
    return serve(how) ? 0 : 1;
}
