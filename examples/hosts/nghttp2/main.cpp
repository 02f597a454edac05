// nghttp2: WebSockets as streams of HTTP/2 (RFC 8441), over TCP without TLS; a thread for each TCP connection.

#include "../socket.hpp"
#include "../thread_list.hpp"
#include "stream.hpp"

#include <fcntl.h>
#include <map>
#include <memory>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <vector>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

struct site {
    wsolo::connection_group everyone;
    std::atomic<bool> stops{false};
    pusher* pushes = nullptr;
};

/// The names and values of a request's head, as they come.
struct head {
    void add(std::string_view name, std::string_view value) {
        if (name == ":method")
            method = value;
        else if (name == ":path")
            path = value;
        else if (name == ":protocol")
            protocol = value;
        else if (name == ":scheme")
            scheme = value;
        else if (name == ":authority")
            authority = value;
        else
            fields.emplace_back(name, value);
    }

    std::string method, path, protocol, scheme, authority;
    std::vector<std::pair<std::string, std::string>> fields;
};

class connection {
public:
    connection(int fd, site& at) : fd_(fd), at_(at) {
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        nghttp2_session_callbacks* calls = nullptr;
        nghttp2_session_callbacks_new(&calls);
        nghttp2_session_callbacks_set_on_begin_headers_callback(
            calls, [](nghttp2_session*, const nghttp2_frame* frame, void* of) {
                static_cast<connection*>(of)->asking_[frame->hd.stream_id] = {};
                return 0;
            });
        nghttp2_session_callbacks_set_on_header_callback(
            calls,
            [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, size_t name_size,
               const std::uint8_t* value, size_t value_size, std::uint8_t, void* of) {
                static_cast<connection*>(of)->asking_[frame->hd.stream_id].add(
                    {reinterpret_cast<const char*>(name), name_size},
                    {reinterpret_cast<const char*>(value), value_size});
                return 0;
            });
        nghttp2_session_callbacks_set_on_frame_recv_callback(
            calls, [](nghttp2_session*, const nghttp2_frame* frame, void* of) {
                return static_cast<connection*>(of)->on_frame(frame->hd), 0;
            });
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
            calls, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, size_t size,
                      void* of) { return static_cast<connection*>(of)->on_data(id, data, size), 0; });
        nghttp2_session_callbacks_set_on_stream_close_callback(
            calls, [](nghttp2_session*, std::int32_t id, std::uint32_t why, void* of) {
                auto& self = *static_cast<connection*>(of);
                self.asking_.erase(id);
                if (stream* const it = self.find(id)) it->on_closed(why == NGHTTP2_NO_ERROR);
                return 0;
            });
        nghttp2_option* how = nullptr;
        nghttp2_option_new(&how);
        nghttp2_option_set_no_auto_window_update(how, 1);
        nghttp2_session_server_new2(&session_, calls, this, how);
        nghttp2_option_del(how);
        nghttp2_session_callbacks_del(calls);
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() {
        streams_.clear();
        nghttp2_session_del(session_);
        ::close(event_);
        ::close(fd_);
    }

    void run() {
        if (event_ < 0) return; // no descriptor left
        const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
                                                   {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100}};
        nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
        auto idle_since = steady::now();
        while (flush() &&
               (nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0)) {
            const auto now = steady::now();
            auto due = now + 100ms; // a stop is looked for now and then
            for (const auto& [id, each] : streams_) {
                if (each->is_live()) idle_since = now;
                due = std::min(due, each->deadline());
            }
            if (now - idle_since > (at_.stops ? 0s : chat_options().handshake_timeout)) {
                nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
                static_cast<void>(flush());
                return;
            }
            const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - now).count();
            pollfd asked[] = {{fd_, static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0},
                              {event_, POLLIN, 0}};
            ::poll(asked, 2, wait > 0 ? static_cast<int>(wait) : 0);
            if (asked[0].revents != 0 && !read()) return;
            std::uint64_t rung = 0;
            if (asked[1].revents != 0) static_cast<void>(!::read(event_, &rung, sizeof rung));
            for (const auto& [id, each] : streams_) each->turn();
        }
    }

