#pragma once
// Bytes as tests and RFCs write them: "81 05 48 65".

#include <wsolo/core/bytes.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace support {

using byte_vector = std::vector<std::byte>;

/// Blanks are skipped; everything else is a pair of hexadecimal digits.
inline byte_vector from_hex(std::string_view digits) {
    const auto value = [](char digit) {
        return static_cast<unsigned>(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    };
    byte_vector bytes;
    for (std::size_t i = 0; i + 1 < digits.size();) {
        if (digits[i] == ' ') {
            ++i;
            continue;
        }
        bytes.push_back(static_cast<std::byte>(value(digits[i]) << 4 | value(digits[i + 1])));
        i += 2;
    }
    return bytes;
}

inline std::string to_hex(wsolo::const_bytes bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (const std::byte byte : bytes) {
        if (!hex.empty()) hex += ' ';
        hex += digits[std::to_integer<unsigned>(byte) >> 4];
        hex += digits[std::to_integer<unsigned>(byte) & 0x0fU];
    }
    return hex;
}

} // namespace support
