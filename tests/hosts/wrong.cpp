// A host that is wrong in one way, which WSOLO_WRONG names: the test suite must see it (run.py --self-test). Without the name it is right.

#include "../../examples/hosts/chat.hpp"
#include "../../examples/hosts/socket.hpp"

#include <wsolo/adapt/poll.hpp>

#include <fcntl.h>

using namespace std::chrono_literals;
namespace sockets = wsolo::adapt::poll; // `poll` is the system's function

namespace {

std::string_view fault() {
    static const char* const name = std::getenv("WSOLO_WRONG");
    return name == nullptr ? "" : name;
}

class wrong_end {
public:
    explicit wrong_end(int fd) : right_(fd) {}

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) {
        const auto first = static_cast<unsigned char>(parts.front()[0]);
        const std::size_t size = parts.front().size();
        if (fault() == "swallows PONGs" && first == 0x8A) return {wsolo::io_status::ok, size, 0};
        if (fault() == "closes with 1008") {
            const wsolo::const_bytes changed = with_another_code(parts.back());
            if (parts.size() == 1 && !changed.empty()) return right_.write(std::span(&changed, 1), deadline);
        }
        auto how = right_.write(parts, deadline);
        if (fault() == "blocks" && how.status == wsolo::io_status::would_block) {
            static_cast<void>(right_.wait_writable(std::chrono::steady_clock::now() + 3s));
            how = right_.write(parts, deadline);
        }
        if (fault() == "closes the socket after its Close" && first == 0x88)
            ::dup2(::open("/dev/null", O_RDWR), right_.descriptor());
        return how;
    }
    void finish(wsolo::end_of_write why) { right_.finish(why); }
    void end_output() { right_.end_output(); }
    void disconnect() { right_.disconnect(); }

private:
    /// Of a Close that is the last frame; empty if none is.
    wsolo::const_bytes with_another_code(wsolo::const_bytes part) {
        for (std::size_t at = part.size() < 127 ? 0 : part.size() - 127; at + 4 <= part.size(); ++at) {
            if (part[at] != std::byte{0x88} ||
                std::to_integer<std::size_t>(part[at + 1]) != part.size() - at - 2)
                continue;
            changed_.assign(part.begin(), part.end());
            changed_[at + 2] = std::byte{3};
            changed_[at + 3] = std::byte{0xF0};
            return changed_;
        }
        return {};
    }

    std::vector<std::byte> changed_;
    wsolo::adapt::posix_socket right_;
};

class wrong_stream {
public:
    explicit wrong_stream(int fd) : fd_(fd), right_(fd) {
        if (fault() == "leaks") static_cast<void>(::dup(fd));
        if (fault() == "ends for want of a descriptor") {
            const int probe = ::dup(fd);
            if (probe < 0) std::_Exit(1);
            ::close(probe);
        }
    }

    sockets::read_result read(wsolo::mutable_bytes into) noexcept {
        sockets::read_result got = right_.read(into);
        if (fault() == "knows no half-close" && got.status == sockets::read_status::end)
            return {sockets::read_status::failed};
        const std::string_view text(reinterpret_cast<const char*>(into.data()), got.size);
        const std::size_t head = text.find("\r\n\r\n");
        if (fault() == "loses what follows the request" && head != text.npos) got.size = head + 4;
        if (fault() == "takes a request only whole" && !is_open_ && head == text.npos) got.size = 0;
        is_open_ = is_open_ || head != text.npos;
        return got.size == 0 && got.status == sockets::read_status::some ? sockets::read_result{} : got;
    }
    wrong_end writing_end() const { return wrong_end(fd_); }
    unsigned read_needs() const noexcept { return POLLIN; }
    unsigned write_needs() const noexcept { return POLLOUT; }
    bool has_read_ahead() const noexcept { return false; }
    bool has_unwritten() const noexcept { return false; }
    void flush() noexcept {}

private:
    int fd_;
    bool is_open_ = false;
    sockets::plain_stream right_;
};

struct wrong_chat : chat {
    int pushed = 0;

    void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) {
        if (fault() != "takes any path") chat::on_request(asked, reply);
    }
    wsolo::errc on_message(auto& ws, wsolo::message&& got) {
        if (fault() == "echoes all as binary") return ws.send_binary(got.bytes());
        if (fault() == "loses a message" && got.text().starts_with("push ")) {
            static_cast<void>(ws.send_text("push 1 "));
            return wsolo::errc::none;
        }
        return chat::on_message(ws, std::move(got));
    }
};

wsolo::server_options wrong_options() {
    wsolo::server_options how = chat_options();
    if (fault() == "waits for ever")
        how.handshake_timeout = how.writing.timeouts.write = how.ending.close_timeout = 0s;
    if (fault() == "holds all") {
        how.max_unsent = how.writing.limits.max_bytes = std::size_t{1} << 30;
        how.writing.limits.max_frames = 0;
    }
    return how;
}

} // namespace

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    wsolo::connection_group everyone;
    sockets::loop loop;
    stop_signals signals;
    signals.call([&] {
        if (fault() == "drops all at SIGTERM") std::_Exit(0);
        if (fault() == "aborts at SIGTERM") everyone.abort_all();
        loop.stop_accepting();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    pusher pushes;
    const auto make = [&] { return wrong_chat{{&pushes}}; };
    const auto wrap = [](int fd) { return wrong_stream(fd); };
    if (loop.accept(listen_on(told.port), everyone, make, wrong_options(), wrap) != wsolo::errc::none)
        return 1;
    loop.run();
    return fault() == "ends with 3" ? 3 : 0;
}
