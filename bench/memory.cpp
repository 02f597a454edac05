// bytes that an echo server keeps for each of 10,000 idle connections, beside Beast's and uWebSockets'
//
// Cases: opened (after the handshake) and echoed (after 20 bytes and their echo, each), in heap (what malloc has given out) and
// resident (what the process has of the machine's memory; the kernel's own, for the sockets, is not in it). Each server is a
// new process.

#include "support/echo_servers.hpp"
#include "support/recipients.hpp"
#include "support/suite.hpp"

#include <thread>

int main(int count, char** given) {
    const auto programs = bench::take_servers(count, given, {"poll", "asio", "beast", "uws"});
    bench::suite all(count, given);
    bench::raise_descriptors();
    bench::say_where();
    const std::size_t connections = all.quick() ? 500 : 10'000;
    const bench::one_message hello(20);
    std::vector<bench::observed> run;
    for (const auto& each : programs) {
        run.push_back({each.name, [&] {
                           bench::echo_server server(each.path, {"--heap"});
                           { // what a server keeps for good is not the connections'
                               bench::recipients first(server.port(), 1);
                               first.send(0, hello.sent);
                               first.await(hello.echoed);
                           }
                           std::this_thread::sleep_for(std::chrono::milliseconds(50));
                           std::vector<bench::figure> seen;
                           const double heap = server.heap(), resident = server.resident();
                           const auto look = [&](const std::string& when) {
                               std::this_thread::sleep_for(std::chrono::milliseconds(50));
                               const auto per = static_cast<double>(connections);
                               seen.push_back({when + "_heap", "bytes", (server.heap() - heap) / per});
                               seen.push_back(
                                   {when + "_resident", "bytes", (server.resident() - resident) / per});
                           };
                           bench::recipients idle(server.port(), connections);
                           look("opened");
                           for (std::size_t i = 0; i < connections; ++i) idle.send(i, hello.sent);
                           idle.await(hello.echoed);
                           look("echoed");
                           return seen;
                       }});
    }
    all.observe("memory", connections, 1, run);
    return all.finish();
}
