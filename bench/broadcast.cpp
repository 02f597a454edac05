// CPU time of a server for each recipient of a message to 10,000, beside uWebSockets' publish
//
// A client sends, all get it. broadcast_cpu is the server's; broadcast_time is until the last byte came, of which the clients' own
// time in their one thread is a part.

#include "support/echo_servers.hpp"
#include "support/recipients.hpp"
#include "support/suite.hpp"

int main(int count, char** given) {
    const auto programs = bench::take_servers(count, given, {"poll", "poll_one", "asio", "uws"});
    bench::suite all(count, given);
    bench::raise_descriptors();
    bench::say_where();
    bench::run_on(1);
    const std::size_t connections = all.quick() ? 200 : 10'000;
    for (const std::size_t size : {std::size_t{64}, std::size_t{1024}, std::size_t{16 * 1024}}) {
        const bench::one_message what(size);
        std::vector<bench::observed> run;
        for (const auto& each : programs) {
            run.push_back({each.name, [&] {
                               bench::echo_server server(each.path, {"--broadcast"});
                               bench::recipients members(server.port(), connections);
                               members.send(0, what.sent); // each has been sent to once
                               members.await(what.echoed);
                               const double cpu = server.cpu();
                               const auto start = std::chrono::steady_clock::now();
                               const int rounds = all.quick() ? 1 : 3;
                               for (int i = 0; i < rounds; ++i) {
                                   members.send(static_cast<std::size_t>(i), what.sent);
                                   members.await(what.echoed);
                               }
                               const std::chrono::duration<double, std::nano> took =
                                   std::chrono::steady_clock::now() - start;
                               const double sent = rounds * static_cast<double>(connections);
                               return std::vector<bench::figure>{
                                   {"broadcast_cpu", "ns", (server.cpu() - cpu) / sent},
                                   {"broadcast_time", "ns", took.count() / sent}};
                           }});
        }
        all.observe("broadcast", size, 1, run);
    }
    return all.finish();
}
