// Rooms that span processes: `backplane PORT [redis://HOST:PORT]`. README.md says how to talk to it.

#include "redis_engine.hpp"
#include "rooms.hpp"

#include <wsolo/adapt/asio.hpp>

#include <asio.hpp>

using asio::ip::tcp;
using namespace std::chrono_literals;

/// A member of the room that its request's target names: /room/NAME, or /room/NAME?after=EPOCH-NUMBER.
struct member {
    rooms* there;
    std::string room;
    std::optional<message_id> after;
    rooms::member_number number = 0;

    void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) {
        std::string_view target = asked.target();
        if (target == "/health")
            return reply.respond(
                {.status = there->is_ready() ? 200 : 503, .body = "whether Redis is there\n"});
        if (!target.starts_with("/room/")) return reply.respond({.status = 404, .body = "/room/NAME\n"});
        target.remove_prefix(std::string_view("/room/").size());
        room = target.substr(0, target.find('?'));
        const auto query = target.find("?after=");
        if (query != std::string_view::npos) after = message_id::parse(target.substr(query + 7));
        if (room.empty() || room.size() > 100) reply.respond({.status = 400, .body = "a room's name?\n"});
    }
    void on_upgraded(auto& ws) { number = there->enter(room, after, visitor::of(ws.handle())); }
    wsolo::errc on_message(auto& ws, const wsolo::message& got) {
        if (!got.is_text()) return ws.close(wsolo::close_code::unsupported_data, "rooms have text");
        there->say(room, got.text(), visitor::of(ws.handle()));
        return wsolo::errc::none;
    }
    void on_finished(auto&, const wsolo::ending&) { there->leave(room, number); }
};

/// Empty: there is none of this name. Another engine has its place here.
std::unique_ptr<engine> engine_of(asio::io_context& loop, const std::string& url) {
    constexpr std::string_view redis = "redis://";
    const std::size_t colon = url.rfind(':');
    if (!url.starts_with(redis) || colon < redis.size()) return nullptr;
    return std::make_unique<redis_engine>(loop, url.substr(redis.size(), colon - redis.size()),
                                          std::atoi(url.c_str() + colon + 1));
}

int main(int count, char** given) {
    asio::io_context loop;
    const auto between = engine_of(loop, count > 2 ? given[2] : "redis://127.0.0.1:6379");
    if (count < 2 || count > 3 || between == nullptr) {
        std::fprintf(stderr, "%s PORT [redis://HOST:PORT]\n", given[0]);
        return 2;
    }
    rooms there(*between);
    wsolo::connection_group everyone;
    tcp::acceptor acceptor(
        loop, {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::atoi(given[1]))});

    wsolo::server_options how;
    how.reading.max_message_size = 64 * 1024;
    how.writing.limits.max_bytes =
        4 * 1024 * 1024; // what may wait for a slow member: beyond it, it is cut off
    wsolo::adapt::asio::accept(acceptor, everyone, [&] { return member{&there, {}, {}}; }, {how});

    asio::signal_set signals(loop, SIGTERM, SIGINT);
    signals.async_wait([&](std::error_code, int) { // a deploy: they come back to another process
        acceptor.close();
        static_cast<void>(everyone.close_all(wsolo::close_code::service_restart, "deploy", 5s));
        there.end();
    });
    std::printf("listening on 127.0.0.1:%u\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    loop.run(); // returns when the last one has left
}
