// Would catch: a shifted alphabet, wrong padding, a decoder that takes another length, alphabet, padding,
// or bits behind the last byte, so that one value has several texts.

#include <support/catch.hpp>

#include <wsolo/handshake/base64.hpp>

#include <string>

namespace {

template <std::size_t Count>
std::array<std::byte, Count> bytes(const char (&text)[Count + 1]) {
    std::array<std::byte, Count> out{};
    for (std::size_t i = 0; i < Count; ++i) out[i] = static_cast<std::byte>(text[i]);
    return out;
}

template <std::size_t Count>
std::string encoded(const char (&text)[Count]) {
    const auto out = wsolo::detail::encode_base64(bytes<Count - 1>(text));
    return {out.data(), out.size()};
}

template <std::size_t Count>
bool decodes(std::string_view text) {
    std::array<std::byte, Count> out{};
    return wsolo::detail::decode_base64(text, out);
}

} // namespace

TEST_CASE("Base64 of RFC 4648 §10, both ways", "[handshake][base64]") {
    CHECK(encoded("f") == "Zg==");
    CHECK(encoded("fo") == "Zm8=");
    CHECK(encoded("foo") == "Zm9v");
    CHECK(encoded("foob") == "Zm9vYg==");
    CHECK(encoded("fooba") == "Zm9vYmE=");
    CHECK(encoded("foobar") == "Zm9vYmFy");

    std::array<std::byte, 5> back{};
    REQUIRE(wsolo::detail::decode_base64("Zm9vYmE=", back));
    CHECK(back == bytes<5>("fooba"));
}

TEST_CASE("every byte value survives, so every letter is right", "[handshake][base64]") {
    std::array<std::byte, 256> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
    const auto text = wsolo::detail::encode_base64(all);
    const std::string_view view(text.data(), text.size());
    CHECK(view.substr(0, 32) == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
    CHECK(view.substr(view.size() - 32) == "6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==");
    std::array<std::byte, 256> back{};
    REQUIRE(wsolo::detail::decode_base64(view, back));
    CHECK(back == all);
}

TEST_CASE("Base64 is refused in any form but its own", "[handshake][base64]") {
    CHECK(decodes<1>("Zg=="));
    CHECK_FALSE(decodes<2>("Zg=="));    // another size
    CHECK_FALSE(decodes<1>("Zm8="));    // two bytes
    CHECK_FALSE(decodes<1>(""));        //
    CHECK_FALSE(decodes<1>("Zg="));     // padding cut short
    CHECK_FALSE(decodes<1>("Zg"));      // no padding
    CHECK_FALSE(decodes<1>("Zg==="));   // too much
    CHECK_FALSE(decodes<1>("Zg=A"));    // a letter in the padding
    CHECK_FALSE(decodes<1>("Z==="));    // padding where a letter belongs
    CHECK_FALSE(decodes<3>("Zm9="));    // the same at the end of a full group
    CHECK_FALSE(decodes<3>("Zm 9"));    // white space
    CHECK_FALSE(decodes<3>("Zm-_"));    // the URL alphabet
    CHECK_FALSE(decodes<3>("Zm:v"));    // between the digits and the letters
    CHECK_FALSE(decodes<3>("Zm{v"));    // behind them
    CHECK_FALSE(decodes<3>("Zm\xc3v")); // not ASCII
}

TEST_CASE("bits behind the last byte are refused", "[handshake][base64]") {
    for (int value = 0; value < 64; ++value) {
        std::string text = "A?==";
        text[1] = wsolo::detail::base64_alphabet[static_cast<std::size_t>(value)];
        INFO(text);
        CHECK(decodes<1>(text) == (value % 16 == 0));
        text = "AA?=";
        text[2] = wsolo::detail::base64_alphabet[static_cast<std::size_t>(value)];
        CHECK(decodes<2>(text) == (value % 4 == 0));
    }
}
