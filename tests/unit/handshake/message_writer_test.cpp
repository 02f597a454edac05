// Would catch: a span overrun by a byte, a container changed by a failed call, a field that carries a line
// break, a caller's field that doubles one of ours.

#include <support/catch.hpp>

#include <wsolo/handshake/message_writer.hpp>

#include <limits>
#include <new>
#include <string>
#include <vector>

using namespace wsolo::detail;
using wsolo::errc;
using wsolo::header_field;

namespace {

void compose(message_writer& out) {
    const header_field extra[] = {{"X", "1"}, {"Y", ""}};
    out.text("S ");
    out.number(0);
    out.text(" ");
    out.number(SIZE_MAX);
    out.text("\r\n");
    out.field("A", "b");
    out.optional_field("Never", "");
    out.optional_field("C", "d");
    out.fields(extra);
    out.text("");
}

const std::string composed = "S 0 " + std::to_string(SIZE_MAX) + "\r\nA: b\r\nC: d\r\nX: 1\r\nY: \r\n";

/// Has no memory to give.
struct poor_string : std::string {
    using std::string::string;
    void resize(std::size_t) { throw std::bad_alloc(); }
};

} // namespace

TEST_CASE("a span is filled exactly or not at all", "[handshake][message_writer]") {
    for (std::size_t size = 0; size <= composed.size() + 1; ++size) {
        std::string room(size + 1, '#');
        const wsolo::mutable_bytes to(reinterpret_cast<std::byte*>(room.data()), size);
        const auto written = write_message(to, compose);
        if (size < composed.size()) {
            CHECK(written.error() == errc::buffer_too_small);
            CHECK(room == std::string(size + 1, '#'));
        } else {
            REQUIRE(written);
            CHECK(*written == composed.size());
            CHECK(room == composed + std::string(size + 1 - composed.size(), '#'));
        }
    }
}

TEST_CASE("containers of bytes grow by exactly the message", "[handshake][message_writer]") {
    std::string text = "before ";
    CHECK(append_message(text, compose) == errc::none);
    CHECK(text == "before " + composed);

    std::vector<std::byte> bytes;
    CHECK(append_message(bytes, compose) == errc::none);
    CHECK(wsolo::text_of(bytes) == composed);

    std::vector<unsigned char> unsigned_chars{'x'};
    CHECK(append_message(unsigned_chars, compose) == errc::none);
    CHECK(std::string(unsigned_chars.begin(), unsigned_chars.end()) == "x" + composed);

    wsolo::byte_buffer buffer;
    REQUIRE(buffer.append(wsolo::bytes_of("before ")));
    CHECK(append_message(buffer, compose) == errc::none);
    CHECK(wsolo::text_of(buffer.view()) == "before " + composed);

    static_assert(!growable_bytes<std::vector<int>>);
    static_assert(!growable_bytes<wsolo::mutable_bytes>);
}

TEST_CASE("a container without memory is left as it was", "[handshake][message_writer]") {
    poor_string text = "kept";
    CHECK(append_message(text, compose) == errc::out_of_memory);
    CHECK(text == "kept");
}

TEST_CASE("further fields can neither break the head nor double the handshake's own",
          "[handshake][message_writer]") {
    const header_field legal[] = {{"Set-Cookie", "a=b; Path=/"}, {"X-Note", "caf\xc3\xa9\t"}, {"Empty", ""}};
    CHECK(are_extra_fields(legal));
    CHECK(are_extra_fields({}));
    const header_field illegal[] = {
        {"X", "a\r\nSet-Cookie: b"},
        {"X", "a\n"},
        {"X", "a\r"},
        {"X", std::string_view("\0", 1)},
        {"", "a"},
        {"X Y", "a"},
        {"X:", "a"},
        {"X\r\nY", "a"},
        {"upgrade", "a"},
        {"CONNECTION", "close"},
        {"Host", "a"},
        {"Origin", "a"},
        {"Content-Length", "0"},
        {"Content-Type", "a"},
        {"Transfer-Encoding", "chunked"},
        {"Sec-WebSocket-Key", "a"},
        {"Sec-WebSocket-Version", "13"},
        {"sec-websocket-accept", "a"},
        {"Sec-WebSocket-Protocol", "a"},
        {"Sec-WebSocket-Extensions", "a"},
    };
    for (const header_field& each : illegal) {
        INFO(each.name << ": " << each.value);
        CHECK_FALSE(are_extra_fields({&each, 1}));
        const header_field second[] = {{"X", "1"}, each};
        CHECK_FALSE(are_extra_fields(second));
    }
}

TEST_CASE("sizes that no memory has do not wrap", "[handshake][message_writer]") {
    const char nothing = 0;
    message_writer counted;
    counted.text({&nothing, SIZE_MAX - 5}); // never looked at
    CHECK(counted.size() == SIZE_MAX - 5);
    counted.text("123456");
    CHECK(counted.size() == SIZE_MAX);
    counted.text({&nothing, SIZE_MAX / 2});
    CHECK(counted.size() == SIZE_MAX);
    std::string text = "kept";
    std::vector<char> bytes{'k'};
    wsolo::byte_buffer buffer;
    for (const std::size_t count : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4, SIZE_MAX / 2 + 1}) {
        CHECK(wsolo::detail::lengthen(text, count) == nullptr);
        CHECK(wsolo::detail::lengthen(bytes, count) == nullptr);
        CHECK(wsolo::detail::lengthen(buffer, count) == nullptr);
    }
    CHECK(text == "kept");
    CHECK(bytes.size() == 1);
}

TEST_CASE("the same long text passed many times is no memory, not a short answer",
          "[handshake][message_writer]") {
    const std::string long_text(1000, 'x');
    const std::string_view impossible(long_text.data(), SIZE_MAX / 4); // only counted
    const auto compose = [&](message_writer& out) {
        for (int i = 0; i < 5; ++i) out.text(impossible);
    };
    std::string out = "kept";
    CHECK(wsolo::detail::append_message(out, compose) == wsolo::errc::out_of_memory);
    CHECK(out == "kept");
    std::byte room[64];
    CHECK(wsolo::detail::write_message(room, compose).error() == wsolo::errc::buffer_too_small);
}
