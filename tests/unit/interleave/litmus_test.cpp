// The checker's memory model on the shapes of the literature: what C++20 allows is found, what it forbids
// never is. Would catch: a model that is too strong (a bug in shipped code stays unseen) or too weak (a bug
// is invented).
//
// One limit, shown below as well: load buffering. A load here never reads a store that is executed later, so
// its weak outcome is not found; compilers and machines that do that to relaxed operations exist in theory
// more than in practice.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>

#include <set>

using namespace interleave;

namespace {

constexpr auto rlx = std::memory_order_relaxed;
constexpr auto acq = std::memory_order_acquire;
constexpr auto rel = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto sc = std::memory_order_seq_cst;

struct shared_room {
    interleave::atomic<int> x{0}, y{0};
    std::array<int, 4> r{};
    int final_x = 0, final_y = 0;
};

using outcome = std::vector<int>;
using outcomes = std::set<outcome>;
using actor = std::function<void(shared_room&)>;

// All that the registers r[0..count) can hold at the end; with `finals`, the last values of x and y after
// them.
outcomes all(std::size_t count, const std::vector<actor>& actors, bool finals = false) {
    outcomes found;
    const result done = explore(
        {.preemptions = unlimited, .deviations = unlimited, .stale_reads = unlimited, .spurious_failures = 0},
        [&](scenario& stage) {
            auto& room = stage.make<shared_room>("room");
            for (const actor& each : actors) stage.thread("thread", [&room, &each] { each(room); });
            stage.finally([&, count, finals] {
                outcome seen(room.r.begin(), room.r.begin() + static_cast<std::ptrdiff_t>(count));
                if (finals) seen.insert(seen.end(), {room.x.load(), room.y.load()});
                found.insert(seen);
            });
        });
    INFO(done.report());
    CHECK(done.passed());
    CHECK(done.complete);
    return found;
}

} // namespace

