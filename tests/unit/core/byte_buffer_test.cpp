// Would catch: contents lost on growth or on a failed growth, a size that wraps, a moved-from buffer that
// still owns.

#include <support/catch.hpp>

#include <wsolo/core/byte_buffer.hpp>

#include <string>

using wsolo::byte_buffer;

TEST_CASE("appending keeps every byte through every growth", "[core][byte_buffer]") {
    byte_buffer buffer;
    std::string expected;
    for (int i = 0; i < 3000; ++i) {
        const std::string piece(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26));
        REQUIRE(buffer.append(wsolo::bytes_of(piece)));
        expected += piece;
    }
    CHECK(wsolo::text_of(buffer.view()) == expected);
    CHECK(buffer.capacity() < 2 * buffer.size() + 64);
}

TEST_CASE("extend gives room for exactly what was asked", "[core][byte_buffer]") {
    byte_buffer buffer;
    std::byte* tail = buffer.extend(3);
    REQUIRE(tail != nullptr);
    CHECK(tail == buffer.data());
    CHECK(buffer.size() == 3);
    CHECK(buffer.extend(5) == buffer.data() + 3);
    buffer.truncate(1);
    CHECK(buffer.size() == 1);
    buffer.clear();
    CHECK(buffer.empty());
    CHECK(buffer.capacity() >= 8);
    buffer.release();
    CHECK(buffer.capacity() == 0);
}

TEST_CASE("an impossible growth fails and changes nothing", "[core][byte_buffer]") {
    byte_buffer buffer;
    REQUIRE(buffer.append(wsolo::bytes_of("kept")));
    CHECK(buffer.extend(static_cast<std::size_t>(-1)) == nullptr);
    CHECK(buffer.extend(static_cast<std::size_t>(-1) - 3) == nullptr);
    CHECK(wsolo::text_of(buffer.view()) == "kept");
}

TEST_CASE("moving hands the memory over", "[core][byte_buffer]") {
    byte_buffer from;
    REQUIRE(from.append(wsolo::bytes_of("moved")));
    const std::byte* at = from.data();
    byte_buffer to(std::move(from));
    CHECK(to.data() == at);
    byte_buffer other;
    REQUIRE(other.append(wsolo::bytes_of("gone")));
    other = std::move(to);
    CHECK(wsolo::text_of(other.view()) == "moved");
    byte_buffer& self = other;
    other = std::move(self);
    CHECK(wsolo::text_of(other.view()) == "moved");
}

TEST_CASE("shrinking keeps the contents and gives the reserve back", "[core][byte_buffer]") {
    wsolo::byte_buffer buffer;
    buffer.shrink();
    CHECK(buffer.capacity() == 0);
    REQUIRE(buffer.reserve(10'000));
    REQUIRE(buffer.append(wsolo::bytes_of("kept")));
    buffer.shrink();
    CHECK(buffer.capacity() == 4);
    CHECK(wsolo::text_of(buffer.view()) == "kept");
    REQUIRE(buffer.append(wsolo::bytes_of(" and more")));
    CHECK(wsolo::text_of(buffer.view()) == "kept and more");
}
