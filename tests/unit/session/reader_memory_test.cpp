// Would catch: a copy or an allocation where none is needed; memory kept by an idle reader; a heap that has
// nothing left and a reader that goes on as if it had.

#include <support/catch.hpp>
#include <support/event_log.hpp>
#include <support/heap.hpp>

using namespace support;

TEST_CASE("a message that lies whole in the input is not copied", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x81, "short").frame(0x82, std::string(300, 'x')).frame(0x89, "ping");
    sent.frame(0x02).frame(0x80, "all in its last fragment");
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    const heap_counts before = heap_now();
    int events = 0;
    bool grew = false;
    bool inside = true;
    for (auto& event : in.read(received.view())) {
        const std::byte* end = received.data() + received.view().size();
        inside = inside && event.payload().data() >= received.data() &&
                 event.payload().data() + event.payload().size() <= end;
        grew = grew || heap_now() != before;
        ++events;
    }
    CHECK(events == 4);
    CHECK_FALSE(grew);
    CHECK(inside);
}

TEST_CASE("fragments are delivered without allocating, byte by byte too", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x81, "Hello").frame(0x89, "one").frame(0x01, "\xE2").frame(0x89, "two").frame(0x00, "\x82");
    sent.frame(0x89).frame(0x80, "\xAC!").frame(0x82, std::string(300, 'b'));
    sent.frame(0x89, std::string(125, 'p')).close(1000, "bye");
    std::vector<std::byte> received(sent.bytes());
    read_limits limits;
    limits.deliver = delivery::fragments;
    server_reader in(limits);
    const heap_counts before = heap_now();
    bool allocated = false;
    int pings = 0;
    for (std::byte& byte : received) {
        for (auto& event : in.read(mutable_bytes(&byte, 1))) {
            pings += event.kind() == event_kind::ping ? 1 : 0;
            allocated = allocated || heap_now() != before;
        }
        allocated = allocated || heap_now() != before;
    }
    CHECK(pings == 4);
    CHECK_FALSE(allocated);
    CHECK(in.peer_closed());
}

TEST_CASE("an idle reader holds no memory, whatever it read before", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x01, std::string(5000, 'x'))
        .frame(0x89, "p")
        .frame(0x80, std::string(5000, 'y'))
        .frame(0x8a, "q");
    server_reader in;
    const heap_counts before = heap_now();
    std::size_t largest = 0;
    for (std::byte byte : sent.bytes()) {
        for (auto& event : in.read(mutable_bytes(&byte, 1))) {
            if (event.is_message()) largest = event.payload().size();
        }
    }
    CHECK(largest == 10000);
    CHECK(heap_now().held == before.held);
    if (WSOLO_TEST_COUNTS_HEAP) CHECK(heap_now().taken > before.taken);
    CHECK(sizeof(server_reader) <= 128);
}

TEST_CASE("a message that a Close cuts off is given back", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x01, std::string(5000, 'x'));
    const std::size_t first = sent.size();
    sent.close(1000, "bye");
    for (const bool cut : {false, true}) {
        std::vector<std::byte> received(sent.bytes());
        const mutable_bytes all(received);
        server_reader in;
        const heap_counts before = heap_now();
        for (auto& event : in.read(all.first(first))) FAIL(event.payload().size());
        if (cut) {
            for (auto& event : in.read(all.subspan(first, 3))) FAIL(event.payload().size());
        }
        bool closed = false;
        for (auto& event : in.read(all.subspan(first + (cut ? 3 : 0)))) {
            closed = event.kind() == event_kind::peer_close;
        }
        CHECK(closed);
        CHECK(heap_now().held == before.held);
    }
}

