#include "peers.hpp"

#include "feed.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/client_connection.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace demo {
namespace {

using namespace std::chrono_literals;
constexpr auto ping_pace = 100ms;
constexpr auto pause_before_return = 500ms;

int connect_to(std::uint16_t port, bool is_slow) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (is_slow) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &socket_buffer, sizeof socket_buffer);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0) return fd;
    ::close(fd);
    return -1;
}

wsolo::client_options options() {
    wsolo::client_options chosen;
    chosen.handshake_timeout = 2s;
    chosen.ending = {.close_timeout = 500ms, .linger_timeout = 500ms, .linger_bytes = 1024 * 1024};
    chosen.beating = {.ping_interval = 0ms, .pong_timeout = 0ms, .beat_interval = 0ms};
    return chosen;
}

} // namespace

class peers::peer {
public:
    peer(peers& home, bool is_slow, std::size_t number)
        : home_(home), is_slow_(is_slow), ping_at_(clock::now() + number % 32 * (ping_pace / 32)) {}
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;
    ~peer() { drop(); }

    [[nodiscard]] bool is_connected() const noexcept { return live_.has_value(); }
    [[nodiscard]] char state(clock::time_point now) const noexcept {
        return now < torn_until_ ? 'x' : live_ && live_->ws.opened() != nullptr ? 'o' : '-';
    }

    void come(std::uint16_t port, clock::time_point now) {
        if (come_at_ == clock::time_point::max()) come_at_ = now; // it is wanted again
        if (live_ || now < come_at_) return;
        come_at_ = now + pause_before_return;
        const int fd = connect_to(port, is_slow_);
        if (fd < 0) return;
        live_.emplace(fd, *this);
        live_->wants = live_->ws.run();
        paid_until_ = now;
    }

    /// What to watch for, until when.
    [[nodiscard]] pollfd watch(clock::time_point now, clock::time_point& until) {
        if (!live_) return {-1, 0, 0};
        until = std::min({until, live_->wants.deadline, ping_at_});
        bool may_read = live_->wants.read;
        if (is_slow_ && now < paid_until_) {
            may_read = false;
            until = std::min(until, paid_until_);
        }
        const int events = (may_read ? POLLIN : 0) | (live_->wants.write ? POLLOUT : 0);
        return {events != 0 ? live_->fd : -1, static_cast<short>(events), 0};
    }

    void on_turn(short events, wsolo::mutable_bytes buffer, clock::time_point now) {
        if (!live_) return;
        if ((events & ~POLLOUT) != 0 && live_->wants.read) read(buffer, now);
        if (!live_->wants.finished && now >= ping_at_) ping(now);
        if (!live_->wants.finished) live_->wants = live_->ws.run();
        if (live_->wants.finished) end(now);
    }

    void leave() {
        if (come_at_ == clock::time_point::max()) return;
        come_at_ = clock::time_point::max();
        if (live_ && !live_->wants.finished) live_->wants = live_->ws.close();
    }
    void drop() {
        if (!live_) return;
        const int fd = live_->fd;
        live_.reset();
        ::close(fd);
    }

private:
    struct listener {
        peer* self;
        void on_message(auto&, const wsolo::message& got) { self->count(got.size()); }
        void on_pong(auto&, wsolo::const_bytes payload, std::optional<wsolo::duration>) {
            self->note_pong(payload);
        }
    };
    struct connection {
        connection(int socket, peer& self)
            : fd(socket),
              ws(wsolo::adapt::posix_socket(socket), no_hook{}, listener{&self},
                 {.host = "localhost", .target = self.is_slow_ ? "/slow" : "/fast"}, options()) {}
        struct no_hook { // everything is done in one thread, which runs it in each turn
            void operator()() const noexcept {}
        };
        int fd;
        wsolo::client_connection<wsolo::adapt::posix_socket, no_hook, listener> ws;
        wsolo::endpoint_wants wants;
    };

