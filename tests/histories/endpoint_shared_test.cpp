// Random histories of two endpoints with real threads, over a socket pair and the system's clock: on each side a loop, two
// threads of a pool, two that push by a handle, and one that closes, aborts, or has the loop destroy it in the middle.
// Bugs it would catch: what needs threads, and a race or a memory that a sanitizer sees; a wake-up that is lost (the watchdog
// of journal.hpp says so); messages lost, doubled or out of order at an end that is in order.
//
// WSOLO_HISTORY_SEED and WSOLO_HISTORY_COUNT choose. The same seed draws the same, and threads do as they like.

#include "compression.hpp"
#include "journal.hpp"
#include "seeded.hpp"
#include "survey.hpp"

#include <support/catch.hpp>

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

using namespace histories;
using namespace std::chrono_literals;
using wsolo::errc;

namespace {

constexpr unsigned pushers = 2;
constexpr unsigned replier = pushers; ///< the handler's answers have a number of their own

enum class end_by : std::uint8_t { close, close_both, abort, destroy };

void broke(const char* rule, const std::string& how) { journal::break_rule(rule, how); }

class pool {
public:
    explicit pool(unsigned threads) {
        for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
    }
    ~pool() {
        {
            const std::lock_guard hold(mutex_);
            is_over_ = true;
        }
        changed_.notify_all();
        for (std::thread& each : threads_) each.join();
    }
    void post(std::function<void()> job) {
        {
            const std::lock_guard hold(mutex_);
            jobs_.push_back(std::move(job));
        }
        changed_.notify_one();
    }

private:
    void run() {
        std::unique_lock hold(mutex_);
        for (;;) {
            changed_.wait(hold, [this] { return is_over_ || !jobs_.empty(); });
            if (jobs_.empty()) return;
            auto job = std::move(jobs_.front());
            jobs_.pop_front();
            hold.unlock();
            job();
            job = {}; // outside of the lock: it may be the last of a handle
            hold.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool is_over_ = false;
    std::vector<std::thread> threads_;
};

/// What both sides of one history share, and what is known of each.
struct known {
    std::array<std::atomic<std::uint64_t>, pushers + 1> accepted{}; ///< by sender
    std::array<std::uint64_t, pushers + 1> received{};              ///< the handler's, one at a time
    std::atomic<int> handlers{0};
    std::atomic<int> finishes{0};
    wsolo::ending ending{};
    std::uint64_t draws = 0;
    unsigned replies = 0;

    void judge_message(std::string_view text) {
        if (handlers.fetch_add(1) != 0) broke("order", "two messages are handled at a time");
        const auto from = static_cast<unsigned>(text[0] - '0');
        const std::uint64_t number = std::strtoull(std::string(text.substr(2, 10)).c_str(), nullptr, 10);
        if (from > pushers || number != received[from] || text.substr(12).find_first_not_of('x') != text.npos)
            broke("order", "message " + std::string(text.substr(0, 12)) + " comes instead of " +
                               std::to_string(received[from % (pushers + 1)]));
        else
            ++received[from];
    }
};

std::string message_of(unsigned from, std::uint64_t number, std::size_t size) {
    char head[16];
    std::snprintf(head, sizeof head, "%u %010llu", from, static_cast<unsigned long long>(number));
    return head + std::string(size, 'x');
}

struct handler {
    known* to;
#if WSOLO_TEST_ZLIB
    permessage_deflate compression{};
#endif
    void on_message(auto& whole, wsolo::message&& got) const {
        to->judge_message(got.text());
        seeded draw(to->draws++, 77);
        if (draw.chance(to->replies)) {
            const std::uint64_t number = to->accepted[replier];
            if (whole.send_text(message_of(replier, number, draw.below(100))) == errc::none)
                to->accepted[replier] = number + 1;
        }
        to->handlers.fetch_sub(1);
    }
    void on_finished(auto&, const wsolo::ending& how) const {
        to->ending = how;
        ++to->finishes;
    }
};

struct wake_by_pipe {
    int pipe;
    bool operator()() const noexcept {
        const char one = 1;
        static_cast<void>(!::write(pipe, &one, 1)); // full: it is awake
        return true;
    }
};

struct work_in_pool {
    pool* workers;
    void operator()(auto handle) const {
        workers->post([handle] {
            if (const auto live = handle.try_use()) live->work();
        });
    }
};

template <class Side>
class one_side {
    using whole_type = wsolo::endpoint<wsolo::adapt::posix_socket, wake_by_pipe, handler, Side, work_in_pool>;

public:
    one_side(int socket, pool& workers, const wsolo::endpoint_options& how,
             [[maybe_unused]] const agreement& agreed, std::uint64_t seed)
        : fd_(socket) {
        if (::pipe(pipe_) != 0) std::abort();
        for (const int end : pipe_) ::fcntl(end, F_SETFL, O_NONBLOCK);
        about.draws = seed * 1'000'000;
        about.replies = seeded(seed, 5).one_of({0U, 10U, 50U});
        handler to{&about};
#if WSOLO_TEST_ZLIB
        if (agreed.compresses()) to.compression = compression_of(agreed, Side::self);
#endif
        whole_ = std::make_unique<whole_type>(wsolo::adapt::posix_socket(socket), wake_by_pipe{pipe_[1]},
                                              std::move(to), how, Side{}, work_in_pool{&workers});
        handle_ = whole_->handle();
    }
    ~one_side() {
        ::close(pipe_[0]);
        ::close(pipe_[1]);
    }

    /// The loop of docs/endpoint.md.
    void loop() {
        std::vector<std::byte> buffer(4096);
        wsolo::endpoint_wants wants = whole_->run();
        while (!wants.finished && !must_destroy) {
            pollfd watched[] = {{pipe_[0], POLLIN, 0},
                                {wants.read || wants.write ? fd_ : -1,
                                 static_cast<short>((wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0)),
                                 0}};
            ::poll(watched, 2, timeout(wants.deadline));
            if (watched[0].revents != 0)
                while (::read(pipe_[0], buffer.data(), buffer.size()) > 0) {}
            if (wants.read && watched[1].revents != 0) {
                const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
                if (count > 0)
                    wants = whole_->receive(std::span(buffer).first(static_cast<std::size_t>(count)));
                else if (count == 0)
                    wants = whole_->end_of_input();
                else if (errno != EAGAIN && errno != EINTR)
                    wants = whole_->end_of_input(errc::connection_lost);
            }
            if (!wants.finished) wants = whole_->run();
        }
        is_finished = wants.finished;
        whole_.reset();
        ::close(fd_);
    }

    void push(unsigned who, seeded draw) {
        const std::uint64_t count = draw.one_of<std::uint64_t>({1, 50, 400});
        for (std::uint64_t number = 0; number < count;) {
            const auto live = handle_.try_use();
            if (!live) return;
            const errc error = live->send_text(message_of(who, number, draw.below(200)));
            if (error == errc::none)
                about.accepted[who] = ++number;
            else if (error != errc::queue_full)
                return;
            if (error != errc::none || draw.chance(5)) std::this_thread::sleep_for(100us);
        }
    }

    void finish(end_by how) {
        if (how == end_by::destroy) {
            must_destroy = true;
            static_cast<void>(wake_by_pipe{pipe_[1]}());
            return;
        }
        const auto live = handle_.try_use();
        if (!live) return;
        if (how == end_by::abort)
            live->abort();
        else
            static_cast<void>(live->close(wsolo::close_code::going_away, "over"));
    }

    known about;
    std::atomic<bool> must_destroy{false};
    bool is_finished = false;

private:
    static int timeout(wsolo::time_point deadline) {
        if (deadline == wsolo::no_deadline) return 5'000;
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        return left <= 0 ? 0 : left < 5'000 ? static_cast<int>(left) : 5'000;
    }

    int fd_;
    int pipe_[2] = {-1, -1};
    std::unique_ptr<whole_type> whole_;
    typename whole_type::weak_handle handle_;
};

wsolo::endpoint_options options_of(seeded& draw) {
    wsolo::endpoint_options how;
    how.handling.max_messages = draw.one_of<std::uint32_t>({1, 4, 1024});
    how.handle_quantum = draw.one_of<std::uint32_t>({1, 64});
    how.writing.limits.max_frames = draw.one_of<std::uint32_t>({8, 65'536});
    how.writing.timeouts.write = 60s;
    how.writing.timeouts.drain = 60s;
    how.ending.close_timeout = 60s;
    how.ending.linger_timeout = 60s;
    how.beating.ping_interval = draw.one_of({0ms, 1ms, 20'000ms});
    how.beating.pong_timeout = 60s;
    return how;
}

void judge(const known& of, const known& peer, const char* name, bool is_finished, bool was_destroyed,
           bool in_order) {
    if (is_finished && of.finishes != 1)
        broke("finished", std::string(name) + ": on_finished is not called once");
    if (!is_finished && !was_destroyed)
        broke("finished", std::string(name) + ": its loop ended before it was finished");
    for (unsigned from = 0; from <= pushers; ++from)
        if (of.received[from] > peer.accepted[from])
            broke("content", std::string(name) + ": more messages than were accepted");
    if (!in_order) return;
    if (of.ending.reason != errc::none)
        broke("ending", std::string(name) + " ends with " + std::string(wsolo::name_of(of.ending.reason)));
    for (unsigned from = 0; from <= pushers; ++from)
        if (of.received[from] != peer.accepted[from])
            broke("lost", std::string(name) + ": " + std::to_string(of.received[from]) + " of " +
                              std::to_string(peer.accepted[from]) + " messages of sender " +
                              std::to_string(from));
}

std::uint64_t received_in_all = 0; ///< a run in which nothing comes proves nothing

void run_threads(std::uint64_t seed) {
    journal::begin("endpoint_shared", seed);
    seeded draw(seed, 9);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::abort();
    const int buffer = draw.one_of({1, 20'000, 200'000});
    for (const int end : ends) ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    const end_by how =
        draw.one_of({end_by::close, end_by::close_both, end_by::close, end_by::abort, end_by::destroy});
    const bool by_server = draw.chance(50);
    journal::line(0, "ends by %u of the %s, buffers of %d", static_cast<unsigned>(how),
                  by_server ? "server" : "client", buffer);
    {
        pool workers(2);
        agreement servers;
        if (seeded ways(seed, 6); WSOLO_TEST_ZLIB && ways.chance(50))
            servers = {.mine = draw_way(ways), .peers = draw_way(ways)};
        const agreement clients{.mine = servers.peers, .peers = servers.mine};
        const wsolo::endpoint_options one = options_of(draw), other = options_of(draw);
        one_side<wsolo::server_side> server(ends[0], workers, one, servers, seed);
        one_side<wsolo::client_side<>> client(ends[1], workers, other, clients, seed + 1'000'000);
        std::vector<std::thread> threads;
        threads.emplace_back([&] { server.loop(); });
        threads.emplace_back([&] { client.loop(); });
        for (unsigned who = 0; who < pushers; ++who) {
            threads.emplace_back([&, who] { server.push(who, seeded(seed, 20 + who)); });
            threads.emplace_back([&, who] { client.push(who, seeded(seed, 30 + who)); });
        }
        std::this_thread::sleep_for(std::chrono::microseconds(draw.one_of({0U, 300U, 3'000U, 20'000U})));
        if (by_server || how == end_by::close_both) server.finish(how);
        if (!by_server || how == end_by::close_both) client.finish(how);
        for (std::thread& each : threads) each.join();
        journal::line(0, "all threads have ended");
        for (const known* each : {&server.about, &client.about})
            for (const std::uint64_t count : each->received) received_in_all += count;
        const bool in_order = how == end_by::close || how == end_by::close_both;
        judge(server.about, client.about, "server", server.is_finished, server.must_destroy, in_order);
        judge(client.about, server.about, "client", client.is_finished, client.must_destroy, in_order);
    }
    journal::end();
}

} // namespace

TEST_CASE("two endpoints keep their rules in random histories of real threads",
          "[history][endpoint_shared]") {
    const range seeds = range_of_environment(60);
    if (wants_survey()) return survey("[endpoint_shared]", seeds, run_threads);
    for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        run_threads(seed);
        if (journal::is_broken())
            FAIL("WSOLO_HISTORY_SEED=" << seed << "\n"
                                       << journal::text() << journal::broken_rule() << ": "
                                       << journal::broken_how());
    }
    INFO(received_in_all << " messages in all");
    if (seeds.count >= 60) CHECK(received_in_all > 60 * 20);
    CHECK(seeds.count != 0);
}
