// permessage-deflate: size, time and memory of its modes on four kinds of messages, beside zlib's own streams and Beast's
//
// Cases, for each kind of messages (chat, ticks, tokens, mixed; support/deflate_traces.hpp):
//   KIND            the same messages through 64 connections by turns, one each, as a server's loop does. KIND_ratio: compressed
//                   by plain bytes; KIND_out and KIND_in: a message's CPU time, both halves; KIND_held_out and KIND_held_in: heap
//                   that a connection keeps. A thread's compressor, which is apart, costs what own_stream's cost
//   KIND_broadcast  one message to 1000 connections whose transports only count: CPU time and bytes for each recipient. Impls:
//                   shared frame (compressed once), each by itself, shared plain (no compression)
//   idle            bytes that an echo server keeps for each of 10,000 connections after one compressed message and its answer, in
//                   heap and resident: as `memory`, with programs of bench/echo
// Impls: wsolo's modes; zlib_12_5, a stream for each connection and direction with the settings of Python's websockets (a window of
// 12 bits, memory level 5); beast, with its defaults. idle: own streams of 15 bits need gigabytes, and have 1000 connections
// there. Its figures are for one connection.

#include "support/deflate_codecs.hpp"
#include "support/deflate_traces.hpp"
#include "support/echo_servers.hpp"
#include "support/heap.hpp"
#include "support/recipients.hpp"
#include "support/sink.hpp"
#include "support/suite.hpp"
#include "support/timing.hpp"

#include <wsolo/wsolo.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using bench::figure;
using bench::no_hook;
using bench::observed;
using bench::sink;
using wsolo::deflate_mode;

constexpr std::size_t connections = 64, audience = 1000;

template <class Sender, class Receiver>
std::vector<figure> stream(const bench::trace& kind, std::size_t rounds,
                           const std::function<Sender()>& sender, const std::function<Receiver()>& receiver) {
    std::vector<Sender> out;
    std::vector<Receiver> in;
    std::vector<bench::dice> rolls;
    std::vector<std::string> texts(connections);
    std::vector<wsolo::byte_buffer> made(connections), back(connections);
    for (std::size_t i = 0; i < connections; ++i) {
        out.push_back(sender());
        in.push_back(receiver());
        rolls.emplace_back(1234567 + 7919 * i);
    }
    std::size_t plain = 0, sent = 0;
    std::chrono::nanoseconds out_time{}, in_time{};
    std::vector<bool> is_compressed(connections);
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < connections; ++i) {
            texts[i] = kind.make(rolls[i], round);
            made[i].clear();
            back[i].clear();
        }
        const auto begin = bench::thread_time();
        for (std::size_t i = 0; i < connections; ++i) is_compressed[i] = out[i].deflate(texts[i], made[i]);
        const auto middle = bench::thread_time();
        for (std::size_t i = 0; i < connections; ++i) {
            if (is_compressed[i]) in[i].inflate(std::as_const(made[i]).view(), back[i]);
        }
        in_time += bench::thread_time() - middle;
        out_time += middle - begin;
        for (std::size_t i = 0; i < connections; ++i) {
            if (is_compressed[i] && wsolo::text_of(std::as_const(back[i]).view()) != texts[i])
                bench::give_up("what came is not what was sent");
            plain += texts[i].size();
            sent += is_compressed[i] ? made[i].size() : texts[i].size();
        }
    }
    const double all = bench::heap_bytes();
    out.clear();
    const double without_out = bench::heap_bytes();
    in.clear();
    const double without_in = bench::heap_bytes();
    wsolo::this_thread_compressors<wsolo::adapt::zlib::compressor>().release();
    const auto count = static_cast<double>(connections * rounds);
    const std::string name = kind.name;
    return {{name + "_ratio", "%", 100 * static_cast<double>(sent) / static_cast<double>(plain)},
            {name + "_out", "ns", static_cast<double>(out_time.count()) / count},
            {name + "_in", "ns", static_cast<double>(in_time.count()) / count},
            {name + "_held_out", "bytes", (all - without_out) / connections},
            {name + "_held_in", "bytes", (without_out - without_in) / connections}};
}

/// A mode of wsolo's.
struct way {
    const char* name;
    wsolo::deflate_options options;
};
constexpr way ways[] = {
    {"shared_2k", {.mode = deflate_mode::shared_compressor, .min_size = 0}},
    {"shared_8k", {.mode = deflate_mode::shared_compressor, .kept_window = 8192, .min_size = 0}},
    {"shared_fast", {.mode = deflate_mode::shared_compressor, .level = 1, .memory_level = 5, .min_size = 0}},
    {"own", {.mode = deflate_mode::own_stream, .min_size = 0}},
    {"own_12_5",
     {.mode = deflate_mode::own_stream, .memory_level = 5, .min_size = 0, .send_window_bits = 12}},
    {"none", {.mode = deflate_mode::no_takeover, .min_size = 0}},
};

void streams(bench::suite& all) {
    const std::size_t rounds = all.quick() ? 10 : 200;
    for (const bench::trace& kind : bench::traces) {
        std::vector<observed> run;
        for (const way& each : ways) {
            run.push_back({each.name, [&kind, &each, rounds] {
                               return stream<bench::wsolo_sender, bench::wsolo_receiver>(
                                   kind, rounds, [&] { return bench::wsolo_sender(each.options); },
                                   [&] { return bench::wsolo_receiver(each.options, kind.is_text); });
                           }});
        }
        run.push_back({"zlib_12_5", [&kind, rounds] {
                           return stream<bench::zlib_sender, bench::zlib_receiver>(
                               kind, rounds, [] { return bench::zlib_sender(12, 5); },
                               [] { return bench::zlib_receiver(12); });
                       }});
#ifdef WSOLO_BENCH_BEAST
        run.push_back({"beast", [&kind, rounds] {
                           return stream<bench::beast_sender, bench::beast_receiver>(
                               kind, rounds, [] { return bench::beast_sender(); },
                               [] { return bench::beast_receiver(); });
                       }});
#endif
        all.observe(kind.name, connections, 1, run);
    }
}

