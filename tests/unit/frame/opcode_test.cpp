// Would catch: a reserved opcode taken for a defined one, a control opcode taken for data.

#include <support/catch.hpp>

#include <wsolo/frame/opcode.hpp>

#include <set>

using wsolo::opcode;

TEST_CASE("the sixteen opcodes are classified as the RFC does", "[frame][opcode]") {
    // RFC 6455 §5.2: 0, 1, 2 and 8, 9, 10 are defined, "3-7 are reserved for further non-control frames",
    // "B-F are reserved for further control frames"
    const std::set<unsigned> defined{0, 1, 2, 8, 9, 10};
    for (unsigned value = 0; value < 16; ++value) {
        const auto op = static_cast<opcode>(value);
        INFO("opcode " << value);
        CHECK(wsolo::is_control(op) == (value >= 8));
        CHECK(wsolo::is_data(op) == (value < 8));
        CHECK(wsolo::is_reserved(op) == (defined.count(value) == 0));
        CHECK((wsolo::to_string(op) == "reserved") == (defined.count(value) == 0));
    }
    CHECK(wsolo::is_reserved(static_cast<opcode>(16)));
    CHECK(wsolo::is_reserved(static_cast<opcode>(0x81)));
}

TEST_CASE("opcodes have the RFC's names", "[frame][opcode]") {
    CHECK(wsolo::to_string(opcode::continuation) == "continuation");
    CHECK(wsolo::to_string(opcode::text) == "text");
    CHECK(wsolo::to_string(opcode::binary) == "binary");
    CHECK(wsolo::to_string(opcode::close) == "close");
    CHECK(wsolo::to_string(opcode::ping) == "ping");
    CHECK(wsolo::to_string(opcode::pong) == "pong");
}
