// GNU libmicrohttpd: it reads the requests and writes the answers; an upgraded socket has a thread of its own.

#include "../chat.hpp"
#include "../socket.hpp"

#include <wsolo/adapt/poll.hpp>

#include <map>
#include <microhttpd.h>
#include <vector>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

struct site {
    pusher* pushes = nullptr;
    wsolo::connection_group everyone;
    std::atomic<bool> stops{false};
    std::atomic<int> live{0};
    /// By when each is to have asked. libmicrohttpd's own timeout is for those that say nothing at all.
    std::map<MHD_Connection*, steady::time_point> asking;
};

void serve(void* of, MHD_Connection*, void*, const char* extra, size_t size, MHD_socket fd,
           MHD_UpgradeResponseHandle* handle) {
    auto& at = *static_cast<site*>(of);
    ++at.live;
    try {
        std::thread([&at, fd, handle, extra = std::string(extra, size)]() mutable {
            const wsolo::adapt::poll::already_upgraded begun{std::as_writable_bytes(std::span(extra))};
            static_cast<void>(
                wsolo::adapt::poll::serve(fd, begun, chat{at.pushes}, at.everyone, chat_options()));
            MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
            --at.live;
        }).detach();
    } catch (...) { // no thread for it; libmicrohttpd, which calls this, is C
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        --at.live;
    }
}

MHD_Result say(MHD_Connection* to, const wsolo::upgrade_answer& what, MHD_Response* response) {
    for (const wsolo::header_field field : what)
        if (field.name != "Connection") // libmicrohttpd's own
            MHD_add_response_header(response, std::string(field.name).c_str(),
                                    std::string(field.value).c_str());
    const MHD_Result queued = MHD_queue_response(to, static_cast<unsigned>(what.status()), response);
    MHD_destroy_response(response);
    return queued;
}
MHD_Response* page(std::string_view text) {
    return MHD_create_response_from_buffer(text.size(), const_cast<char*>(text.data()),
                                           MHD_RESPMEM_MUST_COPY);
}
MHD_Result refuse(MHD_Connection* whom, wsolo::errc why) {
    const auto answer = wsolo::refusal_answer(why);
    return say(whom, answer, page(answer.text()));
}

MHD_Result answer(void* of, MHD_Connection* to, const char* url, const char* method, const char* version,
                  const char*, size_t*, void** seen) {
    auto& at = *static_cast<site*>(of);
    if (std::exchange(*seen, of) == nullptr) return MHD_YES; // the head; a body, if any, has its turn first
    at.asking.erase(to);
    if (std::string_view(url) != "/ws")
        return say(to, wsolo::upgrade_answer(200), page("This is libmicrohttpd: /ws\n"));

    std::vector<wsolo::header_field> fields;
    const auto take = [](void* into, MHD_ValueKind, const char* name, const char* value) {
        static_cast<decltype(fields)*>(into)->push_back({name, value == nullptr ? "" : value});
        return MHD_YES;
    };
    MHD_get_connection_values(to, MHD_HEADER_KIND, take, &fields);
    const auto asked =
        wsolo::judge({.method = method,
                      .target = url,
                      .version = std::string_view(version) == "HTTP/1.0" ? wsolo::http_version::v1_0
                                                                         : wsolo::http_version::v1_1,
                      .fields = fields});
    if (!asked) return refuse(to, asked.error());
    if (!asked->is_upgrade()) return refuse(to, wsolo::errc::handshake_missing_upgrade);
    if (at.stops) return refuse(to, wsolo::errc::aborted);
    return say(to, *wsolo::accept_answer(*asked), MHD_create_response_for_upgrade(&serve, &at));
}

void note(void* of, MHD_Connection* whose, void**, MHD_ConnectionNotificationCode what) {
    auto& at = *static_cast<site*>(of);
    at.asking.erase(whose);
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        at.asking[whose] = steady::now() + chat_options().handshake_timeout;
}
void cut_late(site& at) {
    std::erase_if(at.asking, [](const auto& each) {
        if (steady::now() < each.second) return false;
        ::shutdown(MHD_get_connection_info(each.first, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
                   SHUT_RDWR);
        return true;
    });
}

} // namespace

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    site at;
    stop_signals signals;
    signals.call([&] {
        at.stops = true;
        static_cast<void>(at.everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    pusher pushes;
    at.pushes = &pushes;
    MHD_Daemon* const daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_UPGRADE, 0, nullptr, nullptr, &answer, &at,
                         MHD_OPTION_LISTEN_SOCKET, listen_on(told.port), MHD_OPTION_NOTIFY_CONNECTION, &note,
                         &at, MHD_OPTION_CONNECTION_TIMEOUT, 5U, MHD_OPTION_END);
    if (daemon == nullptr) return 1;
    while (!at.stops) {
        MHD_run_wait(daemon, 50);
        cut_late(at);
    }
    ::close(MHD_quiesce_daemon(daemon));
    while (at.live > 0) MHD_run_wait(daemon, 50);
    MHD_stop_daemon(daemon);
    return 0;
}
