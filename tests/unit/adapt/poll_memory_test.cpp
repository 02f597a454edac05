// Would catch: bytes that an idle connection begins to keep, in its own block or beside it: of its handshake, of what it read or
// wrote, for its handles, its group, its options or its place in the loop.
//
// Counted is what malloc gives out in this process: each block's usable bytes, and the 8 of its head (glibc). The kernel's own for
// the sockets and for epoll is not in it, nor is the one read buffer, which the loop has before and after.

#include <support/blocking_client.hpp>
#include <support/catch.hpp>
#include <support/heap.hpp>

#include <wsolo/adapt/poll.hpp>

#include <algorithm>
#include <vector>

#if WSOLO_TEST_COUNTS_HEAP && defined(__linux__)

using namespace std::chrono_literals;
using support::client;
using wsolo::errc;
namespace sockets = wsolo::adapt::poll;

namespace {

struct answering {
    errc on_message(auto& ws, const wsolo::message& got) const { return ws.send(got); }
};

long heap_bytes() {
    const support::heap_counts now = support::heap_now();
    return now.bytes + 8 * now.held;
}

/// A loop that this thread turns, and its peers. Catch2's assertions keep memory: none stands between two counts.
template <class Loop>
class turned {
public:
    explicit turned(std::size_t most) { peers_.reserve(most); }
    void open() {
        int ends[2] = {-1, -1};
        is_well_ = is_well_ && ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 &&
                   loop_.add(ends[0], answering{}, everyone) == errc::none;
        peers_.emplace_back(ends[1]);
        peers_.back().say(request);
        is_well_ = loop_.turn(0ms) && peers_.back().hear_head().starts_with("HTTP/1.1 101 ") && is_well_;
    }
    /// The last one says something, which is there when the loop looks.
    void echo() {
        peers_.back().say(client::text("hello"));
        is_well_ = loop_.turn(0ms) && peers_.back().hear(7) == client::unmasked("hello") && is_well_;
    }
    [[nodiscard]] bool is_well() const { return is_well_; }

    typename Loop::group_type everyone;

private:
    static constexpr std::string_view request =
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

    Loop loop_;
    std::vector<client> peers_;
    bool is_well_ = true;
};

// What checked builds add: for other threads' guards a list, for one thread's memory who it is in each word that is watched.
template <class Loop>
constexpr long checks = 0;
#if WSOLO_ENABLE_ASSERTS
template <>
constexpr long checks<sockets::loop> = 16;
template <>
constexpr long checks<sockets::one_thread_loop> = 240;
#endif

} // namespace

TEMPLATE_TEST_CASE("an idle connection of a loop keeps 512 bytes of the heap in all", "[adapt][poll][memory]",
                   sockets::loop, sockets::one_thread_loop) {
    constexpr int count =
        254; // with the loop's own bell and the first connection 256: the table doubles, and is full
    constexpr long allowed = 512 + checks<TestType>;
    turned<TestType> it(1 + count);
    std::vector<long> opened(count), echoed(count);
    it.open(); // what a loop and its group keep for good is not a connection's
    it.echo();
    const long before = heap_bytes(); // after a read: the read buffer is there
    for (std::size_t i = 0; i < count; ++i) {
        const long begin = heap_bytes();
        it.open();
        opened[i] = heap_bytes() - begin;
        it.echo();
        echoed[i] = heap_bytes() - begin;
    }
    const long sum = heap_bytes() - before;
    REQUIRE(it.is_well());
    CHECK(it.everyone.size() == 1 + count);
    // Most are alike: without the table's growth, and without a block of which malloc had to give more than was asked for.
    constexpr long in_the_table = sizeof(void*);
    for (auto* each : {&opened, &echoed}) {
        std::sort(each->begin(), each->end());
        CHECK((*each)[count / 2] + in_the_table <= allowed);
        CHECK((*each)[count / 2] >= 400); // it was counted
    }
    CHECK(sum <= (allowed + 16) * count); // the table too, and such blocks
}

#endif
