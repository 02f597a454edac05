// Asio: a coroutine for each connection.

#include "../chat.hpp"
#include "../host.hpp"

#include <wsolo/adapt/asio_conversation.hpp>

#include <asio.hpp>

using asio::ip::tcp;
using namespace std::chrono_literals;

/// The conversation as chat answers it. What it echoes is sent by the coroutine, which can wait.
struct answering {
    struct weak { // for the thread that pushes
        wsolo::conversation ws;
        const weak* try_use() const { return this; }
        wsolo::errc send_text(std::string_view text) const { return ws.try_send_text(text); }
    };
    weak handle() const { return {ws->live()}; }
    wsolo::errc close(wsolo::close_code code, std::string_view why) const { return ws->close(code, why); }
    wsolo::errc send(const wsolo::message& what) { return echoed = &what, wsolo::errc::none; }

    const wsolo::adapt::asio::conversation* ws;
    const wsolo::message* echoed = nullptr;
};

/// What the coroutine is not asked about.
struct hooks {
    chat of;
    void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) {
        of.on_request(asked, reply);
    }
    void on_room(auto& e) { of.on_room(e); }
    void on_finished(auto& e, const wsolo::ending& how) { of.on_finished(e, how); }
};

asio::awaitable<void> talk(tcp::socket socket, wsolo::connection_group& everyone, chat of) {
    wsolo::adapt::asio::conversation ws(std::move(socket), everyone, chat_options(), hooks{of});
    while (auto got = co_await ws.next()) {
        answering answer{&ws};
        wsolo::errc sent = of.on_message(answer, std::move(*got));
        if (answer.echoed != nullptr)
            sent = co_await ws.send(*answer.echoed); // waits while too much is unsent
        if (sent != wsolo::errc::none) co_return;
    }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, wsolo::connection_group& everyone, pusher& pushes) {
    asio::steady_timer pause(acceptor.get_executor());
    while (acceptor.is_open()) {
        std::error_code error; // else it would be thrown, and end this loop
        tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (!error) {
            asio::co_spawn(acceptor.get_executor(), talk(std::move(socket), everyone, chat{&pushes}),
                           asio::detached);
        } else if (acceptor.is_open()) { // no descriptor, say: some connection gives one back
            pause.expires_after(100ms);
            co_await pause.async_wait(asio::use_awaitable);
        }
    }
}

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    pusher pushes;
    asio::io_context loop;
    wsolo::connection_group everyone;
    tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), told.port});
    asio::co_spawn(loop, serve(acceptor, everyone, pushes), asio::detached); // until the acceptor is closed
    asio::signal_set signals(loop, SIGTERM, SIGINT);
    signals.async_wait([&](std::error_code, int) {
        acceptor.close();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    say_listening(acceptor.local_endpoint().port());
    loop.run(); // returns when the last one has left
}