    void read(wsolo::mutable_bytes buffer, clock::time_point now) {
        const std::size_t most = is_slow_ ? 1024 : buffer.size();
        const ssize_t count = ::recv(live_->fd, buffer.data(), most, MSG_DONTWAIT);
        if (count > 0) {
            if (is_slow_) {
                const auto cost = std::chrono::nanoseconds(count * 1'000'000'000 / 1024 /
                                                           std::max(home_.slow_kib_.load(), 1U));
                paid_until_ = std::max(paid_until_, now - 100ms) + cost;
            }
            live_->wants = live_->ws.receive(buffer.first(static_cast<std::size_t>(count)));
        } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            live_->wants =
                live_->ws.end_of_input(count == 0 ? wsolo::errc::none : wsolo::errc::connection_lost);
        }
    }

    void ping(clock::time_point now) {
        ping_at_ = now + ping_pace;
        auto* const whole = live_->ws.opened();
        if (whole == nullptr) return;
        std::array<std::byte, sizeof now> payload;
        std::memcpy(payload.data(), &now, sizeof now);
        static_cast<void>(whole->send_ping(payload)); // refused: it is about to close
    }

    void count(std::size_t bytes) {
        ++home_.received_;
        if (is_slow_) {
            ++home_.window_.slow_messages;
        } else {
            ++home_.window_.messages;
            home_.window_.bytes += bytes;
        }
    }

    void note_pong(wsolo::const_bytes payload) {
        clock::time_point asked;
        if (payload.size() != sizeof asked) return;
        std::memcpy(&asked, payload.data(), sizeof asked);
        const float took = std::chrono::duration<float, std::milli>(clock::now() - asked).count();
        if (is_slow_) {
            home_.window_.slow_pong_ms = double{took};
        } else {
            home_.pongs_.push_back(took);
        }
    }

    void end(clock::time_point now) {
        const wsolo::ending how = live_->ws.how_it_ended();
        if (wsolo::is_protocol_violation(how.reason)) {
            ++home_.window_.torn;
            torn_until_ = now + 1s;
        } else if (how.peer_closed) {
            ++home_.window_.closed;
        } else {
            ++home_.window_.lost;
        }
        if (come_at_ != clock::time_point::max()) come_at_ = now + pause_before_return;
        drop();
    }

    peers& home_;
    const bool is_slow_;
    std::optional<connection> live_;
    clock::time_point come_at_{};
    clock::time_point ping_at_;
    clock::time_point paid_until_{}; ///< the slow one has read ahead until then
    clock::time_point torn_until_{};
};

peers::peers() : thread_([this](const std::stop_token& stop) { run(stop); }) {}
peers::~peers() {
    thread_.request_stop();
    thread_.join();
}

peer_figures peers::take_figures() {
    const std::scoped_lock hold(lock_);
    const auto now = clock::now();
    peer_figures taken = window_;
    taken.seconds = std::chrono::duration<double>(now - window_began_).count();
    if (!pongs_.empty()) {
        const auto part = [&](double share) {
            const auto at =
                pongs_.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(pongs_.size() - 1));
            std::nth_element(pongs_.begin(), at, pongs_.end());
            return static_cast<double>(*at);
        };
        taken.pong_p50_ms = part(0.5);
        taken.pong_p99_ms = part(0.99);
    }
    for (const auto& each : all_) taken.states += each->state(now);
    window_.messages = window_.bytes = window_.slow_messages = 0;
    window_.slow_pong_ms = -1;
    pongs_.clear();
    window_began_ = now;
    return taken;
}

void peers::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) turn();
    const std::scoped_lock hold(lock_);
    all_.clear();
}

void peers::turn() {
    static thread_local std::array<std::byte, 64 * 1024> buffer;
    std::vector<pollfd> watched;
    auto now = clock::now();
    auto until = now + 50ms;
    {
        const std::scoped_lock hold(lock_);
        while (all_.size() < count_)
            all_.push_back(std::make_unique<peer>(*this, all_.size() == slow_peer, all_.size()));
        for (std::size_t i = count_; i < all_.size(); ++i) all_[i]->leave();
        while (all_.size() > count_ && !all_.back()->is_connected()) all_.pop_back();
        if (drops_.exchange(false))
            for (const auto& each : all_) each->drop();
        const std::uint16_t port = port_;
        for (std::size_t i = 0; i < all_.size(); ++i) {
            if (port != 0 && i < count_) all_[i]->come(port, now);
            watched.push_back(all_[i]->watch(now, until));
        }
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    ::poll(watched.data(), watched.size(), static_cast<int>(std::clamp<long long>(left, 0, 50)));
    const std::scoped_lock hold(lock_);
    now = clock::now();
    unsigned connected = 0;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        all_[i]->on_turn(watched[i].revents, buffer, now);
        connected += all_[i]->is_connected() ? 1U : 0U;
    }
    connected_ = connected;
}

} // namespace demo
