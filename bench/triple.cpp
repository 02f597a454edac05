// ns per message received, sent, and echoed in memory: what a message costs between a read and a write, without a system call
//
// Cases receive, send, echo: messages of `size` bytes, text, masked and validated where they come in, in reads and writes of
// `threads` messages (a column that has no other use here: 1 is a client that waits for its answer, 16 and 64 are
// pipelines). Impls:
//   reader, writer, reader+writer   basic_reader and single_writer by hand
//   endpoint lent                   endpoint with a handler that takes const message&
//   endpoint owned                  the same with a message&&
//   ... 1t                          the same with one_thread_traits
//   uws                             uWebSockets' parser and formatter (with --uws), without its sockets: no writer, no queue
//   memcpy                          of the bytes of a read, which every row of receive and echo includes
// The transport takes everything and counts it: each row checks that every byte came out.

#include "support/sink.hpp"
#include "support/suite.hpp"
#include "support/timing.hpp"

#include <wsolo/sync/one_thread_traits.hpp>
#include <wsolo/wsolo.hpp>

#ifdef WSOLO_BENCH_UWS
#include "support/triple_uws.hpp"
#endif

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

using bench::contender;
using bench::no_hook;
using bench::sink;

/// What a client sends, and the read buffer that it comes to.
class input {
public:
    input(std::size_t size, int messages) {
        wsolo::random_keys keys;
        const std::string payload(size, 'm');
        for (int i = 0; i < messages; ++i) {
            if (wsolo::append_frame<wsolo::role::client>(wire_, wsolo::opcode::text, wsolo::bytes_of(payload),
                                                         keys) != wsolo::errc::none)
                std::abort();
        }
        buffer_.resize(wire_.size() + 2 * padding);
    }
    wsolo::mutable_bytes read() {
        std::memcpy(buffer_.data() + padding, wire_.data(), wire_.size());
        return {buffer_.data() + padding, wire_.size()};
    }

private:
    static constexpr std::size_t padding = 32; // uWebSockets' parser wants it
    std::string wire_;
    std::vector<std::byte> buffer_;
};

class only_reads {
public:
    explicit only_reads(std::uint64_t& taken) : taken_(taken) {}
    [[gnu::noinline]] void receive(wsolo::mutable_bytes bytes) {
        for (const wsolo::event& each : in_.read(bytes)) {
            if (!each.is_message()) std::abort();
            taken_ += each.text().size();
        }
    }

private:
    std::uint64_t& taken_;
    wsolo::server_reader in_;
};

template <class Traits>
class only_writes {
public:
    explicit only_writes(std::uint64_t& taken) : out_(sink{&taken}, no_hook{}) {}
    void send(std::string_view text) {
        if (out_.send_text(text) != wsolo::errc::none) std::abort();
    }
    void write() {
        if (out_.pump().status != wsolo::pump_status::idle) std::abort();
    }

private:
    wsolo::single_writer<sink, no_hook, wsolo::server_side, wsolo::no_observer, Traits> out_;
};

template <class Traits>
class by_hand {
public:
    explicit by_hand(std::uint64_t& taken) : out_(sink{&taken}, no_hook{}) {}
    [[gnu::noinline]] void receive(wsolo::mutable_bytes bytes) {
        for (const wsolo::event& each : in_.read(bytes)) {
            if (!each.is_message() || out_.send_text(each.text()) != wsolo::errc::none) std::abort();
        }
        if (out_.pump().status != wsolo::pump_status::idle) std::abort();
    }

private:
    wsolo::server_reader in_;
    wsolo::single_writer<sink, no_hook, wsolo::server_side, wsolo::no_observer, Traits> out_;
};

struct lent {
    wsolo::errc on_message(auto& whole, const wsolo::message& received) const { return whole.send(received); }
};
struct owned {
    wsolo::errc on_message(auto& whole, wsolo::message&& received) const { return whole.send(received); }
};

