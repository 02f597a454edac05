// messages/s through echo servers, with their CPU time, system calls and latency, beside Beast's and uWebSockets'
//
// A case is cCONNECTIONS_dDEPTH. Beside its messages/s: _cpu (server's ns a message), _busy (its share of a processor: below
// 1 the load or the network was the limit), _p50 and _p99 (us there and back), _calls (the server's system calls a message,
// seen by strace in a run of its own, which slows it down: with many connections it finds more at once then).
// --instructions: instead of all that, what a message takes of the server's own instructions, by callgrind: noise does not move it.
// --quick: 1 and 16 connections, once. --server NAME=PROGRAM adds a server (support/echo_servers.hpp).
// glibc's servers keep the top of their heaps (keep_heaps()); --trim-heaps has them as glibc is by itself.

#include "support/echo_load.hpp"
#include "support/echo_servers.hpp"
#include "support/instructions.hpp"
#include "support/suite.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace {

using bench::figure;
using std::chrono::milliseconds;

constexpr std::size_t sizes[] = {20, 1024, 16 * 1024};
constexpr std::size_t depths[] = {1, 16};
constexpr std::size_t connections[] = {1, 16, 128, 512};

struct contender {
    std::string name;
    std::unique_ptr<bench::echo_server> server;
};

struct cell {
    std::string name;
    std::size_t size, depth, connections;
};

std::vector<figure> measure(const contender& who, const cell& where, const bench::script& what, bool quick) {
    const std::string& name = where.name;
    bench::echo_load load(*who.server, what, where.connections, where.depth);
    const bench::echo_result got = load.run(milliseconds(quick ? 10 : 60), milliseconds(quick ? 30 : 250));
    return {{name, "messages/s", got.messages / got.seconds},
            {name + "_cpu", "ns", got.server_cpu / got.messages},
            {name + "_busy", "processors", got.server_cpu / got.seconds * 1e-9},
            {name + "_p50", "us", got.round_trips.quantile(0.5) / 1e3},
            {name + "_p99", "us", got.round_trips.quantile(0.99) / 1e3}};
}

void count_calls(bench::suite& all, const std::vector<contender>& servers, const cell& where,
                 const bench::script& what) {
    std::vector<bench::observed> counted;
    for (const contender& each : servers) {
        counted.push_back({each.name, [&] {
                               bench::echo_load load(*each.server, what, where.connections, where.depth);
                               static_cast<void>(load.run(where.connections * where.depth)); // all is warm
                               bench::call_counter calls(each.server->id());
                               const auto sent =
                                   load.run(std::uint64_t{1000} + 4 * where.connections * where.depth);
                               return std::vector<figure>{{where.name + "_calls", "calls",
                                                           calls.stop() / static_cast<double>(sent)}};
                           }});
    }
    all.observe_once(where.name, where.size, 1, counted);
}

/// Calls work(name of the case, size, depth, connections) for each case.
template <class Work>
void for_each_cell(bool quick, Work work) {
    for (const std::size_t size : sizes) {
        for (const std::size_t depth : depths) {
            const bench::script what(size, depth);
            for (const std::size_t many : connections) {
                if (quick && many > 16) continue;
                work(cell{std::string("c")
                              .append(std::to_string(many))
                              .append("_d")
                              .append(std::to_string(depth)),
                          size, depth, many},
                     what);
            }
        }
    }
}

int count_instructions(bench::suite& all, const std::vector<bench::server_program>& programs) {
    if (!bench::counted_server::works()) bench::give_up("--instructions needs valgrind");
    std::vector<std::unique_ptr<bench::counted_server>> servers;
    for (const auto& each : programs) servers.push_back(std::make_unique<bench::counted_server>(each.path));
    for_each_cell(all.quick(), [&](const cell& where, const bench::script& what) {
        if (where.size > 1024) return; // callgrind counts each byte of a large copy (rep movsb)
        std::vector<bench::observed> run;
        for (std::size_t i = 0; i < programs.size(); ++i) {
            run.push_back(
                {programs[i].name, [&, i] {
                     bench::echo_load load(servers[i]->server(), what, where.connections, where.depth);
                     const std::uint64_t many = 2 * where.connections * where.depth;
                     static_cast<void>(load.run(many)); // all is warm
                     servers[i]->begin();
                     const auto sent = static_cast<double>(load.run(std::uint64_t{2000} + 4 * many));
                     return std::vector<figure>{
                         {where.name + "_instructions", "instructions", servers[i]->end() / sent}};
                 }});
        }
        all.observe_once(where.name, where.size, 1, run);
    });
    return all.finish();
}

/// For the servers: glibc gives what is free at the top of a heap, beyond 128 KiB, back to the system, and its next use costs a page
/// fault for each 4 KiB. Whether a burst lies there is chance, and would be what is measured. It also ends by chance: with the
/// first block of more than 128 KiB that is given back.
void keep_heaps() {
    ::setenv("MALLOC_TRIM_THRESHOLD_", "67108864", 0);
    ::setenv("MALLOC_MMAP_THRESHOLD_", "33554432", 0);
}

/// Takes the flag out, wherever it stands.
bool take_flag(int& count, char** given, std::string_view flag) {
    char** const end = std::remove(given + 1, given + count, flag);
    const bool was_there = end != given + count;
    count = static_cast<int>(end - given);
    return was_there;
}

} // namespace

int main(int count, char** given) {
    if (!take_flag(count, given, "--trim-heaps")) keep_heaps();
    const bool counts_instructions = take_flag(count, given, "--instructions");
    const auto programs = bench::take_servers(count, given, {"poll", "poll_one", "asio", "beast", "uws"});
    bench::suite all(count, given);
    bench::raise_descriptors();
    bench::say_where();
    if (counts_instructions) return count_instructions(all, programs);
    const bool counts_calls = bench::call_counter::works();
    if (!counts_calls) std::puts("no system calls: there is no strace, or it may not look at a process");
    bench::run_on(1);
    std::vector<contender> servers;
    for (const auto& each : programs)
        servers.push_back({each.name, std::make_unique<bench::echo_server>(each.path)});

    for_each_cell(all.quick(), [&](const cell& where, const bench::script& what) {
        std::vector<bench::observed> run;
        for (const contender& each : servers)
            run.push_back({each.name, [&] { return measure(each, where, what, all.quick()); }});
        all.observe(where.name, where.size, 1, run);
        if (counts_calls) count_calls(all, servers, where, what);
    });
    return all.finish();
}