TEST_CASE("a message that was late is given back at once", "[session][reader]") {
    using namespace std::chrono_literals;
    constexpr time_point start{100h};
    std::vector<std::byte> received;
    {
        stream sent(role::client);
        sent.frame(0x01, std::string(50'000, 'x'));
        received = sent.bytes();
    }
    read_limits limits;
    limits.max_message_age = std::chrono::seconds(20);
    server_reader in(limits);
    const heap_counts before = heap_now();
    for (auto& event : in.read(mutable_bytes(received))) FAIL(event.payload().size());
    static_cast<void>(in.tick(start));
    static_cast<void>(in.tick(start + 20s));
    CHECK(in.tick(start + 25s) == start + 25s);
    CHECK(heap_now().held == before.held);
}

#if WSOLO_TEST_COUNTS_HEAP
namespace {

/// Reads half a message and what `write` adds to it, cut `cut` bytes into that; says what is kept of it in the end,
/// while the last event is still in use.
template <role Role>
long kept_after(void (*write)(stream&), std::size_t cut, event_kind end) {
    stream sent(peer_of(Role));
    sent.frame(0x01, std::string(500'000, 'x'));
    const std::size_t first = sent.size();
    write(sent);
    std::vector<std::byte> received(sent.bytes());
    const mutable_bytes all(received);
    basic_reader<default_side<Role>> in;
    const heap_counts before = heap_now();
    for (auto& event : in.read(all.first(first + cut))) static_cast<void>(event);
    auto events = in.read(all.subspan(first + cut));
    auto last = events.begin();
    while (last != events.end() && last->kind() != end) ++last;
    if (!(last != events.end())) return -1;
    return heap_now().bytes - before.bytes;
}

template <role Role>
void check_nothing_kept() {
    const auto close = [](stream& s) { s.close(1000, "bye").frame(0x81, "more"); };
    const auto broken = [](stream& s) { s.frame(0x82, "not a continuation").frame(0x81, "more"); };
    const auto control = [](stream& s) { s.frame(0x89, "ping").frame(0x83, "reserved"); };
    for (std::size_t cut = 0; cut < 7; ++cut) {
        INFO("cut " << cut << " bytes into it");
        const long of_close = kept_after<Role>(close, cut, event_kind::peer_close);
        CHECK(of_close >= 0);
        CHECK(of_close < 200);  // a Close that was cut has to lie somewhere
        if (cut != 0) continue; // found before the cut
        CHECK(kept_after<Role>(broken, cut, event_kind::failure) == 0);
        CHECK(kept_after<Role>(control, cut, event_kind::failure) == 0);
    }
    CHECK(kept_after<Role>(control, 4, event_kind::failure) == 0);
}

template <role Role>
void check_given_up() {
    for (const std::size_t cut : {0U, 4U}) { // the PING whole in the input, or kept with the message
        stream sent(peer_of(Role));
        sent.frame(0x01, std::string(500'000, 'x'));
        const std::size_t first = sent.size();
        sent.frame(0x89, "ping").frame(0x80, "the rest");
        std::vector<std::byte> received(sent.bytes());
        const mutable_bytes all(received);
        basic_reader<default_side<Role>> in;
        const heap_counts before = heap_now();
        for (auto& event : in.read(all.first(first + cut))) static_cast<void>(event);
        for (auto& event : in.read(all.subspan(first + cut))) {
            if (event.kind() == event_kind::ping) break; // and the rest is never asked for
        }
        CHECK(in.error() == errc::aborted);
        CHECK(heap_now().held == before.held);
    }
}

} // namespace

TEST_CASE("nothing of an unfinished message outlives the peer's Close or a failure", "[session][reader]") {
    SECTION("a server reads") { check_nothing_kept<role::server>(); }
    SECTION("a client reads") { check_nothing_kept<role::client>(); }
}

TEST_CASE("an unfinished message goes with the input that was given up", "[session][reader]") {
    SECTION("a server reads") { check_given_up<role::server>(); }
    SECTION("a client reads") { check_given_up<role::client>(); }
}

TEST_CASE("fragments cost no memory, however many there are", "[session][reader]") {
    for (const delivery deliver : {delivery::messages, delivery::fragments}) {
        read_limits limits;
        limits.deliver = deliver;
        server_reader in(limits);
        stream begin(role::client);
        begin.frame(0x02, "x");
        std::vector<std::byte> first(begin.bytes());
        for (auto& event : in.read(mutable_bytes(first))) static_cast<void>(event);
        const heap_counts before = heap_now();
        stream empty(role::client);
        for (int i = 0; i < 1000; ++i) empty.frame(0x00);
        const heap_counts with_input = heap_now();
        for (int i = 0; i < 100; ++i) {
            std::vector<std::byte> received(empty.bytes());
            for (auto& event : in.read(mutable_bytes(received))) static_cast<void>(event);
        }
        CHECK(in.open());
        CHECK(heap_now().bytes == with_input.bytes);
        CHECK(before.held < with_input.held);
    }
}
#endif

TEST_CASE("a copy that finds no memory is refused", "[session][event]") {
    const std::byte nothing{};
    wsolo::event found;
    const const_bytes endless(&nothing, static_cast<std::size_t>(max_payload_size)); // never looked at
    wsolo::detail::event_access::control(found, event_kind::ping, endless);
    CHECK(found.copy_bytes().error() == errc::out_of_memory);
}

#if WSOLO_TEST_COUNTS_HEAP
namespace {

/// What a reader makes of a stream of which `cut` bytes come while the heap is empty.
template <role Role>
std::string without_memory(const stream& sent, std::size_t cut) {
    std::vector<std::byte> received(sent.bytes());
    basic_reader<default_side<Role>> in;
    const char* said = "";
    errc error = errc::none;
    {
        const no_heap none;
        for (auto& event : in.read(mutable_bytes(received).first(cut))) {
            said = event.kind() == event_kind::failure ? "failed " : "read ";
            if (event.kind() == event_kind::failure) error = event.error();
        }
    }
    return std::string(said) + std::string(name_of(error)) + (in.open() ? "" : ", over");
}

template <role Role>
void check_without_memory() {
    const stream from(peer_of(Role));
    const auto cut = [&](unsigned first, std::string_view payload) {
        stream sent = from;
        sent.frame(first, payload);
        return without_memory<Role>(sent, sent.size() - 1);
    };
    CHECK(cut(0x81, "a text, cut") == "failed out_of_memory, over");
    CHECK(cut(0x82, "bytes, cut") == "failed out_of_memory, over");
    CHECK(cut(0x89, "a PING, cut") == "failed out_of_memory, over");
    stream sent = from;
    sent.frame(0x01, "a fragment");
    CHECK(without_memory<Role>(sent, sent.size()) == "failed out_of_memory, over");
    sent = from;
    sent.frame(0x81, "a text that lies whole in the input needs none");
    CHECK(without_memory<Role>(sent, sent.size()) == "read none");
}

} // namespace

TEST_CASE("what has to be kept and can not be fails the connection", "[session][reader]") {
    SECTION("a server reads") { check_without_memory<role::server>(); }
    SECTION("a client reads") { check_without_memory<role::client>(); }
}

TEST_CASE("kept bytes that find no memory for more are as they were, and all goes back",
          "[session][reader]") {
    const heap_counts before = heap_now();
    bool grew = false;
    bool is_same = false;
    {
        wsolo::detail::kept_bytes kept;
        std::byte* const tail = kept.extend(10);
        REQUIRE(tail != nullptr);
        for (std::size_t i = 0; i < 10; ++i) tail[i] = static_cast<std::byte>(i);
        kept.set_mark(7);
        {
            const no_heap none;
            grew = kept.reserve_more(100'000) || kept.extend(100'000) != nullptr;
        }
        is_same = kept.size() == 10 && kept.mark() == 7;
        for (std::size_t i = 0; i < 10; ++i) is_same = is_same && kept.view()[i] == static_cast<std::byte>(i);
        wsolo::detail::kept_bytes moved(std::move(kept));
        kept = std::move(moved);
    }
    const heap_counts after = heap_now();
    CHECK_FALSE(grew);
    CHECK(is_same);
    CHECK(after.held == before.held);
}
#endif