template <class Handler, class Traits>
class by_endpoint {
public:
    explicit by_endpoint(std::uint64_t& taken) : whole_(sink{&taken}, no_hook{}, Handler{}) {}
    [[gnu::noinline]] void receive(wsolo::mutable_bytes bytes) {
        if (!whole_.receive(bytes).read) std::abort();
    }

private:
    wsolo::endpoint<sink, no_hook, Handler, wsolo::server_side, wsolo::in_the_loop, Traits> whole_;
};

class triple {
public:
    triple(bench::suite& suite, std::size_t size, int messages)
        : suite_(suite),
          size_(size),
          messages_(messages),
          at_least_(suite.quick() ? std::chrono::nanoseconds(1000) : std::chrono::milliseconds(20)) {}

    void run() {
        using std_traits = wsolo::std_blocking_traits;
        receives<only_reads>("reader", size_);
#ifdef WSOLO_BENCH_UWS
        receives<bench::uws_server<false>>("uws", size_);
#endif
        copies();
        compare("receive");

        sends<only_writes<std_traits>>("writer");
        sends<only_writes<wsolo::one_thread_traits>>("writer 1t");
#ifdef WSOLO_BENCH_UWS
        sends<bench::uws_server<true>>("uws");
#endif
        compare("send");

        echoes<by_hand<std_traits>>("reader+writer");
        echoes<by_endpoint<lent, std_traits>>("endpoint lent");
        echoes<by_endpoint<owned, std_traits>>("endpoint owned");
        echoes<by_hand<wsolo::one_thread_traits>>("reader+writer 1t");
        echoes<by_endpoint<lent, wsolo::one_thread_traits>>("endpoint lent 1t");
        echoes<by_endpoint<owned, wsolo::one_thread_traits>>("endpoint owned 1t");
#ifdef WSOLO_BENCH_UWS
        echoes<bench::uws_server<true>>("uws");
#endif
        copies();
        compare("echo");
    }

private:
    [[nodiscard]] std::size_t frame_size() const { return wsolo::encoded_size<wsolo::role::server>(size_); }

    /// `turn` handles `messages_` messages, each of which has to bring `bytes_out`.
    template <class Side, class Turn>
    void add(std::string impl, std::size_t bytes_out, Turn turn) {
        all_.push_back({std::move(impl), [this, bytes_out, turn] {
                            std::uint64_t taken = 0, turns = 0;
                            Side side(taken);
                            input from(size_, messages_);
                            const double each = bench::nanoseconds_per_call(
                                [&] {
                                    turn(side, from);
                                    ++turns;
                                },
                                at_least_);
                            if (taken != turns * bytes_out * static_cast<unsigned>(messages_)) std::abort();
                            return each / messages_;
                        }});
    }
    template <class Side>
    void receives(std::string impl, std::size_t bytes_out) {
        add<Side>(std::move(impl), bytes_out, [](Side& side, input& from) { side.receive(from.read()); });
    }
    template <class Side>
    void echoes(std::string impl) {
        receives<Side>(std::move(impl), frame_size());
    }
    template <class Side>
    void sends(std::string impl) {
        add<Side>(std::move(impl), frame_size(), [this, text = std::string(size_, 'm')](Side& side, input&) {
            for (int i = 0; i < messages_; ++i) side.send(text);
            side.write();
        });
    }
    void copies() {
        struct nothing {
            explicit nothing(std::uint64_t&) {}
        };
        add<nothing>("memcpy", 0, [](nothing&, input& from) {
            const wsolo::mutable_bytes bytes = from.read();
            asm volatile("" : : "r"(bytes.data()) : "memory");
        });
    }
    void compare(const std::string& name) {
        if (suite_.wants(name)) suite_.compare(name, size_, messages_, "ns/message", all_);
        all_.clear();
    }

    bench::suite& suite_;
    std::size_t size_;
    int messages_;
    std::chrono::nanoseconds at_least_;
    std::vector<contender> all_;
};

} // namespace

int main(int argc, char** argv) {
    bench::suite suite(argc, argv);
    for (const std::size_t size : {std::size_t{13}, std::size_t{1024}})
        for (const int messages : {1, 16, 64}) triple(suite, size, messages).run();
    return suite.finish();
}