// ---- a message for many

struct member {
    wsolo::adapt::zlib::permessage_deflate compression;
    wsolo::errc on_message(auto&, const wsolo::message&) const { return wsolo::errc::none; }
};

enum class manner { shared_frame, each_alone, shared_plain };

std::vector<figure> broadcast(const bench::trace& kind, manner how, std::size_t rounds) {
    std::uint64_t taken = 0;
    std::vector<std::unique_ptr<wsolo::endpoint<sink, no_hook, member>>> all;
    for (std::size_t i = 0; i < audience; ++i) {
        member one{wsolo::adapt::zlib::permessage_deflate(wsolo::deflate_options{.min_size = 0})};
        if (how != manner::shared_plain) one.compression.agree(wsolo::role::server, {});
        all.push_back(std::make_unique<wsolo::endpoint<sink, no_hook, member>>(sink{&taken}, no_hook{},
                                                                               std::move(one)));
        static_cast<void>(all.back()->run());
    }
    bench::dice roll(99);
    std::chrono::nanoseconds took{};
    for (std::size_t round = 0; round < rounds + 2;
         ++round) { // the first two find no memory of their own yet
        const std::string text = kind.make(roll, round);
        if (round == 2) taken = 0;
        const auto begin = bench::thread_time();
        if (how == manner::each_alone) {
            for (const auto& each : all) {
                if (each->send_text(text) != wsolo::errc::none) bench::give_up("a member refused a message");
                static_cast<void>(each->run());
            }
        } else {
            const auto frame = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(text));
            if (!frame) bench::give_up("no memory");
            for (const auto& each : all) {
                if (each->send(*frame) != wsolo::errc::none) bench::give_up("a member refused a frame");
                static_cast<void>(each->run());
            }
        }
        if (round >= 2) took += bench::thread_time() - begin;
    }
    wsolo::this_thread_compressors<wsolo::adapt::zlib::compressor>().release();
    const auto count = static_cast<double>(audience * rounds);
    const std::string name = std::string(kind.name) + "_broadcast";
    return {{name + "_cpu", "ns", static_cast<double>(took.count()) / count},
            {name + "_bytes", "bytes", static_cast<double>(taken) / count}};
}

void broadcasts(bench::suite& all) {
    const std::size_t rounds = all.quick() ? 2 : 30;
    for (const bench::trace& kind : bench::traces) {
        if (!kind.is_text) continue; // a broadcast is a text here
        const auto by = [&](manner how) {
            return [&kind, how, rounds] { return broadcast(kind, how, rounds); };
        };
        all.observe(std::string(kind.name) + "_broadcast", audience, 1,
                    {{"shared frame", by(manner::shared_frame)},
                     {"each by itself", by(manner::each_alone)},
                     {"shared plain", by(manner::shared_plain)}});
    }
}

// ---- idle connections

/// A message as a client sends it: compressed, and masked.
std::vector<char> first_message() {
    bench::dice roll(7);
    wsolo::byte_buffer payload;
    bench::wsolo_sender sender(ways[0].options);
    if (!sender.deflate(bench::chat(roll, 1), payload)) bench::give_up("a message can't be compressed");
    std::string frame;
    wsolo::random_keys keys;
    if (wsolo::append_frame<wsolo::role::client>(frame, {wsolo::opcode::text, true, true},
                                                 std::as_const(payload).view(), keys) != wsolo::errc::none)
        bench::give_up("a frame can't be made");
    return {frame.begin(), frame.end()};
}

std::vector<figure> idle(const std::string& program, const std::string& mode, std::size_t count) {
    bench::echo_server server(program, {"--heap", "--deflate", mode});
    const std::vector<char> message = first_message();
    constexpr std::string_view offer = "permessage-deflate; client_max_window_bits";
    std::vector<char> answer;
    { // what a server keeps for good is not the connections'; and the answers are alike
        bench::recipients first(server.port(), 1, offer);
        first.send(0, message);
        answer = first.frame(0);
        if ((answer[0] & 0x40) == 0) bench::give_up("an answer is not compressed");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const double heap = server.heap(), resident = server.resident();
    bench::recipients all(server.port(), count, offer);
    for (std::size_t i = 0; i < count; ++i) all.send(i, message);
    all.await(answer);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto per = static_cast<double>(count);
    return {{"idle_heap", "bytes", (server.heap() - heap) / per},
            {"idle_resident", "bytes", (server.resident() - resident) / per}};
}

void idles(bench::suite& all, const std::vector<bench::server_program>& programs) {
    bench::raise_descriptors();
    for (const bench::server_program& each : programs) {
        std::vector<std::string> modes = {"default"};
        if (each.name == "deflate") modes = {"shared", "shared_trimmed", "own_12_5", "none", "own"};
        for (const std::string& mode : modes) {
            const std::size_t most = mode == "own" || mode == "default" ? 1000 : 10'000;
            const std::size_t count = all.quick() ? 200 : most;
            const std::string impl = each.name == "deflate" ? mode : each.name;
            all.observe("idle", 1, 1, {{impl, [&each, mode, count] { return idle(each.path, mode, count); }}},
                        all.quick() ? 1 : 3, false);
        }
    }
}

} // namespace

int main(int count, char** given) {
    const auto programs = bench::take_servers(count, given, {"deflate", "beast"});
    bench::suite all(count, given);
    streams(all);
    broadcasts(all);
    idles(all, programs);
    return all.finish();
}
