// Would catch: memory that zlib takes and the count does not know; an allocation that fails and is not noticed, a deflater that
// goes on referring to what was not sent; a writer that holds more than its bound while it compresses, or after it; an idle
// connection that holds what a long message needed; a message that is moved where it is only lent.

#include <support/catch.hpp>
#include <support/deflate.hpp>
#include <support/endpoint_fixture.hpp>
#include <support/heap.hpp>

#include <wsolo/adapt/zlib.hpp>

#include <utility>

using support::chat;
using support::compressible;
using wsolo::adapt::zlib::compressor;
using wsolo::adapt::zlib::decompressor;

TEST_CASE("what zlib holds is counted", "[deflate][memory]") {
    const support::heap_counts before = support::heap_now();
    {
        compressor out;
        decompressor in;
        CHECK(out.memory() + in.memory() == 0);
        const support::heap_counts none = support::heap_now();
        const bool opened = out.open({.window_bits = 12, .memory_level = 5}) && in.open(12);
        const support::heap_counts some = support::heap_now();
        REQUIRE(opened);
        CHECK(out.memory() > std::size_t{16} << 10);
        CHECK(out.memory() < std::size_t{192} << 10); // zlib-ng has 128 KiB of hashes at every level
        if (WSOLO_TEST_COUNTS_HEAP != 0) {
            const auto held = static_cast<std::size_t>(some.bytes - none.bytes);
            CHECK(out.memory() + in.memory() <= held);
            CHECK(out.memory() + in.memory() >= held - 400);
        }
        out.close();
        in.close();
        CHECK(out.memory() + in.memory() == 0);
    }
    CHECK(support::heap_now().held == before.held);
}

TEST_CASE("an allocation that fails is an answer, whichever it is", "[deflate][memory]") {
    if (WSOLO_TEST_COUNTS_HEAP == 0) return;
    const std::string text = compressible(3000), payload = support::plain_deflater().message(text);
    for (const wsolo::deflate_mode mode :
         {wsolo::deflate_mode::shared_compressor, wsolo::deflate_mode::own_stream,
          wsolo::deflate_mode::no_takeover}) {
        long failures = 0;
        for (long count = 0; count < 50; ++count) {
            wsolo::this_thread_compressors<compressor>().release();
            support::zlib_deflater out({15, true}, {.mode = mode});
            wsolo::byte_buffer one, two, three;
            bool first = false, second = false;
            {
                const support::no_heap none(count);
                first = out.deflate(wsolo::bytes_of(text), one);
                second = out.deflate(wsolo::bytes_of(text), two);
            }
            REQUIRE(out.deflate(wsolo::bytes_of(text), three));
            if (!first || !second) ++failures;
            support::plain_inflater peer;
            const auto take = [&](bool was_sent, const wsolo::byte_buffer& made) {
                if (!was_sent) {
                    CHECK(made.empty());
                    return;
                }
                if (mode == wsolo::deflate_mode::no_takeover) peer.reset();
                CHECK(peer.message(support::text_of(made)) == text);
            };
            take(first, one);
            take(second, two);
            take(true, three);
        }
        CHECK(failures > 3);
        CHECK(failures < 49);
    }
    long failures = 0;
    for (long count = 0; count < 50; ++count) {
        support::zlib_inflater in({15, true});
        wsolo::byte_buffer to;
        wsolo::errc error = wsolo::errc::none;
        {
            const support::no_heap none(count);
            error = in.append(wsolo::bytes_of(payload), true, true, to);
        }
        if (error == wsolo::errc::none) {
            CHECK(support::text_of(to) == text);
            const support::no_heap none; // no memory to trim with: nothing changes
            in.trim();
        } else {
            ++failures;
            CHECK(error == wsolo::errc::out_of_memory);
            CHECK(in.memory() == 0);
        }
        if (error == wsolo::errc::none) CHECK(in.memory() > 5000);
    }
    CHECK(failures > 2);
    CHECK(failures < 49);
}

namespace {

/// An encoder that looks at the heap, and at the budget, while its connection holds the most.
struct measured {
    static constexpr bool encodes = true;
    struct state {
        wsolo::adapt::zlib::permessage_deflate compression;
        long most = 0; ///< bytes of the heap, without those of compressors
        int compressed = 0;
        [[nodiscard]] long bytes_now() const {
            const std::size_t beside =
                compression.sending().memory() + wsolo::this_thread_compressors<compressor>().memory();
            return support::heap_now().bytes - static_cast<long>(beside);
        }
    };
    state* all = nullptr;

