// The checker against the standard's own form of the memory model: for random small programs, the outcomes
// that the engine finds by running are exactly those that the axioms allow. Would catch: any rule of
// visibility, release sequences, seq_cst or modification order that litmus tests don't reach; a state wrongly
// taken for one that was met before.
//
// The axioms ([intro.races], [atomics.order]) by brute force: every assignment of stores to reads and every
// modification order, kept if coherent, atomic, and if program order, reads-from and the seq_cst constraints
// form no cycle. That last one is a little stronger than the standard (no load buffering, the seq_cst order
// agrees with execution); it is the model.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>

#include <algorithm>
#include <random>
#include <set>
#include <sstream>

using namespace interleave;

namespace {

enum class verb { load, store, exchange };
struct operation {
    verb what;
    std::size_t location;
    std::memory_order order;
};
using program = std::vector<std::vector<operation>>;
using outcome = std::vector<int>; // what each operation read (0 for stores), then both locations' last values
constexpr std::size_t locations = 2;

// Every store writes its own number in the program, from 1; with `alike` all write 1.
std::set<outcome> by_running(const program& code, config bounds, bool alike = false) {
    std::size_t count = 0;
    for (const auto& each : code) count += each.size();
    std::set<outcome> found;
    bounds.deviations = bounds.stale_reads = unlimited;
    bounds.random_executions = 0;
    bounds.plain_memory = false;
    const result done = explore(bounds, [&](scenario& stage) {
        struct room {
            std::array<interleave::atomic<int>, locations> cells{};
            outcome seen;
        };
        auto& m = stage.make<room>("room");
        m.seen.assign(count + locations, 0);
        std::size_t first = 0;
        for (const auto& thread : code) {
            stage.thread("thread", [&m, &thread, first, alike] {
                for (std::size_t i = 0; i < thread.size(); ++i) {
                    auto& cell = m.cells[thread[i].location];
                    const int value = alike ? 1 : static_cast<int>(first + i + 1);
                    if (thread[i].what == verb::load) m.seen[first + i] = cell.load(thread[i].order);
                    if (thread[i].what == verb::store) cell.store(value, thread[i].order);
                    if (thread[i].what == verb::exchange)
                        m.seen[first + i] = cell.exchange(value, thread[i].order);
                }
            });
            first += thread.size();
        }
        stage.finally([&] {
            for (std::size_t i = 0; i < locations; ++i) m.seen[count + i] = m.cells[i].load();
            found.insert(m.seen);
        });
    });
    INFO(done.report());
    CHECK(done.passed());
    return found;
}

// A relation: row a holds the events that a comes before.
struct relation {
    std::array<unsigned, 16> row{};
    void add(std::size_t a, std::size_t b) { row[a] |= 1U << b; }
    [[nodiscard]] bool has(std::size_t a, std::size_t b) const { return (row[a] >> b & 1U) != 0; }
    void close() {
        for (std::size_t k = 0; k < row.size(); ++k)
            for (auto& each : row)
                if ((each >> k & 1U) != 0) each |= row[k];
    }
    [[nodiscard]] bool cyclic() const {
        for (std::size_t i = 0; i < row.size(); ++i)
            if (has(i, i)) return true;
        return false;
    }
};

class axioms {
public:
    explicit axioms(const program& code) {
        for (std::size_t i = 0; i < locations; ++i)
            events_.push_back({verb::store, i, std::memory_order_relaxed});
        for (const auto& thread : code) {
            const std::size_t first = events_.size();
            for (const operation& each : thread) {
                for (std::size_t i = 0; i < locations; ++i) order_.add(i, events_.size());
                for (std::size_t i = first; i < events_.size(); ++i) order_.add(i, events_.size());
                events_.push_back(each);
            }
        }
        for (std::size_t i = 0; i < events_.size(); ++i) {
            if (writes(i)) modified_[events_[i].location].push_back(i);
            if (reads(i)) readers_.push_back(i);
        }
    }

    std::set<outcome> allowed() {
        choose_source(0);
        return found_;
    }

private:
    [[nodiscard]] bool writes(std::size_t i) const { return events_[i].what != verb::load; }
    [[nodiscard]] bool reads(std::size_t i) const { return events_[i].what != verb::store; }
    [[nodiscard]] bool sequential(std::size_t i) const {
        return events_[i].order == std::memory_order_seq_cst;
    }
    [[nodiscard]] bool acquires(std::size_t i) const {
        const auto o = events_[i].order;
        return o != std::memory_order_relaxed && o != std::memory_order_release;
    }
    [[nodiscard]] bool releases(std::size_t i) const {
        const auto o = events_[i].order;
        return o != std::memory_order_relaxed && o != std::memory_order_acquire;
    }

    void choose_source(std::size_t n) {
        if (n == readers_.size()) return choose_order(0);
        for (const std::size_t w : modified_[events_[readers_[n]].location]) {
            if (w == readers_[n]) continue;
            source_[readers_[n]] = w;
            choose_source(n + 1);
        }
    }
    void choose_order(std::size_t place) {
        if (place == locations) return judge();
        auto& writers = modified_[place];
        std::sort(writers.begin(), writers.end());
        do choose_order(place + 1);
        while (std::next_permutation(writers.begin() + 1, writers.end())); // the initial value stays first
    }

