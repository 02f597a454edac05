// A WebSocket server: threads that push text to every connection, PINGs answered meanwhile, and a page for a browser.
//
// Laws of this file:
// - Workers only queue; the loop's thread reads and writes. No thread waits for a socket.
// - A worker knows a connection by a weak handle: it may come later than the connection's end.
// - When told to stop it closes every connection with 1001 and a bound, and what was accepted is accounted for.

#include "../hosts/socket.hpp"
#include "counted_stream.hpp"
#include "routes.hpp"
#include "workers.hpp"

#include <atomic>

namespace {

using wsolo::errc;

/// Frames, over all connections. accepted = written + dropped + replaced, or something is lost.
struct totals {
    std::atomic<std::uint64_t> accepted =
        0; ///< counted where they were offered: by a worker, an echo, an endpoint
    std::uint64_t connections = 0, written = 0, dropped = 0;
    std::uint64_t replaced = 0; ///< PONGs, by a newer one
    std::uint64_t write_calls = 0;

    bool count(errc answer) noexcept {
        if (answer == errc::none) accepted.fetch_add(1, std::memory_order_relaxed);
        return answer == errc::none;
    }
    void report_end(unsigned port, std::string_view cause, const wsolo::ending& how, std::uint64_t calls);
    /// Whether it adds up.
    [[nodiscard]] bool report() const;
};

/// What all connections share.
struct house {
    const relay::options how;
    totals account{};
    relay::audience audience{};
    std::atomic<bool> is_stopping = false;
};

/// One connection's handler: a page or a refusal, or a WebSocket that the workers push to and that sends back what it receives.
struct visit {
    void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) const {
        relay::route(asked, reply);
    }
    void on_upgraded(auto& ws) {
        ws.transport().calls = 0; // the handshake's is not a frame's
        seat =
            home->audience.add([to = ws.handle(), of = home, feed = relay::feed()](unsigned worker) mutable {
                const auto live = to.try_use();
                if (!live) return;
                const auto burst = live->writer().corked(); // it leaves together
                feed.push(worker, of->how,
                          [&](const std::string& text) { return of->account.count(live->send_text(text)); });
            });
    }
    // What can't be answered is not dropped in silence: a peer that sends faster than it reads is told, by this errc.
    errc on_message(auto& ws, const wsolo::message& received) const {
        const errc answer =
            received.is_text() ? ws.send_text("echo: " + std::string(received.text())) : ws.send(received);
        home->account.count(answer);
        return answer;
    }
    void on_finished(auto& ws, const wsolo::ending& how) const {
        home->audience.remove(seat);
        const std::string_view cause = how.reason != errc::none   ? name_of(how.reason)
                                       : home->is_stopping.load() ? "server_close"
                                                                  : "peer_close";
        home->account.report_end(port, cause, how, ws.transport().calls);
    }
    void on_not_opened(errc why, int status) const {
        report_line("visitor").with("peer", port).with("cause", name_of(why)).with("status", status);
    }

    house* home;
    unsigned port; ///< the other end's: all are on the same host
    relay::audience::seat seat{};
};

void totals::report_end(unsigned port, std::string_view cause, const wsolo::ending& how,
                        std::uint64_t calls) {
    const wsolo::drain_report& out = how.written;
    report_line("end")
        .with("peer", port)
        .with("cause", cause)
        .with("code", static_cast<unsigned>(how.code))
        .with("accepted", out.frames_accepted())
        .with("written", out.frames_written)
        .with("dropped", out.frames_dropped)
        .with("replaced", out.pongs_replaced)
        .with("bytes_written", out.bytes_written)
        .with("bytes_dropped", out.bytes_dropped)
        .with("partial", out.partial_frame ? "yes" : "no")
        .with("reason", name_of(out.reason))
        .with("writes", calls);
    ++connections;
    accepted += how.control_frames;
    written += out.frames_written;
    dropped += out.frames_dropped;
    replaced += out.pongs_replaced;
    write_calls += calls;
}

bool totals::report() const {
    const bool adds_up = accepted == written + dropped + replaced;
    report_line("total")
        .with("connections", connections)
        .with("accepted", accepted.load())
        .with("written", written)
        .with("dropped", dropped)
        .with("replaced", replaced)
        .with("writes", write_calls)
        .with("adds_up", adds_up ? "yes" : "no");
    return adds_up;
}

wsolo::server_options options_of(const relay::options& how) {
    const std::size_t longest = how.max_queue / 2; // so that its echo fits the queue
    wsolo::server_options chosen;
    chosen.reading = {.max_frame_size = longest, .max_message_size = longest, .max_fragments = 4096};
    chosen.writing.limits.max_bytes = how.max_queue;
    chosen.writing.timeouts.write = how.write_timeout;
    chosen.writing.timeouts.drain = how.drain_timeout;
    chosen.ending.close_timeout = chosen.ending.linger_timeout = how.linger;
    chosen.handshake_timeout = how.handshake_timeout;
    chosen.max_unsent = 0; // what can't be answered is an error here: visit::on_message
    return chosen;
}

/// Serves until SIGTERM or SIGINT, and the drain that follows.
bool serve(const relay::options& how) {
    house home{how};
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    stop_signals signals; // before there is a thread
    const auto make = [&](const wsolo::adapt::poll::arrival& who) {
        return visit{&home, ntohs(reinterpret_cast<const sockaddr_in&>(who.address).sin_port)};
    };
    const auto counted = [](int socket) { return relay::counted_stream(socket); };
    if (loop.accept(listen_on(how.port), everyone, make, options_of(how), counted) != errc::none)
        return false;
    signals.call([&] {
        home.is_stopping = true;
        loop.stop_accepting();
        static_cast<void>(
            everyone.close_all(wsolo::close_code::going_away, "the server is stopping", how.drain_timeout));
    });
    relay::workers pushing(home.audience, how);
    loop.run();
    pushing.stop();
    return home.account.report();
}

} // namespace

int main(int count, char** given) {
    relay::options how;
    if (!how.read(count, given)) return 2;
    return serve(how) ? 0 : 1;
}