    bool wants(std::size_t size) const noexcept { return all->compression.wants(size); }
    template <class To>
    auto deflate(wsolo::const_bytes message, To&& to) noexcept {
        const auto made = all->compression.deflate(message, to);
        all->most = std::max(all->most, all->bytes_now());
        if (made) ++all->compressed;
        return made;
    }
    std::size_t shared_form() const noexcept { return all->compression.shared_form(); }
    template <class To>
    auto deflate_alone(wsolo::const_bytes message, To&& to) noexcept {
        return all->compression.deflate_alone(message, to);
    }
    void note_sent(wsolo::const_bytes message) noexcept { all->compression.note_sent(message); }
    void forget() noexcept { all->compression.forget(); }
};

} // namespace

TEMPLATE_TEST_CASE("what is compressed stays in the budget, and the heap in its bound", "[deflate][memory]",
                   server, client) {
    if (WSOLO_TEST_COUNTS_HEAP == 0) return;
    using wsolo::deflate_mode;
    for (const std::size_t budget : {std::size_t{20'000}, std::size_t{400'000}, std::size_t{3'000'000}}) {
        for (const deflate_mode mode :
             {deflate_mode::shared_compressor, deflate_mode::own_stream, deflate_mode::no_takeover}) {
            for (const std::size_t size : {std::size_t{1}, std::size_t{400}, budget / 6, budget - 200}) {
                for (const bool shrinks : {true, false}) {
                    INFO("budget " << budget << ", mode " << static_cast<int>(mode) << ", messages of "
                                   << size << " bytes, " << shrinks);
                    const std::string text = shrinks ? compressible(size) : support::noise(size);
                    wsolo::writer_options options;
                    options.limits.max_bytes = budget;
                    measured::state seen{
                        wsolo::adapt::zlib::permessage_deflate({.mode = mode, .min_size = 0})};
                    seen.compression.agree(TestType::self, {});
                    writer_fixture<TestType, measured> f(options, measured{&seen});
                    bool is_open = false;
                    f.wire.rule([&] {
                        return is_open ? wsolo::testing::scripted_step{}
                                       : wsolo::testing::scripted_step{io_status::would_block, 0, 0};
                    });
                    const long before = seen.bytes_now();
                    // Until it is full of what is encoded already, and of what is not.
                    for (int round = 0; round < 3; ++round) {
                        while (f.out->send_binary(wsolo::bytes_of(text)) == errc::none) {}
                        CHECK(f.out->pump().status == pump_status::blocked);
                        CHECK(f.out->queued_bytes() <= budget);
                        seen.most = std::max(seen.most, seen.bytes_now());
                    }
                    CHECK(seen.most - before <= static_cast<long>(budget + budget / 4 + 64 * 1024));
                    if (shrinks && size > 1000) CHECK(seen.compressed > 0);
                }
            }
        }
    }
}

namespace {

/// What a connection may hold besides (deflate/options.hpp), and what zlib and the heap round up.
struct side_bounds {
    std::size_t sending = 0, receiving = 0, receiving_trimmed = 0;
};
side_bounds bounds_of(const wsolo::deflate_options& options, std::uint8_t bits, bool takeover) {
    const std::size_t window = std::size_t{1} << bits, slack = 8 * 1024;
    side_bounds most;
    if (takeover && options.mode == wsolo::deflate_mode::shared_compressor)
        most.sending = options.kept_window;
    if (takeover && options.mode == wsolo::deflate_mode::own_stream)
        most.sending = (std::size_t{1} << (options.memory_level + 9)) + 4 * window + slack;
    if (takeover) most.receiving = window + slack;
    if (takeover) most.receiving_trimmed = window;
    return most;
}

} // namespace

