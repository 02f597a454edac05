// The coroutine of docs/endpoint.md.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>
#include <wsolo/endpoint/message_source.hpp>

struct task {
    struct promise_type {
        task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
};

@BLOCK@

using hook = void (*)();
template task talk(wsolo::endpoint<wsolo::adapt::posix_socket, hook, wsolo::message_source>&);
