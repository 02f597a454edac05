// frames/s from N producers through one writer, with CPU, system calls, latency and memory, beside hand-written ones
//
// Cases null, socketpair, tcp: frames/s, and beside them NAME_cpu (CPU ns a frame, the peer's excluded) and
// NAME_calls (system calls a frame, see support/syscalls.hpp). latency: open loop at 10, 50 and 90 % of each
// one's own saturation. capture: what a producer is kept for. gather: four producers and a PONG a millisecond over TCP, for
// several writer_options::max_gather. slow_reader, idle, broadcast: memory. send_idle, send_1000:
// one thread that sends and writes, each time or after a thousand.
// --all adds 8 and 16 producers.

#include "support/writer_gather.hpp"
#include "support/writer_latency.hpp"
#include "support/writer_memory.hpp"
#include "support/writer_sends.hpp"
#include "support/writers_mutex.hpp"
#include "support/writers_wsolo.hpp"
#ifdef WSOLO_BENCH_MOODYCAMEL
#include "support/writers_moodycamel.hpp"
#endif
#ifdef WSOLO_BENCH_ASIO
#include "support/writers_asio.hpp"
#endif

namespace {

using bench::figure;
using bench::load;
using bench::observed;
using bench::wire_kind;
using std::chrono::milliseconds;

constexpr std::array<std::size_t, 3> payloads{32, 256, 16 * 1024};
constexpr std::pair<const char*, wire_kind> kinds[] = {
    {"null", wire_kind::null}, {"socketpair", wire_kind::socketpair}, {"tcp", wire_kind::tcp}};

template <class Type>
struct type_of {
    using type = Type;
};

/// Calls `visit` with the type of each writer that is here.
template <class Visit>
void for_each_writer(Visit visit) {
    visit(type_of<bench::wsolo_deferred>{});
    visit(type_of<bench::wsolo_inline>{});
    visit(type_of<bench::wsolo_threaded>{});
    visit(type_of<bench::mutex_write>{});
    visit(type_of<bench::mutex_deque>{});
    visit(type_of<bench::mutex_swap>{});
#ifdef WSOLO_BENCH_MOODYCAMEL
    visit(type_of<bench::moodycamel_writev>{});
#endif
#ifdef WSOLO_BENCH_ASIO
    visit(type_of<bench::asio_strand>{});
#endif
}

/// An `observed` for each writer: `run(type_of<Writer>)` yields the figures.
template <class Run>
std::vector<observed> of_each_writer(Run run) {
    std::vector<observed> all;
    for_each_writer([&]<class Writer>(type_of<Writer> type) {
        all.push_back({Writer::name, [run, type] { return run(type); }});
    });
    return all;
}

class writer {
public:
    explicit writer(bench::suite& suite)
        : suite_(suite), duration_(suite.quick() ? milliseconds(5) : milliseconds(150)) {}

    void run() {
        for_each_writer([]<class Writer>(type_of<Writer>) {
            for (const auto& [name, kind] : kinds) bench::check_writer<Writer>(kind);
        });
        for (const auto& [name, kind] : kinds) throughput(name, kind);
        latency();
        capture();
        gather();
        slow_reader();
        idle();
        broadcast();
        sends("send_idle", 1);
        sends("send_1000", 1000);
    }

private:
    void throughput(const std::string& name, wire_kind kind) {
        std::vector<int> counts{1, 2, 4};
        if (suite_.all()) counts.insert(counts.end(), {8, 16});
        for (const std::size_t payload : payloads) {
            for (const int producers : counts) {
                const load wanted{kind, payload, producers, duration_};
                const auto run = [name, wanted]<class Writer>(type_of<Writer>) {
                    const bench::throughput got = bench::measure_throughput<Writer>(wanted);
                    return std::vector<figure>{{name, "frames/s", got.frames_per_second},
                                               {name + "_cpu", "ns/frame", got.cpu_ns},
                                               {name + "_calls", "calls/frame", got.system_calls}};
                };
                suite_.observe(name, payload, producers, of_each_writer(run));
            }
        }
    }

    void latency() {
        const load wanted{wire_kind::socketpair, 32, 1, duration_};
        const auto run = [wanted]<class Writer>(type_of<Writer>) {
            const double saturation = bench::measure_throughput<Writer>(wanted).frames_per_second;
            std::vector<figure> figures{{"latency_saturation", "frames/s", saturation}};
            for (const int percent : {10, 50, 90}) {
                const bench::latency seen =
                    bench::measure_latency<Writer>(wanted, saturation * percent / 100);
                const auto add = [&](const std::string& what, const bench::histogram& values) {
                    const std::string name = what + "_" + std::to_string(percent);
                    figures.push_back({name + "_p50", "ns", values.quantile(0.5)});
                    figures.push_back({name + "_p99", "ns", values.quantile(0.99)});
                    figures.push_back({name + "_p99.9", "ns", values.quantile(0.999)});
                };
                add("enqueue", seen.enqueue);
                add("wire", seen.wire);
            }
            return figures;
        };
        suite_.observe("latency", wanted.payload, wanted.producers, of_each_writer(run));
    }

