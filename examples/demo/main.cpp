// The demo's page, and the scene that it shows: two servers to choose from, many peers, and what they see.

#include "page.hpp"
#include "scene.hpp"

#include <wsolo/adapt/poll.hpp>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>

namespace {

using namespace std::chrono_literals;

/// Of a browser: the page, or the socket by which the page and the scene speak.
struct visitor {
    demo::scene* shown;

    void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) const {
        if (asked.is_upgrade() && asked.resource_name() == "/control") {
            // A browser says who it acts for; another site's page has no business here (RFC 6455 §10.2).
            return is_same_origin(asked) ? reply.accept()
                                         : reply.refuse(wsolo::errc::handshake_origin_refused);
        }
        if (asked.method() != "GET" && asked.method() != "HEAD")
            return reply.refuse(wsolo::errc::handshake_method_not_get);
        if (asked.is_upgrade() || asked.resource_name() != "/")
            return reply.respond({.status = 404, .body = "not here"});
        reply.respond({.content_type = "text/html; charset=utf-8", .body = demo::page});
    }
    wsolo::errc on_message(auto&, const wsolo::message& got) const {
        return got.is_text() && shown->command(got.text()) ? wsolo::errc::none : wsolo::errc::aborted;
    }
};

int serve(std::uint16_t port) {
    sigset_t ends; // before there is another thread
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    wsolo::connection_group pages;
    demo::scene shown(pages);
    wsolo::adapt::poll::loop loop;
    const int listening = demo::listen_on(port, 0);
    std::printf("listening host=127.0.0.1 port=%u page=http://127.0.0.1:%u/\n",
                unsigned{demo::port_of(listening)}, unsigned{demo::port_of(listening)});
    std::fflush(stdout);
    if (loop.accept(listening, pages, [&] { return visitor{&shown}; }) != wsolo::errc::none) return 1;
    const std::jthread stop([&] {
        int which = 0;
        sigwait(&ends, &which);
        loop.stop_accepting();
        static_cast<void>(pages.close_all(wsolo::close_code::going_away, "the demo is over", 2s));
    });
    loop.run();
    return 0;
}

} // namespace

int main(int count, char** words) {
    std::uint16_t port = 0;
    const std::string_view value = count == 3 ? words[2] : "";
    const bool has_port = count == 3 && std::string_view(words[1]) == "--port" &&
                          std::from_chars(value.data(), value.data() + value.size(), port).ec == std::errc();
    if (count != 1 && !has_port) {
        std::fputs("demo [--port N]\n", stderr);
        return 2;
    }
    try {
        return serve(port);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "demo: %s\n", error.what());
        return 1;
    }
}
