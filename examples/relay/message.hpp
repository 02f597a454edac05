#pragma once
// What the workers say: message `number` of worker `worker`, the same for every server and connection, so
// that a client can check each one to the last byte (clients/expected.py and .mjs make the same text).

#include <cstdint>
#include <string>

namespace relay {

/// Sizes on every path: below 126 bytes, with a 16-bit length, and above what a writer copies together.
[[nodiscard]] inline std::string make_message(unsigned worker, std::size_t number) {
    std::string text = "worker " + std::to_string(worker) + " message " + std::to_string(number) + ' ';
    const std::size_t padding = number % 64 == 63 ? 5000 : number % 8 == 7 ? 300 : 0;
    text.append(padding, static_cast<char>('a' + number % 26));
    return text;
}

} // namespace relay