TEST_CASE("an idle connection holds what its options say: none at first, a bound after any message, less "
          "after trim()",
          "[deflate][memory]") {
    using wsolo::deflate_mode;
    const std::string longest = compressible(std::size_t{16} << 20);
    const std::string texts[] = {compressible(3000), compressible(400)};
    for (const deflate_mode mode :
         {deflate_mode::shared_compressor, deflate_mode::own_stream, deflate_mode::no_takeover}) {
        for (const bool takeover : {true, false}) {
            struct settings {
                std::uint8_t bits, level;
            };
            for (const settings& one_of : std::initializer_list<settings>{{15, 8}, {9, 1}, {12, 9}}) {
                const std::uint8_t bits = one_of.bits, level = one_of.level;
                const wsolo::deflate_direction each{bits, takeover};
                INFO(static_cast<int>(mode) << ", " << takeover << ", " << int{bits} << " " << int{level});
                const wsolo::deflate_options options{.mode = mode, .memory_level = level};
                const side_bounds most = bounds_of(options, bits, takeover);
                wsolo::this_thread_compressors<compressor>().release();
                const long before = support::heap_now().bytes;
                const auto held = [&] {
                    return support::heap_now().bytes - before -
                           static_cast<long>(wsolo::this_thread_compressors<compressor>().memory());
                };
                wsolo::adapt::zlib::permessage_deflate one(options), two(options);
                one.agree(wsolo::role::server, {each, each});
                two.agree(wsolo::role::client, {each, each});
                one.limit(longest.size());
                two.limit(longest.size());
                CHECK(one.memory() + two.memory() == 0);
                CHECK(support::heap_now().bytes == before);
                const auto pass = [&](auto& from, auto& to, std::string_view text) {
                    std::vector<std::byte> made(text.size() + 16);
                    const std::size_t size = from.deflate(wsolo::bytes_of(text), wsolo::mutable_bytes(made));
                    wsolo::byte_buffer back;
                    return size != 0 &&
                           to.inflate(wsolo::const_bytes(made).first(size), true, back) == errc::none &&
                           wsolo::text_of(std::as_const(back).view()) == text;
                };
                for (const std::string* const text : {&texts[0], &longest, &texts[1]}) {
                    const bool arrived = pass(one, two, *text) && pass(two, one, *text);
                    const long now = held();
                    CHECK(arrived);
                    CHECK(one.sending().memory() <= most.sending);
                    CHECK(one.receiving().memory() <= most.receiving);
                    CHECK(now <= 2 * static_cast<long>(most.sending + most.receiving) + 2000);
                }
                one.trim();
                two.trim();
                const long now = held();
                CHECK(one.sending().memory() == 0);
                CHECK(one.memory() <= most.receiving_trimmed);
                CHECK(now <= 2 * static_cast<long>(most.receiving_trimmed) + 2000);
                const bool goes_on = pass(one, two, texts[0]) && pass(two, one, texts[0]);
                CHECK(goes_on);
            }
        }
    }
}

namespace {

template <class Side>
struct lent_to {
    lent_to() { compression.agree(Side::self, {}); }
    wsolo::adapt::zlib::permessage_deflate compression;
    std::size_t got = 0;
    void on_message(auto&, const wsolo::message& one) { got += one.bytes().size(); }
};
template <class Side>
struct kept_by {
    kept_by() { compression.agree(Side::self, {}); }
    wsolo::adapt::zlib::permessage_deflate compression;
    wsolo::message last;
    void on_message(auto&, wsolo::message&& one) { last = std::move(one); }
};

} // namespace

TEMPLATE_TEST_CASE("an inflated message is moved only where it is kept", "[deflate][memory]", server,
                   client) {
    if (WSOLO_TEST_COUNTS_HEAP == 0) return;
    const std::string text = chat(1);
    const auto alone = [](std::string_view of) { return support::plain_deflater().message(of); };
    const auto receive = [](auto& f, std::string bytes) {
        const support::heap_counts before = support::heap_now();
        static_cast<void>(f.whole->receive(std::as_writable_bytes(std::span(bytes))));
        const support::heap_counts after = support::heap_now();
        return std::pair(after.taken - before.taken, after.bytes - before.bytes);
    };
    endpoint_fixture<TestType, wsolo::in_the_loop, lent_to<TestType>> lending;
    const wsolo::frame_spec compressed(wsolo::opcode::text, true, true);
    static_cast<void>(receive(lending, lending.frame(compressed, alone(text)))); // zlib's own memory
    CHECK(receive(lending, lending.frame(compressed, alone(text))).first == 1);
    CHECK(lending.whole->handler().got == 2 * text.size());
    endpoint_fixture<TestType, wsolo::in_the_loop, kept_by<TestType>> keeping;
    static_cast<void>(receive(keeping, keeping.frame(compressed, alone("x"))));
    CHECK(receive(keeping, keeping.frame(compressed, alone(text))).second <=
          static_cast<long>(text.size()) + 32);
    CHECK(keeping.whole->handler().last.text() == text);
}