    void gather() {
        const load wanted{wire_kind::tcp, payloads.back(), 4, duration_};
        std::vector<observed> all;
        for (const std::uint32_t kib : {64U, 128U, 256U, 512U, 1024U}) {
            all.push_back({std::to_string(kib) + "_KiB", [=] {
                               const bench::gathered got = bench::measure_gather(wanted, kib * 1024);
                               return std::vector<figure>{
                                   {"gather", "frames/s", got.frames_per_second},
                                   {"gather_pong_p50", "us", got.pongs.quantile(0.5) / 1e3},
                                   {"gather_pong_p99", "us", got.pongs.quantile(0.99) / 1e3}};
                           }});
        }
        suite_.observe("gather", wanted.payload, wanted.producers, all);
    }

    void capture() {
        for (const std::size_t payload : {payloads.front(), payloads.back()}) {
            const load wanted{wire_kind::socketpair, payload, 4, duration_};
            const auto run = [wanted]<class Writer>(type_of<Writer>) {
                const bench::capture got = bench::measure_capture<Writer>(wanted);
                return std::vector<figure>{{"capture_p99.9", "us", got.p999_us},
                                           {"capture_longest", "us", got.longest_us},
                                           {"capture_bytes", "B", got.most_bytes}};
            };
            suite_.observe("capture", payload, wanted.producers, of_each_writer(run));
        }
    }

    void slow_reader() {
        for (const std::size_t payload : payloads) {
            std::vector<observed> all;
            for_each_writer([&]<class Writer>(type_of<Writer>) {
                if constexpr (!std::is_same_v<Writer, bench::mutex_write>) { // it queues nothing, it waits
                    all.push_back({Writer::name, [payload] {
                                       const double peak = bench::measure_slow_reader<Writer>(payload);
                                       return std::vector<figure>{{"slow_reader", "B", peak}};
                                   }});
                }
            });
            suite_.observe("slow_reader", payload, 1, all);
        }
    }

    void idle() {
        const std::size_t count = suite_.quick() ? 1000 : 100'000;
        const auto each = [](double bytes) { return std::vector<figure>{{"idle", "B/writer", bytes}}; };
        const auto send_one = [](bench::bare_writer& used) {
            bench::must(used.send_text("once") == wsolo::errc::none);
            bench::must(used.pump().status == wsolo::pump_status::idle);
        };
        const auto nothing = [](auto&) {};
        const auto wsolo_idle = [=] {
            const bench::wire to(wire_kind::null);
            return each(bench::measure_idle<bench::bare_writer>(count, send_one, bench::wire_transport(to),
                                                                bench::pumped_by_hand{}));
        };
        suite_.observe(
            "idle", count, 1,
            {{"wsolo_deferred", wsolo_idle},
             {"mutex_deque", [=] { return each(bench::measure_idle<bench::bare_deque>(count, nothing)); }},
             {"mutex_swap", [=] { return each(bench::measure_idle<bench::bare_swap>(count, nothing)); }}});
    }

    void broadcast() {
        const std::size_t count = suite_.quick() ? 100 : 10'000;
        const auto figures = [](const bench::broadcast& got) {
            return std::vector<figure>{{"broadcast", "ns/writer", got.ns},
                                       {"broadcast_memory", "B/writer", got.bytes}};
        };
        for (const std::size_t payload : payloads) {
            suite_.observe(
                "broadcast", payload, 1,
                {{"wsolo_shared", [=] { return figures(bench::measure_broadcast(count, payload, true)); }},
                 {"wsolo_copied", [=] { return figures(bench::measure_broadcast(count, payload, false)); }},
                 {"mutex_swap", [=] { return figures(bench::measure_swapped_broadcast(count, payload)); }}});
        }
    }

    void sends(const std::string& name, std::size_t burst) {
        const std::size_t count = suite_.quick() ? 10'000 : 1'000'000;
        const auto each = [name](double ns) { return std::vector<figure>{{name, "ns/frame", ns}}; };
        for (const std::size_t size : {std::size_t{13}, payloads[1], payloads[2]}) {
            if (burst * size > bench::backlog_bytes / 2) continue;
            const std::vector<std::byte> payload(size, std::byte{'x'});
            const auto copied = [=] {
                return each(bench::measure_sends(
                    count, burst, [&](bench::bare_writer& to) { return to.send_binary(payload); }));
            };
            const auto shared = [=] {
                const auto frame = wsolo::make_shared_frame(wsolo::opcode::binary, payload);
                return each(bench::measure_sends(count, burst,
                                                 [&](bench::bare_writer& to) { return to.send(*frame); }));
            };
            const auto swapped = [=] { return each(bench::measure_swapped_sends(count, burst, payload)); };
            suite_.observe(name, size, 1,
                           {{"wsolo_copied", copied}, {"wsolo_shared", shared}, {"mutex_swap", swapped}});
        }
    }

    bench::suite& suite_;
    milliseconds duration_;
};

} // namespace

int main(int argc, char** argv) {
    bench::suite suite(argc, argv);
    writer(suite).run();
    return suite.finish();
}
