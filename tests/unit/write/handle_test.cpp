// Would catch: a handle that keeps a writer alive or dangles, a destructor that does not wait for a call in
// progress.

#include <support/writer_fixture.hpp>

#include <memory>
#include <thread>

TEST_CASE("a handle works while its writer lives, and answers closed afterwards", "[write][handle]") {
    auto f = std::make_unique<writer_fixture<server>>();
    const auto handle = f->out->handle();
    const auto copy = handle;
    CHECK(handle.send_text("by handle") == errc::none);
    CHECK(copy.send(f->pong("by copy")) == errc::none);
    CHECK(copy.send_binary(wsolo::bytes_of("b")) == errc::none);
    REQUIRE(f->pump_all() == pump_status::idle);
    CHECK(f->payloads(1) == std::vector<std::string>{"by handle"});
    CHECK_FALSE(handle.is_expired());
    CHECK(handle.try_use());
    f.reset();
    CHECK(handle.is_expired());
    CHECK(handle.send_text("late") == errc::closed);
    CHECK(copy.close(wsolo::close_code::normal) == errc::closed);
    handle.abort();
    CHECK_FALSE(handle.try_use());
    const decltype(f->out->handle()) none;
    CHECK(none.send_text("nowhere") == errc::closed);
}

TEST_CASE("a guard may still ask for a handle while the writer is being destroyed", "[write][handle]") {
    auto f = std::make_unique<writer_fixture<server>>();
    const auto handle = f->out->handle();
    auto guard = handle.try_use();
    REQUIRE(guard);
    std::thread destroyer([&] { f->out.reset(); });
    while (!handle.is_expired()) std::this_thread::yield();
    CHECK(guard->handle().send_text("late") == errc::closed);
    CHECK(guard->send_text("late") == errc::closed);
    guard = {};
    destroyer.join();
    CHECK(f->reports.size() == 1);
}

TEST_CASE("destruction waits for a call in progress, while others keep sending", "[write][handle]") {
    for (int repetition = 0; repetition < 50; ++repetition) {
        auto f = std::make_unique<writer_fixture<server>>();
        const auto handle = f->out->handle();
        std::atomic<int> accepted{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t) {
            threads.emplace_back([handle, &accepted] {
                while (true) {
                    const errc error = handle.send_text("message");
                    if (error == errc::closed) break;
                    accepted += error == errc::none;
                }
            });
        }
        while (accepted < 10) std::this_thread::yield();
        f->out.reset();
        REQUIRE(f->reports.size() == 1);
        CHECK(f->reports[0].frames_dropped >= 10);
        for (std::thread& thread : threads) thread.join();
        CHECK(static_cast<int>(f->reports[0].frames_dropped) == accepted);
    }
}

TEST_CASE("destruction ends the waits of threads that are inside by a handle", "[write][handle]") {
    for (const bool parked : {false, true}) {
        writer_fixture<server> f;
        if (parked) f.wire.then({io_status::would_block, 1, 0});
        REQUIRE(f.out->send_text("never written") == errc::none);
        if (parked) REQUIRE(f.out->pump().status == pump_status::blocked);
        const auto handle = f.out->handle();
        const std::size_t before = f.out->queued_bytes();
        std::atomic<bool> inside{false};
        errc flushed = errc::none;
        std::thread waiting([&] {
            const auto guard = handle.try_use();
            inside = true;
            flushed = guard->flush(wsolo::no_deadline);
        });
        while (!inside || f.out->queued_bytes() == before) std::this_thread::yield(); // its mark is queued
        f.out.reset();
        waiting.join();
        CHECK(flushed == errc::aborted);
        REQUIRE(f.reports.size() == 1);
        CHECK(f.reports[0].partial_frame == parked);
    }
}