private:
    [[nodiscard]] stream* find(std::int32_t id) {
        const auto found = streams_.find(id);
        return found == streams_.end() ? nullptr : found->second.get();
    }
    void on_frame(const nghttp2_frame_hd& frame) {
        const auto asked = asking_.find(frame.stream_id);
        if (frame.type == NGHTTP2_HEADERS && asked != asking_.end()) {
            answer(frame.stream_id, asked->second);
            asking_.erase(asked);
        }
        const bool ends = (frame.type == NGHTTP2_HEADERS || frame.type == NGHTTP2_DATA) &&
                          (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (stream* const it = find(frame.stream_id); it != nullptr && ends) it->on_end();
    }
    void on_data(std::int32_t id, const std::uint8_t* data, std::size_t size) {
        // It points into in_, which is unmasked in place.
        auto* const bytes = reinterpret_cast<std::byte*>(const_cast<std::uint8_t*>(data));
        if (stream* const it = find(id)) return it->on_data({bytes, size});
        nghttp2_session_consume(session_, id, size); // a page's request has a body
    }

    // ---- the answer

    void answer(std::int32_t id, const head& got) {
        std::vector<wsolo::header_field> fields;
        for (const auto& [name, value] : got.fields) fields.push_back({name, value});
        const auto asked = wsolo::judge({.method = got.method,
                                         .target = got.path,
                                         .version = wsolo::http_version::v2,
                                         .fields = fields,
                                         .protocol = got.protocol,
                                         .scheme = got.scheme,
                                         .authority = got.authority});
        const auto refusal = [&](wsolo::errc why) {
            const auto answer = wsolo::refusal_answer(why, wsolo::http_version::v2);
            say(id, answer, answer.text());
        };
        if (!asked) return refusal(asked.error());
        if (got.path != "/ws") return say(id, wsolo::upgrade_answer(200), "This is nghttp2: /ws\n");
        if (!asked->is_upgrade()) return refusal(wsolo::errc::handshake_missing_upgrade);
        if (at_.stops) return refusal(wsolo::errc::aborted);
        const auto wake = [event = event_] {
            const std::uint64_t one = 1;
            static_cast<void>(!::write(event, &one, sizeof one));
        };
        auto& fresh = *(streams_[id] = std::make_unique<stream>(session_, id, wake, chat{at_.pushes}));
        nghttp2_data_provider data{};
        data.source.ptr = &fresh;
        data.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* into, size_t room,
                                std::uint32_t* flags, nghttp2_data_source* from,
                                void*) { return static_cast<stream*>(from->ptr)->fill(into, room, flags); };
        submit(id, *wsolo::accept_answer(*asked), data);
        fresh.open(at_.everyone);
    }
    /// `text`: a literal, of less than a frame's size.
    void say(std::int32_t id, const wsolo::upgrade_answer& what, std::string_view text) {
        nghttp2_data_provider data{};
        data.source.ptr = const_cast<char*>(text.data());
        data.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* into, size_t room,
                                std::uint32_t* flags, nghttp2_data_source* from, void*) {
            const std::size_t size = std::min(room, std::strlen(static_cast<const char*>(from->ptr)));
            std::memcpy(into, from->ptr, size);
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            return static_cast<ssize_t>(size);
        };
        submit(id, what, data);
    }
    void submit(std::int32_t id, const wsolo::upgrade_answer& what, const nghttp2_data_provider& data) {
        const auto bytes = [](std::string_view text) {
            return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())); // copied, not changed
        };
        const std::string status = std::to_string(what.status());
        std::vector<nghttp2_nv> fields{
            {bytes(":status"), bytes(status), 7, status.size(), NGHTTP2_NV_FLAG_NONE}};
        for (const wsolo::header_field each : what)
            fields.push_back({bytes(each.name), bytes(each.value), each.name.size(), each.value.size(),
                              NGHTTP2_NV_FLAG_NONE});
        nghttp2_submit_response(session_, id, fields.data(), fields.size(), &data);
    }

    // ---- the wire

    /// False: it is over.
    bool read() {
        const ssize_t count = ::recv(fd_, in_.data(), in_.size(), MSG_DONTWAIT);
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        return count > 0 &&
               nghttp2_session_mem_recv(session_, in_.data(), static_cast<std::size_t>(count)) >= 0;
    }
    /// What there is to send, as much as the socket takes. False: it is broken.
    bool flush() {
        for (;;) {
            if (out_.empty()) {
                const std::uint8_t* data = nullptr;
                const ssize_t size = nghttp2_session_mem_send(session_, &data);
                if (size < 0) return false;
                out_ = {data, static_cast<std::size_t>(size)};
            }
            if (out_.empty()) {
                for (const auto& [id, each] : streams_) each->on_sent();
                for (const auto& [id, each] : streams_) each->turn();
                std::erase_if(streams_, [](const auto& each) { return each.second->is_gone(); });
                if (nghttp2_session_want_write(session_) == 0) return true;
                continue;
            }
            const ssize_t sent = ::send(fd_, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN || errno == EINTR;
            out_ = out_.subspan(static_cast<std::size_t>(sent));
        }
    }

    int fd_;
    site& at_;
    int event_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    nghttp2_session* session_ = nullptr;
    std::map<std::int32_t, head> asking_;
    std::map<std::int32_t, std::unique_ptr<stream>> streams_;
    std::vector<std::uint8_t> in_ = std::vector<std::uint8_t>(64 * 1024);
    std::span<const std::uint8_t> out_; ///< nghttp2's, until its next mem_send
};

} // namespace

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    site at;
    const int listening = listen_on(told.port);
    stop_signals signals;
    signals.call([&] {
        at.stops = true;
        ::shutdown(listening, SHUT_RDWR); // accept() returns
        static_cast<void>(at.everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    pusher pushes;
    at.pushes = &pushes;
    thread_list threads;
    while (!at.stops) {
        const int fd = accept_on(listening);
        if (fd >= 0 && !threads.start([&at, fd] { connection(fd, at).run(); })) ::close(fd);
    }
    return 0;
}