namespace {

/// A wire that keeps what is written in memory of its own, so that it needs none.
struct roomy_wire {
    std::string bytes = std::string(std::size_t{64} << 10, '\0');
    std::size_t size = 0;
};
struct roomy_transport {
    roomy_wire* wire;
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) const {
        const std::size_t before = wire->size;
        for (const wsolo::const_bytes part : parts) {
            wsolo::detail::copy_bytes(reinterpret_cast<std::byte*>(wire->bytes.data()) + wire->size,
                                      part.data(), part.size());
            wire->size += part.size();
        }
        return {wsolo::io_status::ok, wire->size - before, 0};
    }
    void finish(wsolo::end_of_write) const {}
    void end_output() const {}
    void disconnect() const {}
};
struct no_wake {
    bool operator()() const { return true; }
};
struct echoing {
    wsolo::adapt::zlib::permessage_deflate compression;
    errc on_message(auto& ws, const wsolo::message& one) { return ws.send(one); }
};

/// How many of `texts`, from the first on, are what `bytes` say; -1: something else is in them.
template <class Side>
int texts_in(const roomy_wire& wire, const std::vector<std::string>& texts, bool takes_over) {
    const strict::stream all = strict::parse(std::string_view(wire.bytes).substr(0, wire.size),
                                             wsolo::masks(Side::self), false, true);
    support::plain_inflater peer;
    std::size_t count = 0;
    for (const strict::frame& each : all.frames) {
        if (each.opcode == 8) continue;
        if (each.rsv1 && !takes_over) peer.reset();
        const std::string text = each.rsv1 ? peer.message(each.payload) : each.payload;
        if (each.opcode != 1 || count == texts.size() || text != texts[count]) return -1;
        ++count;
    }
    return all.error.empty() && all.rest == 0 ? static_cast<int>(count) : -1;
}

} // namespace

TEMPLATE_TEST_CASE("whichever allocation fails, an endpoint's peer can inflate what it gets, and all memory "
                   "goes back",
                   "[deflate][memory]", server, client) {
    if (WSOLO_TEST_COUNTS_HEAP == 0) return;
    using wsolo::deflate_mode;
    const std::vector<std::string> texts{compressible(600), compressible(500, 1), compressible(3000, 2),
                                         compressible(700, 1)};
    endpoint_fixture<TestType> frames; // makes the peer's
    support::plain_deflater peer;
    std::vector<std::string> received;
    for (const std::string& each : texts)
        received.push_back(frames.frame({wsolo::opcode::text, true, true}, peer.message(each)));
    for (const deflate_mode mode :
         {deflate_mode::shared_compressor, deflate_mode::own_stream, deflate_mode::no_takeover}) {
        int ended = 0, whole_runs = 0;
        for (long n = 0; n < 60; ++n) {
            wsolo::this_thread_compressors<compressor>().release();
            std::vector<std::string> input = received; // it is unmasked in place
            roomy_wire wire;
            const support::heap_counts before = support::heap_now();
            int arrived = 0;
            bool is_open = false;
            errc reason = errc::none;
            {
                echoing handler{wsolo::adapt::zlib::permessage_deflate({.mode = mode})};
                handler.compression.agree(TestType::self, {});
                wsolo::endpoint<roomy_transport, no_wake, echoing, TestType, wsolo::in_the_loop,
                                manual_traits>
                    whole(roomy_transport{&wire}, no_wake{}, std::move(handler),
                          endpoint_fixture<TestType>::quiet());
                const auto receive = [&](std::string& bytes) {
                    is_open = whole.receive(std::as_writable_bytes(std::span(bytes))).read;
                };
                {
                    const support::no_heap none(n);
                    for (std::size_t at = 0; at < 3 && (at == 0 || is_open); ++at) receive(input[at]);
                }
                if (is_open) receive(input[3]);
                reason = whole.how_it_ended().reason;
                arrived = texts_in<TestType>(wire, texts, mode != deflate_mode::no_takeover);
                wsolo::this_thread_compressors<compressor>().release();
            }
            const support::heap_counts after = support::heap_now(); // before Catch2 takes some
            INFO("mode " << static_cast<int>(mode) << ", after " << n << " allocations");
            CHECK(arrived == (is_open ? 4 : std::min(arrived, 3)));
            CHECK(arrived >= 0);
            CHECK(reason == (is_open ? errc::none : errc::out_of_memory));
            CHECK(after.held == before.held);
            ++(is_open ? whole_runs : ended);
        }
        CHECK(ended > 3);
        CHECK(whole_runs > 3);
    }
}
