// libuv.

#include "../chat.hpp"
#include "../host.hpp"

#include <wsolo/adapt/libuv.hpp>

#include <netinet/in.h>

using namespace std::chrono_literals;

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    uv_loop_t* const loop = uv_default_loop();
    struct {
        pusher pushes;
        wsolo::connection_group everyone;
        wsolo::adapt::libuv::context context{uv_default_loop()};
        uv_tcp_t listener;
        uv_signal_t sigterm;
    } at;

    sockaddr_in where;
    int size = sizeof where;
    uv_ip4_addr("127.0.0.1", told.port, &where);
    uv_tcp_init(loop, &at.listener);
    at.listener.data = &at;
    uv_tcp_bind(&at.listener, reinterpret_cast<const sockaddr*>(&where), 0);
    const int error =
        uv_listen(reinterpret_cast<uv_stream_t*>(&at.listener), 128, [](uv_stream_t* listener, int status) {
            auto& my = *static_cast<decltype(at)*>(listener->data);
            if (status == 0)
                static_cast<void>(wsolo::adapt::libuv::serve(listener, chat{&my.pushes}, my.context,
                                                             my.everyone, chat_options()));
        });
    if (error != 0) return std::fprintf(stderr, "%s\n", uv_strerror(error)), 1;

    uv_signal_init(loop, &at.sigterm);
    at.sigterm.data = &at;
    uv_signal_start(
        &at.sigterm,
        [](uv_signal_t* signal, int) {
            auto& my = *static_cast<decltype(at)*>(signal->data);
            uv_close(reinterpret_cast<uv_handle_t*>(&my.listener), nullptr);
            uv_close(reinterpret_cast<uv_handle_t*>(signal), nullptr);
            static_cast<void>(my.everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
        },
        SIGTERM);

    uv_tcp_getsockname(&at.listener, reinterpret_cast<sockaddr*>(&where), &size);
    say_listening(ntohs(where.sin_port));
    uv_run(loop, UV_RUN_DEFAULT); // returns when the last one has left
    return uv_loop_close(loop);
}
