// Would catch: a shifted alphabet, wrong padding, a form that is taken with another length, alphabet or
// padding, or refused for bits of its last letter that stand for nothing.

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

} // namespace

TEST_CASE("Base64 of RFC 4648 §10", "[handshake][base64]") {
    CHECK(encoded("f") == "Zg==");
    CHECK(encoded("fo") == "Zm8=");
    CHECK(encoded("foo") == "Zm9v");
    CHECK(encoded("foob") == "Zm9vYg==");
    CHECK(encoded("fooba") == "Zm9vYmE=");
    CHECK(encoded("foobar") == "Zm9vYmFy");
}

TEST_CASE("every letter is right", "[handshake][base64]") {
    std::array<std::byte, 256> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
    const auto text = wsolo::detail::encode_base64(all);
    const std::string_view view(text.data(), text.size());
    CHECK(view.substr(0, 32) == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
    CHECK(view.substr(view.size() - 32) == "6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==");
    CHECK(wsolo::detail::is_base64_of(256, view));
}

TEST_CASE("Base64 is refused in any form but its own", "[handshake][base64]") {
    using wsolo::detail::is_base64_of;
    CHECK(is_base64_of(1, "Zg=="));
    CHECK_FALSE(is_base64_of(2, "Zg=="));    // another size
    CHECK_FALSE(is_base64_of(1, "Zm8="));    // two bytes
    CHECK_FALSE(is_base64_of(1, ""));        //
    CHECK_FALSE(is_base64_of(1, "Zg="));     // padding cut short
    CHECK_FALSE(is_base64_of(1, "Zg"));      // no padding
    CHECK_FALSE(is_base64_of(1, "Zg==="));   // too much
    CHECK_FALSE(is_base64_of(1, "Zg=A"));    // a letter in the padding
    CHECK_FALSE(is_base64_of(1, "Z==="));    // padding where a letter belongs
    CHECK_FALSE(is_base64_of(3, "Zm9="));    // the same at the end of a full group
    CHECK_FALSE(is_base64_of(3, "Zm 9"));    // white space
    CHECK_FALSE(is_base64_of(3, "Zm-_"));    // the URL alphabet
    CHECK_FALSE(is_base64_of(3, "Zm:v"));    // between the digits and the letters
    CHECK_FALSE(is_base64_of(3, "Zm{v"));    // after them
    CHECK_FALSE(is_base64_of(3, "Zm\xc3v")); // not ASCII
}

TEST_CASE("bits of the last letter that stand for nothing may be set", "[handshake][base64]") {
    for (const char letter : wsolo::detail::base64_alphabet) {
        INFO(letter);
        CHECK(wsolo::detail::is_base64_of(1, std::string("A") + letter + "=="));
        CHECK(wsolo::detail::is_base64_of(2, std::string("AA") + letter + "="));
    }
}