TEST_CASE("store buffering", "[litmus]") {
    const auto run = [](std::memory_order write, std::memory_order read) {
        return all(2, {[=](shared_room& m) {
                           m.x.store(1, write);
                           m.r[0] = m.y.load(read);
                       },
                       [=](shared_room& m) {
                           m.y.store(1, write);
                           m.r[1] = m.x.load(read);
                       }});
    };
    const outcomes weak{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    CHECK(run(rlx, rlx) == weak);
    CHECK(run(rel, acq) == weak);
    CHECK(run(sc, acq) == weak);
    CHECK(run(rel, sc) == weak);
    CHECK(run(sc, sc) == outcomes{{0, 1}, {1, 0}, {1, 1}});
}

TEST_CASE("store buffering through read-modify-writes needs seq_cst all the same", "[litmus]") {
    const auto run = [](std::memory_order change, std::memory_order read) {
        return all(2, {[=](shared_room& m) {
                           m.x.exchange(1, change);
                           m.r[0] = m.y.load(read);
                       },
                       [=](shared_room& m) {
                           m.y.exchange(1, change);
                           m.r[1] = m.x.load(read);
                       }});
    };
    CHECK(run(acq_rel, acq).count({0, 0}) == 1);
    CHECK(run(sc, sc).count({0, 0}) == 0);
}

TEST_CASE("message passing", "[litmus]") {
    const auto run = [](std::memory_order write, std::memory_order read) {
        return all(2, {[=](shared_room& m) {
                           m.x.store(1, rlx);
                           m.y.store(1, write);
                       },
                       [=](shared_room& m) {
                           m.r[0] = m.y.load(read);
                           m.r[1] = m.x.load(rlx);
                       }});
    };
    const outcomes weak{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    CHECK(run(rlx, rlx) == weak);
    CHECK(run(rel, rlx) == weak);
    CHECK(run(rlx, acq) == weak);
    CHECK(run(rel, acq) == outcomes{{0, 0}, {0, 1}, {1, 1}});
    CHECK(run(sc, sc) == outcomes{{0, 0}, {0, 1}, {1, 1}});
}

TEST_CASE("causality through a third thread", "[litmus]") {
    const auto run = [](std::memory_order write, std::memory_order read) {
        return all(3, {[=](shared_room& m) { m.x.store(1, write); },
                       [=](shared_room& m) {
                           m.r[0] = m.x.load(read);
                           m.y.store(1, write);
                       },
                       [=](shared_room& m) {
                           m.r[1] = m.y.load(read);
                           m.r[2] = m.x.load(rlx);
                       }});
    };
    CHECK(run(rlx, rlx).count({1, 1, 0}) == 1);
    CHECK(run(rel, acq).count({1, 1, 0}) == 0);
    CHECK(run(rel, acq).count({1, 1, 1}) == 1);
    CHECK(run(rel, acq).count({0, 1, 0}) == 1);
}

TEST_CASE("load buffering: its weak outcome is beyond the model", "[litmus]") {
    const auto found = all(2, {[](shared_room& m) {
                                   m.r[0] = m.x.load(rlx);
                                   m.y.store(1, rlx);
                               },
                               [](shared_room& m) {
                                   m.r[1] = m.y.load(rlx);
                                   m.x.store(1, rlx);
                               }});
    CHECK(found == outcomes{{0, 0}, {0, 1}, {1, 0}});
}

TEST_CASE("coherence: reads of one location agree on its order", "[litmus]") {
    const actor write_one = [](shared_room& m) { m.x.store(1, rlx); };
    const actor write_two = [](shared_room& m) { m.x.store(2, rlx); };
    const actor reader = [](shared_room& m) {
        m.r[0] = m.x.load(rlx);
        m.r[1] = m.x.load(rlx);
    };
    const actor other = [](shared_room& m) {
        m.r[2] = m.x.load(rlx);
        m.r[3] = m.x.load(rlx);
    };
    CHECK(all(2, {write_one, reader}) == outcomes{{0, 0}, {0, 1}, {1, 1}});
    const outcomes both = all(4, {write_one, write_two, reader, other});
    CHECK(both.count({1, 2, 2, 1}) == 0);
    CHECK(both.count({2, 1, 1, 2}) == 0);
    CHECK(both.count({1, 2, 1, 2}) == 1);
    CHECK(both.count({2, 1, 2, 1}) == 1);
    CHECK(both.count({0, 2, 1, 1}) == 1);
    for (const outcome& each : both) {
        CHECK((each[0] == 0 || each[1] != 0));
        CHECK((each[2] == 0 || each[3] != 0));
    }
}

TEST_CASE("coherence: a thread's own store hides what was before it", "[litmus]") {
    // CoWR, CoRW: after its own store, or a store after its own read, nothing older returns.
    const outcomes found = all(2,
                               {[](shared_room& m) { m.x.store(1, rlx); },
                                [](shared_room& m) {
                                    m.r[0] = m.x.load(rlx);
                                    m.x.store(2, rlx);
                                    m.r[1] = m.x.load(rlx);
                                }},
                               true);
    CHECK(found == outcomes{{0, 1, 1, 0}, {0, 2, 1, 0}, {0, 2, 2, 0}, {1, 2, 2, 0}});
}

TEST_CASE("2+2W: the order of stores is each location's own", "[litmus]") {
    const auto run = [](std::memory_order write) {
        return all(0,
                   {[=](shared_room& m) {
                        m.x.store(1, write);
                        m.y.store(2, write);
                    },
                    [=](shared_room& m) {
                        m.y.store(1, write);
                        m.x.store(2, write);
                    }},
                   true);
    };
    CHECK(run(rlx) == outcomes{{1, 1}, {1, 2}, {2, 1}, {2, 2}});
    CHECK(run(rel) == outcomes{{1, 1}, {1, 2}, {2, 1}, {2, 2}});
    CHECK(run(sc) == outcomes{{1, 2}, {2, 1}, {2, 2}});
}

TEST_CASE("the shapes R and S", "[litmus]") {
    const auto shape_r = [](std::memory_order write, std::memory_order read) {
        return all(1,
                   {[=](shared_room& m) {
                        m.x.store(1, write);
                        m.y.store(1, write);
                    },
                    [=](shared_room& m) {
                        m.y.store(2, write);
                        m.r[0] = m.x.load(read);
                    }},
                   true);
    };
    CHECK(shape_r(rel, acq).count({0, 1, 2}) == 1);
    CHECK(shape_r(sc, sc).count({0, 1, 2}) == 0);
    const auto shape_s = [](std::memory_order write, std::memory_order read) {
        return all(1,
                   {[=](shared_room& m) {
                        m.x.store(2, rlx);
                        m.y.store(1, write);
                    },
                    [=](shared_room& m) {
                        m.r[0] = m.y.load(read);
                        m.x.store(1, rlx);
                    }},
                   true);
    };
    CHECK(shape_s(rlx, rlx).count({1, 2, 1}) == 1);
    CHECK(shape_s(rel, acq).count({1, 2, 1}) == 0);
}

TEST_CASE("IRIW: only seq_cst makes all readers agree", "[litmus]") {
    const auto run = [](std::memory_order write, std::memory_order read) {
        return all(4, {[=](shared_room& m) { m.x.store(1, write); },
                       [=](shared_room& m) { m.y.store(1, write); },
                       [=](shared_room& m) {
                           m.r[0] = m.x.load(read);
                           m.r[1] = m.y.load(read);
                       },
                       [=](shared_room& m) {
                           m.r[2] = m.y.load(read);
                           m.r[3] = m.x.load(read);
                       }});
    };
    CHECK(run(rel, acq).size() == 16);
    const outcomes strict = run(sc, sc);
    CHECK(strict.size() == 15);
    CHECK(strict.count({1, 0, 1, 0}) == 0);
    // The readers' own order is enough: what one of them has read, the other reads too, whatever the stores
    // were.
    CHECK(run(rlx, sc).count({1, 0, 1, 0}) == 0);
}

TEST_CASE("a release sequence goes on through read-modify-writes, not through stores", "[litmus]") {
    const auto run = [](const actor& between) {
        return all(2, {[](shared_room& m) {
                           m.x.store(1, rlx);
                           m.y.store(1, rel);
                       },
                       between,
                       [](shared_room& m) {
                           m.r[0] = m.y.load(acq);
                           m.r[1] = m.x.load(rlx);
                       }});
    };
    // The sum 2 was made after the release.
    CHECK(run([](shared_room& m) { m.y.fetch_add(1, rlx); }).count({2, 0}) == 0);
    CHECK(run([](shared_room& m) { m.y.fetch_add(1, rlx); }).count({2, 1}) == 1);
    CHECK(run([](shared_room& m) { m.y.fetch_add(1, rel); }).count({2, 0}) == 0);
    // A store of another thread breaks it, though that thread has seen the release.
    CHECK(run([](shared_room& m) {
              if (m.y.load(rlx) == 1) m.y.store(2, rlx);
          }).count({2, 0}) == 1);
    // And so does one of the same thread (since C++20).
    CHECK(all(2, {[](shared_room& m) {
                      m.x.store(1, rlx);
                      m.y.store(1, rel);
                      m.y.store(2, rlx);
                  },
                  [](shared_room& m) {
                      m.r[0] = m.y.load(acq);
                      m.r[1] = m.x.load(rlx);
                  }})
              .count({2, 0}) == 1);
}

TEST_CASE("read-modify-writes never lose one another, at any order", "[litmus]") {
    const actor add = [](shared_room& m) { m.x.fetch_add(1, rlx); };
    CHECK(all(0, {add, add, add}, true) == outcomes{{3, 0}});
    const outcomes found = all(2,
                               {[](shared_room& m) { m.r[0] = m.x.exchange(1, rlx); },
                                [](shared_room& m) { m.r[1] = m.x.exchange(2, rlx); }},
                               true);
    CHECK(found == outcomes{{0, 1, 2, 0}, {2, 0, 1, 0}});
    // Two halves of an addition do.
    const actor halves = [](shared_room& m) { m.x.store(m.x.load(rlx) + 1, rlx); };
    CHECK(all(0, {halves, halves}, true) == outcomes{{1, 0}, {2, 0}});
}
