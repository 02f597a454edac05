// permessage-deflate: size, time and memory of the three modes, on three kinds of messages.
//
// Each row sends the same messages through `connections` deflaters by turns, one message each, as a server's loop does, and
// inflates them. Ratio: compressed by plain bytes. Held: heap bytes for each connection at the end, a thread's shared
// compressors apart. Messages are made by a generator with a fixed seed.

#include <wsolo/adapt/zlib.hpp>
#include <wsolo/version.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using deflater = wsolo::message_deflater<wsolo::adapt::zlib::compressor>;
using inflater = wsolo::message_inflater<wsolo::adapt::zlib::decompressor>;

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

std::string words(dice& roll, std::size_t count) {
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
std::string chat(dice& roll, std::size_t number) {
    return "{\"type\":\"message\",\"id\":" + std::to_string(100000 + number) + ",\"room\":\"room-" +
           std::to_string(roll.below(5)) + "\",\"user\":{\"id\":" + std::to_string(roll.below(1000)) +
           ",\"name\":\"user" + std::to_string(roll.below(50)) + "\"},\"text\":\"" +
           words(roll, 3 + roll.below(12)) + "\"}";
}
/// A market's changes as JSON, about 600 bytes.
std::string ticks(dice& roll, std::size_t number) {
    std::string out = "{\"channel\":\"book\",\"seq\":" + std::to_string(number) + ",\"changes\":[";
    for (int i = 0; i < 10; ++i) {
        out += std::string(i == 0 ? "" : ",") + "[\"" + (roll.below(2) == 0 ? "bid" : "ask") + "\",\"" +
               std::to_string(40000 + roll.below(300)) + "." + std::to_string(10 + roll.below(90)) + "\",\"" +
               std::to_string(roll.below(3)) + "." + std::to_string(1000 + roll.below(9000)) + "\"]";
    }
    return out + "]}";
}
/// A model's words, each in an event of its own, about 130 bytes.
std::string tokens(dice& roll, std::size_t) {
    return "{\"id\":\"cmpl-7f3a\",\"object\":\"chunk\",\"model\":\"large-2\",\"choices\":[{\"index\":0,"
           "\"delta\":{\"content\":\" " +
           words(roll, 1) + "\"},\"finish\":null}]}";
}

struct figures {
    double ratio = 0, out_ns = 0, in_ns = 0;
    std::size_t plain = 0, held_out = 0, held_in = 0, thread = 0;
};

figures measure(std::string (*make)(dice&, std::size_t), const wsolo::deflate_options& options,
                std::size_t connections, std::size_t rounds) {
    const wsolo::deflate_direction how{15, options.mode != wsolo::deflate_mode::no_takeover};
    std::vector<deflater> out;
    std::vector<inflater> in;
    std::vector<dice> rolls;
    for (std::size_t i = 0; i < connections; ++i) {
        out.emplace_back(how, options);
        in.emplace_back(how);
        rolls.emplace_back(1234567 + 7919 * i);
    }
    figures sum;
    std::size_t sent = 0;
    std::chrono::nanoseconds out_time{}, in_time{};
    std::vector<std::string> texts(connections);
    std::vector<wsolo::byte_buffer> made(connections);
    std::vector<bool> compressed(connections);
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < connections; ++i) texts[i] = make(rolls[i], round);
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < connections; ++i) {
            made[i].clear();
            compressed[i] = out[i].deflate(wsolo::bytes_of(texts[i]), made[i]);
        }
        const auto middle = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < connections; ++i) {
            wsolo::byte_buffer back;
            if (compressed[i] &&
                in[i].append(std::as_const(made[i]).view(), true, true, back) != wsolo::errc::none) {
                std::fputs("can't be inflated\n", stderr);
                std::exit(1);
            }
            if (compressed[i] && wsolo::text_of(std::as_const(back).view()) != texts[i]) std::exit(1);
        }
        const auto end = std::chrono::steady_clock::now();
        out_time += middle - begin;
        in_time += end - middle;
        for (std::size_t i = 0; i < connections; ++i) {
            sum.plain += texts[i].size();
            sent += compressed[i] ? made[i].size() : texts[i].size();
        }
    }
    const auto count = static_cast<double>(connections * rounds);
    sum.ratio = static_cast<double>(sent) / static_cast<double>(sum.plain);
    sum.out_ns = static_cast<double>(out_time.count()) / count;
    sum.in_ns = static_cast<double>(in_time.count()) / count;
    for (std::size_t i = 0; i < connections; ++i) {
        sum.held_out += out[i].memory();
        in[i].trim();
        sum.held_in += in[i].memory();
    }
    sum.held_out /= connections;
    sum.held_in /= connections;
    auto& shared = wsolo::this_thread_compressors<wsolo::adapt::zlib::compressor>();
    sum.thread = shared.memory();
    shared.release();
    return sum;
}

} // namespace

int main() {
    struct trace {
        const char* name;
        std::string (*make)(dice&, std::size_t);
    };
    struct mode {
        const char* name;
        wsolo::deflate_options options;
    };
    const trace traces[] = {{"chat", chat}, {"ticks", ticks}, {"tokens", tokens}};
    using wsolo::deflate_mode;
    const mode modes[] = {
        {"shared, 2 KiB kept", {.mode = deflate_mode::shared_compressor, .min_size = 0}},
        {"shared, 8 KiB kept", {.mode = deflate_mode::shared_compressor, .kept_window = 8192, .min_size = 0}},
        {"shared, memory 5", {.mode = deflate_mode::shared_compressor, .memory_level = 5, .min_size = 0}},
        {"shared, level 1",
         {.mode = deflate_mode::shared_compressor, .level = 1, .memory_level = 5, .min_size = 0}},
        {"own stream", {.mode = deflate_mode::own_stream, .min_size = 0}},
        {"no takeover", {.mode = deflate_mode::no_takeover, .min_size = 0}},
    };
    std::printf("%-8s %-20s %7s %12s %12s %10s %10s %10s\n", "trace", "mode", "ratio", "deflate us",
                "inflate us", "held out", "held in", "a thread");
    for (const trace& each : traces) {
        for (const mode& how : modes) {
            const figures found = measure(each.make, how.options, 64, 300);
            std::printf("%-8s %-20s %7.3f %12.2f %12.2f %10zu %10zu %10zu\n", each.name, how.name,
                        found.ratio, found.out_ns / 1000, found.in_ns / 1000, found.held_out, found.held_in,
                        found.thread);
        }
    }
    return 0;
}
