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
    CHECK(sizeof(server_reader) <= 160);
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
#endif
