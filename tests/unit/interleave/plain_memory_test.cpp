// Plain memory under the checker: races and uses after free in code that knows nothing of it, as the
// compiler's own calls report them. In builds without those calls (a sanitizer has their place) only var<> is
// watched. Would catch: a lock that excludes but doesn't publish; reused memory taken for a race; neighbours
// taken for one another.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/verdict.hpp>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace interleave;

namespace {

constexpr auto rlx = std::memory_order_relaxed;
constexpr auto acq = std::memory_order_acquire;
constexpr auto rel = std::memory_order_release;

// Found where it can be, and else nothing is invented.
bool finds(const result& done, const char* words) {
    return sees_plain_memory() ? fails_with(done, words) : passes(done);
}

struct parcel {
    int weight = 0;
    char label[32] = {};
    std::vector<int> items;
};
struct room {
    parcel content;
    interleave::atomic<bool> ready{false};
};

result hand_over(std::memory_order write, std::memory_order read, void (*fill)(parcel&),
                 void (*use)(parcel&)) {
    return explore({}, [=](scenario& stage) {
        auto& m = stage.make<room>("room");
        stage.thread("writer", [&m, write, fill] {
            fill(m.content);
            m.ready.store(true, write);
        });
        stage.thread("reader", [&m, read, use] {
            if (m.ready.load(read)) use(m.content);
        });
    });
}

} // namespace

TEST_CASE("plain members, copies and containers are published or race", "[plain]") {
    const auto set_weight = [](parcel& p) { p.weight = 3; };
    const auto read_weight = [](parcel& p) { check(p.weight == 3, "the weight"); };
    const auto copy_label = [](parcel& p) { std::memcpy(p.label, "a label of some length", 23); };
    const auto read_label = [](parcel& p) { check(std::memcmp(p.label, "a label", 7) == 0, "the label"); };
    const auto add_item = [](parcel& p) { p.items.push_back(7); };
    const auto read_item = [](parcel& p) { check(p.items.at(0) == 7, "the item"); };
    for (const auto& [fill, use] : {std::pair<void (*)(parcel&), void (*)(parcel&)>{set_weight, read_weight},
                                    {copy_label, read_label},
                                    {add_item, read_item}}) {
        CHECK(passes(hand_over(rel, acq, fill, use)));
        CHECK(finds(hand_over(rlx, acq, fill, use), "data race on plain memory room"));
        CHECK(finds(hand_over(rel, rlx, fill, use), "data race on plain memory room"));
    }
}

TEST_CASE("neighbours in one word are apart", "[plain]") {
    const result done = explore({}, [](scenario& stage) {
        struct flags {
            bool first = false, second = false;
        };
        auto& m = stage.make<flags>("flags");
        auto& step = stage.make<interleave::atomic<int>>("step", 0);
        stage.thread("one", [&] {
            m.first = true;
            step.fetch_add(1, rlx);
        });
        stage.thread("two", [&] {
            m.second = true;
            step.fetch_add(1, rlx);
        });
        stage.finally([&] { check(m.first && m.second, "both"); });
    });
    CHECK(passes(done));
}

TEST_CASE("freed memory is used by no thread that came before its next owner", "[plain]") {
    const auto run = [](std::memory_order order, bool touch_behind) {
        return explore({}, [=](scenario& stage) {
            struct shared {
                int data = 0;
                int more[8] = {};
            };
            auto& owners = stage.make<interleave::atomic<int>>("owners", 2);
            auto* const object = new shared;
            for (const char* const name : {"one", "two"})
                stage.thread(name, [&owners, object, order, touch_behind] {
                    const int mine = object->more[3];
                    if (owners.fetch_sub(1, order) == 1)
                        delete object;
                    else if (touch_behind)
                        check(object->more[3] == mine, "another value");
                });
        });
    };
    CHECK(passes(run(std::memory_order_acq_rel, false)));
    CHECK(finds(run(rlx, false), "frees"));
    if (sees_plain_memory()) CHECK(run(std::memory_order_acq_rel, true).failed);
}

TEST_CASE("memory that changes hands through the allocator is no race", "[plain]") {
    const result done = explore({}, [](scenario& stage) {
        auto& step = stage.make<interleave::atomic<int>>("step", 0);
        for (const char* const name : {"one", "two"})
            stage.thread(name, [&step] {
                for (int i = 0; i < 2; ++i) {
                    const auto block = std::make_unique<std::array<int, 12>>();
                    (*block)[5] = i;
                    step.fetch_add(1, rlx);
                    std::string text(40, 'x');
                    text += "grows";
                    auto* raw = static_cast<char*>(std::malloc(24));
                    raw[0] = 'a';
                    raw = static_cast<char*>(std::realloc(raw, 200));
                    raw[150] = 'b';
                    std::free(raw);
                }
            });
    });
    CHECK(passes(done));
}

TEST_CASE("a lock of one's own publishes what it guards, and its relaxed twin does not", "[plain]") {
    const auto run = [](std::memory_order enter, std::memory_order leave) {
        return explore({}, [=](scenario& stage) {
            struct guarded {
                interleave::atomic<bool> held{false};
                int count = 0;
            };
            auto& m = stage.make<guarded>("guarded");
            for (const char* const name : {"one", "two"})
                stage.thread(name, [&m, enter, leave] {
                    while (m.held.exchange(true, enter)) traits::pause();
                    ++m.count;
                    m.held.store(false, leave);
                });
            stage.finally([&m] { check(m.count == 2, "an addition was lost"); });
        });
    };
    CHECK(passes(run(acq, rel)));
    CHECK(finds(run(rlx, rel), "data race on plain memory guarded"));
    CHECK(finds(run(acq, rlx), "data race on plain memory guarded"));
}

TEST_CASE("what lies on a stack is lent while its frame lives", "[plain]") {
    struct exchange {
        interleave::atomic<int*> home{nullptr};
        interleave::atomic<bool> written{false};
    };
    const result done = explore({}, [](scenario& stage) {
        auto& m = stage.make<exchange>("exchange");
        stage.thread("lender", [&m] {
            const auto lend = [&m](int value) {
                int place = value;
                m.home.store(&place, rel);
                while (!m.written.exchange(false, acq)) traits::pause();
                check(place == value + 1, "the borrower's value");
            };
            lend(1);
            lend(2); // the same place on the stack, most likely
        });
        stage.thread("borrower", [&m] {
            for (int i = 0; i < 2; ++i) {
                int* place = nullptr;
                while ((place = m.home.exchange(nullptr, acq)) == nullptr) traits::pause();
                ++*place;
                m.written.store(true, rel);
            }
        });
    });
    CHECK(passes(done));
}