    // eco: reads-from, modification order, from-read. False when a read-modify-write isn't next to what it
    // read.
    bool extended_coherence(relation& eco) const {
        for (const auto& writers : modified_)
            for (std::size_t i = 0; i < writers.size(); ++i)
                for (std::size_t j = i + 1; j < writers.size(); ++j) eco.add(writers[i], writers[j]);
        for (const std::size_t r : readers_) {
            const auto& writers = modified_[events_[r].location];
            const auto from = std::find(writers.begin(), writers.end(), source_[r]);
            if (writes(r) && (from + 1 == writers.end() || *(from + 1) != r)) return false;
            eco.add(source_[r], r);
            for (auto later = from + 1; later != writers.end(); ++later)
                if (*later != r) eco.add(r, *later);
        }
        eco.close();
        return !eco.cyclic();
    }

    // Program order and synchronizes-with: an acquire that reads a release, or from a chain of
    // read-modify-writes after one.
    [[nodiscard]] relation happens_before() const {
        relation hb = order_;
        for (const std::size_t r : readers_) {
            if (!acquires(r)) continue;
            for (std::size_t w = source_[r];; w = source_[w]) {
                if (releases(w)) hb.add(w, r);
                if (!reads(w)) break;
            }
        }
        hb.close();
        return hb;
    }

    void judge() {
        relation eco;
        if (!extended_coherence(eco)) return;
        const relation hb = happens_before();
        relation runs = order_;
        for (std::size_t a = 0; a < events_.size(); ++a)
            for (std::size_t b = 0; b < events_.size(); ++b) {
                if (hb.has(a, b) && (a == b || eco.has(b, a))) return;
                if (eco.has(a, b) && sequential(a) && sequential(b)) runs.add(a, b);
            }
        for (const std::size_t r : readers_) runs.add(source_[r], r);
        runs.close();
        if (runs.cyclic()) return;
        outcome seen;
        for (std::size_t i = locations; i < events_.size(); ++i)
            seen.push_back(reads(i) ? value(source_[i]) : 0);
        for (const auto& writers : modified_) seen.push_back(value(writers.back()));
        found_.insert(seen);
    }
    static int value(std::size_t event) {
        return event < locations ? 0 : static_cast<int>(event - locations + 1);
    }

    std::vector<operation> events_;
    relation order_;
    std::array<std::vector<std::size_t>, locations> modified_;
    std::vector<std::size_t> readers_;
    std::array<std::size_t, 16> source_{};
    std::set<outcome> found_;
};

class writer_of_programs {
public:
    explicit writer_of_programs(unsigned seed) : random_(seed) {}

    program write(std::size_t threads, std::size_t operations) {
        program code(threads);
        for (auto& each : code)
            for (std::size_t i = 0; i < operations; ++i) each.push_back(any());
        return code;
    }

private:
    operation any() {
        static constexpr std::array loads{std::memory_order_relaxed, std::memory_order_acquire,
                                          std::memory_order_seq_cst};
        static constexpr std::array stores{std::memory_order_relaxed, std::memory_order_release,
                                           std::memory_order_seq_cst};
        static constexpr std::array changes{std::memory_order_relaxed, std::memory_order_acquire,
                                            std::memory_order_release, std::memory_order_acq_rel,
                                            std::memory_order_seq_cst};
        const auto location = static_cast<std::size_t>(random_() % locations);
        const auto draw = random_() % 20;
        if (draw < 9) return {verb::load, location, loads[random_() % loads.size()]};
        if (draw < 17) return {verb::store, location, stores[random_() % stores.size()]};
        return {verb::exchange, location, changes[random_() % changes.size()]};
    }

    std::mt19937 random_;
};

std::string text(const program& code) {
    static constexpr std::array orders{"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};
    std::ostringstream out;
    for (const auto& thread : code) {
        for (const operation& each : thread)
            out << (each.what == verb::load    ? "load "
                    : each.what == verb::store ? "store "
                                               : "exchange ")
                << (each.location == 0 ? "x " : "y ") << orders[static_cast<std::size_t>(each.order)] << "; ";
        out << '\n';
    }
    return out.str();
}

void compare(std::size_t programs, std::size_t threads, std::size_t operations, unsigned seed) {
    writer_of_programs random(seed);
    for (std::size_t i = 0; i < programs; ++i) {
        const program code = random.write(threads, operations);
        const std::set<outcome> found = by_running(code, {.preemptions = unlimited});
        const std::set<outcome> allowed = axioms(code).allowed();
        INFO(text(code));
        INFO("found " << found.size() << ", allowed " << allowed.size());
        REQUIRE(found == allowed);
    }
}

} // namespace

TEST_CASE("two threads of three operations have exactly the outcomes that the axioms allow", "[axioms]") {
    compare(300, 2, 3, 1);
}

TEST_CASE("three threads of two operations have exactly the outcomes that the axioms allow", "[axioms]") {
    compare(200, 3, 2, 2);
}

TEST_CASE("four threads have exactly the outcomes that the axioms allow", "[axioms]") {
    compare(60, 4, 1, 3);
}

TEST_CASE("merging equal states hides no outcome, within any bound", "[axioms]") {
    writer_of_programs random(4);
    for (int i = 0; i < 12; ++i) {
        const program code = random.write(3, i % 2 == 0 ? 2 : 3);
        INFO(text(code));
        for (const int bound : {0, 1, 2})
            for (const bool alike : {false, true}) {
                INFO(bound << " preemptions, values " << (alike ? "alike" : "different"));
                CHECK(by_running(code, {.preemptions = bound}, alike) ==
                      by_running(code, {.preemptions = bound, .merge_states = false}, alike));
            }
    }
}
