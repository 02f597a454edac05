// Would catch: a host that only looks like one by its characters (half an escape, an address with a group too
// many, too few or too long), one that hides a space, a user name, a path or a second host; a legal form of
// address that is refused; a port beyond 65535 that wraps into another.

#include <support/catch.hpp>

#include <wsolo/handshake/host.hpp>

#include <string>

using namespace wsolo::detail;

TEST_CASE("a host is a name or an address, and perhaps a port", "[handshake][host]") {
    for (const char* legal : {"example.com",
                              "example.com:8080",
                              "example.com:",
                              "127.0.0.1:80",
                              "[::1]",
                              "[::1]:9001",
                              "[::1]:",
                              "[::ffff:1.2.3.4]",
                              "a_b-c~d.e",
                              "xn--bcher-kva.example",
                              "%41",
                              "a%2Fb",
                              "%41%42",
                              "a!$&'()*+,;=b",
                              "1.2.3.999",
                              "256",
                              "a..b",
                              ".",
                              "[v1.fe]",
                              "[vF.a:b]:80",
                              "[V1f.-._~!$&'()*+,;=:]"}) {
        INFO(legal);
        CHECK(is_host(legal));
    }
    for (const char* illegal : {"",
                                ":80",
                                "a b",
                                "a,b c",
                                "user@host",
                                "host/path",
                                "host:80a",
                                "host:80:80",
                                "host:-1",
                                "host:+1",
                                "[]",
                                "[::1",
                                "::1]",
                                "[::g]",
                                "[::1]x",
                                "[::1]x:80",
                                "[::1]:8a",
                                "[::1]]",
                                "x[::1]",
                                "::1",
                                "a%",
                                "a%4",
                                "%zz",
                                "%4g",
                                "%g4",
                                "b\xc3\xbc"
                                "cher.example",
                                "a\"b",
                                "a?b",
                                "a#b",
                                "a\\b",
                                "a|b",
                                "[v.fe]",
                                "[v1]",
                                "[v1.]",
                                "[v1fe]",
                                "[vg.a]",
                                "[v1.a/b]",
                                "[1.2.3.4]",
                                "[example]",
                                "[fe80::1%25eth0]"}) {
        INFO(illegal);
        CHECK_FALSE(is_host(illegal));
    }
}

TEST_CASE("an IPv6 address has eight groups, of which one run may be left out", "[handshake][host]") {
    for (const char* legal :
         {"::", "::1", "1::", "1::8", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3::6:7:8",
          "abcd:EF01:0:0000:9::", "2001:db8::ff00:42:8329", "::1.2.3.4", "::ffff:255.255.255.255",
          "1:2:3:4:5:6:1.2.3.4", "1::6:0.0.0.0", "1:2:3:4:5::1.2.3.4"}) {
        INFO(legal);
        CHECK(is_ipv6(legal));
        CHECK(is_host("[" + std::string(legal) + "]"));
    }
    for (const char* illegal : {"",
                                ".",
                                ":",
                                "1",
                                ":::",
                                "::::",
                                "1:::2",
                                "::1::",
                                "1::2::3",
                                ":1",
                                "1:",
                                "1:2:3:4:5:6:7",
                                "1:2:3:4:5:6:7:",
                                "1:2:3:4:5:6:7:8:9",
                                "1:2:3:4:5:6:7:8::",
                                "::1:2:3:4:5:6:7:8",
                                "12345::",
                                "::12345",
                                "g::",
                                "1:2:3:4:5:6:7:1.2.3.4",
                                "1.2.3.4",
                                "::1.2.3",
                                "::1.2.3.4.5",
                                "::1.2.3.4:5",
                                "::256.1.1.1",
                                "::01.1.1.1",
                                "::1.2.3.",
                                "::.1.2.3",
                                "::1..2.3",
                                "1.2.3.4::",
                                "::1%0",
                                ":: 1"}) {
        INFO(illegal);
        CHECK_FALSE(is_ipv6(illegal));
    }
}

TEST_CASE("octets end at 255 and have no leading zero", "[handshake][host]") {
    for (int octet = 0; octet < 1000; ++octet) {
        const std::string text = std::to_string(octet);
        INFO(text);
        CHECK(is_ipv4(text + ".0.0.0") == (octet < 256));
        CHECK(is_ipv4("0.0.0." + text) == (octet < 256));
    }
    for (const char* illegal : {"", "1", "1.2", "1.2.3", "1.2.3.4.", "00.0.0.0", "1.2.3.4 ", "1.2.3.0004"}) {
        CHECK_FALSE(is_ipv4(illegal));
    }
}

TEST_CASE("host and port are told apart, and ports compare as numbers", "[handshake][host]") {
    const host_parts named = split_host("example.com:8080");
    CHECK(named.host == "example.com");
    CHECK(named.port == "8080");
    const host_parts address = split_host("[::1]:0443");
    CHECK(address.host == "[::1]");
    CHECK(port_number(address.port, 80) == 443);
    CHECK(port_number(split_host("[::1]").port, 80) == 80);
    CHECK(port_number(split_host("a:").port, 80) == 80);
    CHECK(port_number("65535", 0) == 65535);
    CHECK(port_number("65536", 0) == -1);
    CHECK(port_number("4294967376", 0) == -1); // 80 in 32 bits
}
