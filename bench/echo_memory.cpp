// ns per message of an echo in memory: what a message costs between a read and a write, without a system call
//
// Case echo: messages of `size` bytes, masked text, come in reads of `threads` messages (a column that has no other use
// here: 1 is a client that waits for its answer, 16 and 64 are pipelines), and are sent back. Impls:
//   reader+writer      basic_reader and single_writer by hand
//   endpoint lent      endpoint with a handler that takes const message&
//   endpoint owned     the same with a message&&
//   ... one thread     the same with one_thread_traits, where they are
//   memcpy             of the bytes of a read, which every row includes
// The transport takes everything and counts it: each row checks that every byte came back.

#include "support/sink.hpp"
#include "support/suite.hpp"
#include "support/timing.hpp"

#include <wsolo/wsolo.hpp>
#if __has_include(<wsolo/sync/one_thread_traits.hpp>)
#include <wsolo/sync/one_thread_traits.hpp>
#define WSOLO_BENCH_ONE_THREAD
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
        buffer_.resize(wire_.size());
    }
    wsolo::mutable_bytes read() {
        std::memcpy(buffer_.data(), wire_.data(), wire_.size());
        return buffer_;
    }

private:
    std::string wire_;
    std::vector<std::byte> buffer_;
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

class echo {
public:
    echo(bench::suite& suite, std::size_t size, int messages)
        : suite_(suite),
          size_(size),
          messages_(messages),
          at_least_(suite.quick() ? std::chrono::nanoseconds(1000) : std::chrono::milliseconds(20)) {}

    void run() {
        using std_traits = wsolo::std_blocking_traits;
        add<by_hand<std_traits>>("reader+writer");
        add<by_endpoint<lent, std_traits>>("endpoint lent");
        add<by_endpoint<owned, std_traits>>("endpoint owned");
#ifdef WSOLO_BENCH_ONE_THREAD
        add<by_hand<wsolo::one_thread_traits>>("reader+writer 1t");
        add<by_endpoint<lent, wsolo::one_thread_traits>>("endpoint lent 1t");
        add<by_endpoint<owned, wsolo::one_thread_traits>>("endpoint owned 1t");
#endif
        add_copy();
        suite_.compare("echo", size_, messages_, "ns/message", all_);
    }

private:
    template <class Server>
    void add(std::string impl) {
        all_.push_back({std::move(impl), [this] {
                            std::uint64_t taken = 0, reads = 0;
                            Server server(taken);
                            input from(size_, messages_);
                            const double each = bench::nanoseconds_per_call(
                                [&] {
                                    server.receive(from.read());
                                    ++reads;
                                },
                                at_least_);
                            const std::uint64_t one = wsolo::encoded_size<wsolo::role::server>(size_) *
                                                      static_cast<unsigned>(messages_);
                            if (taken != reads * one) std::abort();
                            return each / messages_;
                        }});
    }
    void add_copy() {
        all_.push_back({"memcpy", [this] {
                            input from(size_, messages_);
                            return bench::nanoseconds_per_call(
                                       [&] {
                                           const wsolo::mutable_bytes bytes = from.read();
                                           asm volatile("" : : "r"(bytes.data()) : "memory");
                                       },
                                       at_least_) /
                                   messages_;
                        }});
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
        for (const int messages : {1, 16, 64}) echo(suite, size, messages).run();
    return suite.finish();
}
