// The coroutine of docs/endpoint.md.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/conversation.hpp>
#include <wsolo/endpoint/endpoint.hpp>

#include <string>

struct task {
    struct promise_type {
        task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
};

struct answer_of_the_database {
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    std::string await_resume() const { return {}; }
};
answer_of_the_database ask_the_database(std::string_view) { return {}; }

@BLOCK@

using hook = void (*)();
void begin(wsolo::endpoint<wsolo::adapt::posix_socket, hook, wsolo::in_a_coroutine>& e) { talk(wsolo::conversation(e)); }
