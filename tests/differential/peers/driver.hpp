#pragma once
// What the C++ drivers share: cases from standard input, logs to standard output; README.md gives the format.
// C++17, because websocketpp 0.8.2 is no C++20.

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace differential {

struct given_case {
    bool server = true; // the receiver
    std::vector<std::string> parts;
};

inline std::string from_hex(std::string_view digits) {
    const auto value = [](char digit) {
        return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        bytes += static_cast<char>(value(digits[i]) * 16 + value(digits[i + 1]));
    }
    return bytes;
}

inline std::string to_hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (const char byte : bytes) {
        hex += digits[static_cast<unsigned char>(byte) >> 4];
        hex += digits[static_cast<unsigned char>(byte) & 15];
    }
    return hex;
}

/// The events of one case, in the words that all drivers use.
class event_log {
public:
    void data(std::string_view kind, std::string_view payload) {
        add(std::string(kind) + ":" + to_hex(payload));
    }
    void close(unsigned code, std::string_view reason) {
        add("close:" + std::to_string(code) + ":" + to_hex(reason));
    }
    /// `code`: of the Close that this side sends; 0 when it sends none.
    void error(unsigned code, std::string_view rule = {}) {
        add("error:" + std::to_string(code) + ":" + std::string(rule));
    }
    bool ended() const { return ended_; }
    const std::string& line() const { return line_; }

private:
    void add(const std::string& event) {
        if (ended_) return;
        ended_ = event.rfind("close", 0) == 0 || event.rfind("error", 0) == 0;
        line_ += " " + event;
    }

    std::string line_;
    bool ended_ = false;
};

/// The status code of the first Close in what a side sent; 0 when there is none.
inline unsigned sent_close_code(std::string_view sent) {
    const auto byte = [&](std::size_t i) {
        return static_cast<unsigned>(static_cast<unsigned char>(sent[i]));
    };
    while (sent.size() >= 2) {
        const bool masked = byte(1) >= 128;
        const std::size_t size = byte(1) & 127U; // replies are control frames: 125 at most
        const std::size_t start = masked ? 6 : 2;
        if (size > 125 || sent.size() < start + size) return 0;
        if ((byte(0) & 15U) == 8) {
            if (size < 2) return 1005;
            const unsigned high = byte(start) ^ (masked ? byte(2) : 0);
            return high << 8 | (byte(start + 1) ^ (masked ? byte(3) : 0));
        }
        sent.remove_prefix(start + size);
    }
    return 0;
}

/// Calls `judge(case, log)` for every case and prints its log.
template <class Judge>
int drive(Judge judge) {
    std::ios::sync_with_stdio(false);
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string id, receiver;
        given_case given;
        words >> id >> receiver;
        given.server = receiver == "server";
        for (std::string part; words >> part;) given.parts.push_back(from_hex(part));
        event_log log;
        judge(given, log);
        std::cout << id << log.line() << "\n";
    }
    return 0;
}

} // namespace differential
