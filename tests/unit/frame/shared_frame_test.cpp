// Would catch: a frame freed while someone still holds it, freed twice or never (with the address sanitizer),
// a copy of the bytes where a reference was meant, a masked broadcast.

#include <support/catch.hpp>
#include <support/hex.hpp>

#include <wsolo/frame/shared_frame.hpp>

#include <array>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using support::to_hex;
using namespace wsolo;

TEST_CASE("a shared frame is a server's frame, encoded once", "[frame][shared_frame]") {
    const auto made = make_shared_frame(opcode::text, bytes_of("Hello"));
    REQUIRE(made);
    CHECK(to_hex(made->bytes()) == "81 05 48 65 6c 6c 6f"); // RFC 6455 §5.7
    const shared_frame copy = *made;
    CHECK(copy.bytes().data() == made->bytes().data());
    CHECK(copy == *made);
    CHECK_FALSE(copy == *make_shared_frame(opcode::text, bytes_of("Hello")));
    for (const std::size_t size : {0U, 125U, 126U, 65536U}) {
        const std::string payload(size, 'p');
        const auto frame = make_shared_frame({opcode::binary, false}, bytes_of(payload));
        REQUIRE(frame);
        CHECK(frame->bytes().size() == encoded_size<role::server>(size));
        CHECK(frame->bytes()[0] == std::byte{0x02});
        CHECK(text_of(frame->bytes()).substr(frame->bytes().size() - size) == payload);
    }
}

TEST_CASE("a reference can be empty, copied, moved, assigned and swapped", "[frame][shared_frame]") {
    static_assert(sizeof(shared_frame) == sizeof(void*));
    static_assert(std::is_nothrow_copy_constructible_v<shared_frame> &&
                  std::is_nothrow_move_constructible_v<shared_frame>);
    shared_frame empty;
    CHECK_FALSE(empty);
    CHECK(empty.bytes().empty());
    CHECK(empty == shared_frame());

    shared_frame one = *make_shared_frame(opcode::text, bytes_of("one"));
    shared_frame two = *make_shared_frame(opcode::text, bytes_of("two"));
    const std::byte* bytes_of_one = one.bytes().data();
    shared_frame copy = one;
    one = two;
    CHECK(copy.bytes().data() == bytes_of_one); // still held
    CHECK(one == two);
    shared_frame moved = std::move(copy);
    CHECK(moved.bytes().data() == bytes_of_one);
    const shared_frame& itself = moved;
    moved = itself;
    CHECK(text_of(moved.bytes()).substr(2) == "one");
    moved = empty;
    CHECK_FALSE(moved);
    one = {};
    CHECK(text_of(two.bytes()).substr(2) == "two");
}

TEST_CASE("it says whether it is a whole message", "[frame][shared_frame]") {
    const auto is_message = [](wsolo::frame_spec spec) { return make_shared_frame(spec, {})->is_message(); };
    CHECK_FALSE(shared_frame().is_message());
    CHECK(is_message(opcode::text));
    CHECK(is_message(opcode::binary));
    CHECK(is_message({opcode::text, true, true}));
    CHECK_FALSE(is_message({opcode::text, false}));
    CHECK_FALSE(is_message({opcode::continuation, true}));
    CHECK_FALSE(is_message(opcode::ping));
    CHECK_FALSE(is_message(opcode::close));
}

TEST_CASE("what may not be sent is not shared either", "[frame][shared_frame]") {
    CHECK(make_shared_frame(opcode::ping, bytes_of(std::string(126, 'x'))).error() ==
          errc::control_payload_too_big);
    CHECK(make_shared_frame({opcode::close, false}, {}).error() == errc::fragmented_control_frame);
    CHECK(make_shared_frame(static_cast<opcode>(5), {}).error() == errc::reserved_opcode);
    const std::byte nothing{};
    const const_bytes longest(&nothing, static_cast<std::size_t>(max_payload_size)); // never looked at
    CHECK(make_shared_frame(opcode::binary, longest).error() == errc::out_of_memory);
    const const_bytes too_long(&nothing, longest.size() / 2); // for the heap, and not looked at either
    CHECK(make_shared_frame(opcode::binary, too_long).error() == errc::out_of_memory);
}

TEST_CASE("references are taken and dropped from several threads", "[frame][shared_frame]") {
    const std::string payload(1000, 'p');
    for (int round = 0; round < 20; ++round) {
        shared_frame frame = *make_shared_frame(opcode::text, bytes_of(payload));
        std::vector<std::thread> threads;
        std::vector<int> intact(4);
        for (int& ok : intact) {
            threads.emplace_back([mine = frame, &ok, &payload] {
                for (int i = 0; i < 200; ++i) {
                    const shared_frame another = mine;
                    ok += text_of(another.bytes()).substr(4) == payload ? 1 : 0;
                }
            });
        }
        frame = {};
        for (std::thread& thread : threads) thread.join();
        for (const int ok : intact) CHECK(ok == 200);
    }
}

TEST_CASE("another form is made once, kept with the frame, and goes with it", "[frame][shared_frame]") {
    shared_frame kept;
    {
        const auto frame = make_shared_frame(opcode::text, bytes_of("Hello"));
        int made = 0;
        const auto make = [&] {
            return ++made, *make_shared_frame({opcode::text, true, true}, bytes_of("H"));
        };
        kept = frame->other_form(0, make);
        CHECK(frame->other_form(0, make) == kept);
        CHECK(made == 1);
        CHECK(text_of(kept.bytes()) == "\xc1\x01H");
        CHECK_FALSE(frame->other_form(1, [&] { return ++made, shared_frame(); }));
        CHECK_FALSE(frame->other_form(1, make)); // there is none, for all
        CHECK(made == 2);
        CHECK(text_of(frame->bytes()) == "\x81\x05Hello");
    }
    { // a passing want of memory is no answer for the next that asks
        const auto frame = make_shared_frame(opcode::text, bytes_of("Hello"));
        const auto lack = []() -> wsolo::result<shared_frame> { return wsolo::errc::out_of_memory; };
        CHECK_FALSE(frame->other_form(0, lack));
        CHECK(frame->other_form(0, [] { return *make_shared_frame(opcode::text, bytes_of("H")); }));
    }
    CHECK(text_of(kept.bytes()) == "\xc1\x01H"); // a reference of its own
}

TEST_CASE("threads that make the same form at once get one", "[frame][shared_frame]") {
    for (int round = 0; round < 50; ++round) {
        const auto frame = make_shared_frame(opcode::text, bytes_of("Hello"));
        std::array<shared_frame, 4> got;
        std::vector<std::thread> threads;
        for (shared_frame& each : got) {
            threads.emplace_back([&] {
                each = frame->other_form(1, [] { return *make_shared_frame(opcode::text, bytes_of("H")); });
            });
        }
        for (std::thread& each : threads) each.join();
        for (const shared_frame& each : got) CHECK(each == got[0]);
        CHECK(text_of(got[0].bytes()) == "\x81\x01H");
    }
}
