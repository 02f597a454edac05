#pragma once
// Four kinds of messages, made by a generator with a fixed seed: what compression is measured on.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

namespace bench {

class dice {
public:
    explicit dice(std::uint64_t seed) : state_(seed) {}
    std::size_t below(std::size_t bound) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return static_cast<std::size_t>(state_ % bound);
    }

private:
    std::uint64_t state_;
};

inline std::string words(dice& roll, std::size_t count) {
    static const char* const all[] = {"the",     "a",      "of",     "server", "client", "is",    "not",
                                      "message", "window", "time",   "small",  "large",  "when",  "then",
                                      "each",    "after",  "before", "socket", "loop",   "queue", "works",
                                      "never",   "always", "byte",   "frame",  "and",    "or"};
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        if (i != 0) out += ' ';
        out += all[roll.below(std::size(all))];
    }
    return out;
}

/// A chat's events as JSON, about 180 bytes.
inline std::string chat(dice& roll, std::size_t number) {
    return "{\"type\":\"message\",\"id\":" + std::to_string(100000 + number) + ",\"room\":\"room-" +
           std::to_string(roll.below(5)) + "\",\"user\":{\"id\":" + std::to_string(roll.below(1000)) +
           ",\"name\":\"user" + std::to_string(roll.below(50)) + "\"},\"text\":\"" +
           words(roll, 3 + roll.below(12)) + "\"}";
}
/// A market's changes as JSON, about 450 bytes.
inline std::string ticks(dice& roll, std::size_t number) {
    std::string out = "{\"channel\":\"book\",\"seq\":" + std::to_string(number) + ",\"changes\":[";
    for (int i = 0; i < 10; ++i) {
        out += std::string(i == 0 ? "" : ",") + "[\"" + (roll.below(2) == 0 ? "bid" : "ask") + "\",\"" +
               std::to_string(40000 + roll.below(300)) + "." + std::to_string(10 + roll.below(90)) + "\",\"" +
               std::to_string(roll.below(3)) + "." + std::to_string(1000 + roll.below(9000)) + "\"]";
    }
    return out + "]}";
}
/// A model's words, each in an event of its own, about 130 bytes.
inline std::string tokens(dice& roll, std::size_t) {
    return "{\"id\":\"cmpl-7f3a\",\"object\":\"chunk\",\"model\":\"large-2\",\"choices\":[{\"index\":0,"
           "\"delta\":{\"content\":\" " +
           words(roll, 1) + "\"},\"finish\":null}]}";
}

/// A chat in which every tenth message is 170 random bytes: nothing makes those smaller.
inline std::string mixed(dice& roll, std::size_t number) {
    if (number % 10 != 9) return chat(roll, number);
    std::string out(170, '\0');
    for (char& each : out) each = static_cast<char>(roll.below(256));
    return out;
}

struct trace {
    const char* name;
    std::string (*make)(dice&, std::size_t);
    bool is_text = true;
};
inline constexpr trace traces[] = {
    {"chat", chat}, {"ticks", ticks}, {"tokens", tokens}, {"mixed", mixed, false}};

} // namespace bench
