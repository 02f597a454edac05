// A history of two endpoints: what it draws, how its time passes, and its end.

#include "endpoint_history.hpp"

#include "journal.hpp"

#include <algorithm>

namespace histories {

using namespace std::chrono_literals;

namespace {

/// One window of bytes leaves in each latency, at most.
double bytes_per_second(const wsolo::testing::link_options& link) {
    const double latency = std::max(1e-6, std::chrono::duration<double>(link.latency).count());
    const double rate = link.rate == 0 ? 1e9 : static_cast<double>(link.rate);
    return std::min(rate, static_cast<double>(std::min(link.send_buffer, link.receive_buffer)) / latency);
}

std::chrono::milliseconds rounded(span_of_time span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span) + 1ms;
}

} // namespace

endpoint_history::endpoint_history(std::uint64_t seed, const shrinking& less)
    : seed_(seed), less_(less), draws_(seed, 100) {
    server_.peer = &client_;
    client_.peer = &server_;
}

endpoint_history::~endpoint_history() = default;

void endpoint_history::draw_links() {
    for (wsolo::testing::link_options* each : {&links_.to_server, &links_.to_client}) {
        each->latency = draws_.one_of({0ms, 1ms, 1ms, 20ms, 150ms});
        each->rate = draws_.one_of<std::uint64_t>({0, 0, 0, 8'000, 30'000, 1'000'000});
        each->send_buffer = draws_.one_of<std::size_t>({100, 2'000, 16'000, 64'000, 256'000});
        each->receive_buffer = draws_.one_of<std::size_t>({64, 2'000, 16'000, 64'000, 256'000});
        each->cut = draws_.one_of<std::size_t>({0, 0, 1, 7, 100, 1500});
        each->seed = draws_.chance(50) ? draws_.next() : 0;
        while (is_healthy_ && bytes_per_second(*each) < 8'000) { // well above min_rate
            each->send_buffer *= 2;
            each->receive_buffer *= 2;
        }
    }
    links_.proxy = draws_.chance(30);
}

void endpoint_history::draw_options(side& of) {
    of.handler_sleeps = draws_.one_of({0U, 0U, 20U, 100U});

    wsolo::endpoint_options& how = of.how;
    how.handling.max_bytes = draws_.one_of<std::size_t>({500, 20'000, 1'000'000});
    how.handle_quantum = draws_.one_of<std::uint32_t>({0, 1, 2, 64});
    how.writing.limits.max_bytes = draws_.one_of<std::size_t>({200'000, 1'000'000, 4'000'000});
    how.writing.limits.max_frames = draws_.one_of<std::uint32_t>({1'000, 65'536});
    how.writing.limits.control_reserve = draws_.one_of<std::uint16_t>({1, 2, 256});
    how.writing.pump_quantum = draws_.one_of<std::uint32_t>({1, 1'000, 1 << 20});
    how.writing.pump_frames = draws_.one_of<std::uint16_t>({1, 2, 16'384});
    const bool both_answer = reenters_ != 0 || (of.replies != 0 && of.peer->replies != 0);
    of.unsent_replies = draws_.one_of<std::uint32_t>({0, 1, 8, 16'384});
    std::size_t unsent = draws_.one_of<std::size_t>({0, 1, 10'000, 100'000});
    // Two sides that answer each other's answers may well wait for each other, if neither has room for them. One that always
    // reads is enough.
    if (is_healthy_ && both_answer && of.is_client == client_reads_on_) unsent = of.unsent_replies = 0;
    how.max_unsent = unsent;
    how.max_unsent_replies = of.unsent_replies;
    how.beating.ping_interval = draws_.one_of({0ms, 300ms, 1000ms, 20'000ms});
    how.beating.beat_interval = draws_.one_of({0ms, 0ms, 1000ms, 7000ms});
    how.beating.pong_only = draws_.chance(10);

    // How long everything takes that this history may send, on these links, with these handlers.
    const double least = std::min(bytes_per_second(links_.to_server), bytes_per_second(links_.to_client));
    const double most_messages = static_cast<double>(budget_) / 8;
    const double late = std::max(of.lateness_ms, of.peer->lateness_ms) / 1000.0;
    const auto all = std::chrono::duration_cast<span_of_time>(std::chrono::duration<double>(
        4.0 * static_cast<double>(budget_ + 100'000) / least + 2.0 * most_messages * late + 60.0));
    // A healthy peer may take nothing for that long: one delivery's worth of replies, a full inbox, the latency.
    const auto silence =
        std::chrono::duration_cast<span_of_time>(std::chrono::duration<double>(2.0 * 140'000 / least + 4.0));
    const bool answers = of.replies != 0 || of.peer->replies != 0;

    if (is_healthy_) {
        how.beating.pong_timeout =
            late == 0 ? draws_.one_of({2'000ms, 4'000ms, rounded(silence)}) : rounded(all);
        if (how.beating.pong_only) how.beating.pong_timeout = rounded(all);
        how.writing.timeouts.write = answers     ? rounded(silence + all)
                                     : late == 0 ? draws_.one_of({4'000ms, 30'000ms, 0ms})
                                                 : rounded(all);
        how.writing.timeouts.drain = draws_.one_of({0ms, rounded(all)});
        how.writing.timeouts.min_rate = late == 0 ? draws_.one_of<std::uint32_t>({0, 1'024}) : 0;
        of.close_timeout = draws_.one_of({rounded(all), rounded(2 * all)});
        of.linger_timeout = of.close_timeout;
        how.writing.limits.when_full = wsolo::overflow::reject;
        how.handling.when_full = wsolo::inbox_overflow::pause;
    } else {
        how.beating.pong_timeout = draws_.one_of({0ms, 100ms, 2'000ms});
        how.writing.timeouts.write = draws_.one_of({0ms, 100ms, 2'000ms, 30'000ms});
        how.writing.timeouts.drain = draws_.one_of({0ms, 50ms, 1'000ms, 5'000ms});
        how.writing.timeouts.min_rate = draws_.one_of<std::uint32_t>({0, 1'024, 100'000});
        of.close_timeout = draws_.one_of({50ms, 1'000ms, 5'000ms});
        of.linger_timeout = draws_.one_of({50ms, 1'000ms, 5'000ms});
        how.writing.limits.when_full = draws_.one_of(
            {wsolo::overflow::reject, wsolo::overflow::drop_oldest, wsolo::overflow::disconnect});
        if (draws_.chance(50)) how.writing.limits.max_bytes = draws_.one_of<std::size_t>({300, 3'000});
        how.handling.when_full =
            draws_.one_of({wsolo::inbox_overflow::pause, wsolo::inbox_overflow::violate_policy,
                           wsolo::inbox_overflow::try_again_later, wsolo::inbox_overflow::drop_newest});
        if (draws_.chance(20)) how.reading.max_message_size = 60;
        of.fails_messages = draws_.one_of({0U, 0U, 0U, 3U});
        of.throws_messages = draws_.one_of({0U, 0U, 0U, 3U});
        of.lateness_ms = draws_.one_of({0U, 1U, 20U, 150U, 3'000U, 1'000'000U});
    }
    of.may_lose = how.writing.limits.when_full == wsolo::overflow::drop_oldest;
    how.ending.close_timeout = rounded(of.close_timeout);
    how.ending.linger_timeout = rounded(of.linger_timeout);

    journal::line(0,
                  "%s: %s, late by %u ms, sleeps %u%%, answers %u%% with %zu; inbox %u/%zu policy %d, "
                  "quantum %u; writer %zu/%u "
                  "policy %d, reserve %u, pump %u/%u, unsent %zu/%u; ping %d ms, pong %d ms%s, beat %d ms; "
                  "write %d ms, drain %d "
                  "ms, rate %u; close %d ms, linger %d ms",
                  of.name,
                  of.where == handled_by::loop   ? "loop"
                  : of.where == handled_by::lent ? "lent"
                  : of.where == handled_by::pool ? "pool"
                                                 : "coroutine",
                  of.lateness_ms, of.handler_sleeps, of.replies, of.reply_size, how.handling.max_messages,
                  how.handling.max_bytes, static_cast<int>(how.handling.when_full), how.handle_quantum,
                  how.writing.limits.max_bytes, how.writing.limits.max_frames,
                  static_cast<int>(how.writing.limits.when_full), how.writing.limits.control_reserve,
                  how.writing.pump_quantum, how.writing.pump_frames, how.max_unsent, of.unsent_replies,
                  static_cast<int>(how.beating.ping_interval.count()),
                  static_cast<int>(how.beating.pong_timeout.count()), how.beating.pong_only ? " only" : "",
                  static_cast<int>(how.beating.beat_interval.count()),
                  static_cast<int>(how.writing.timeouts.write.count()),
                  static_cast<int>(how.writing.timeouts.drain.count()), how.writing.timeouts.min_rate,
                  static_cast<int>(of.close_timeout / 1ms), static_cast<int>(of.linger_timeout / 1ms));
}

void endpoint_history::draw() {
    is_healthy_ = draws_.chance(60);
    may_jump_ = is_healthy_ && draws_.chance(15);
    biggest_ = draws_.one_of<std::size_t>({20, 200, 3'000, 30'000, 70'000});
    budget_ = draws_.one_of<std::uint64_t>({2'000, 50'000, 200'000, 200'000});
    reenters_ = draws_.one_of({0U, 0U, 5U, 15U, 40U});
    client_reads_on_ = (seed_ & 1) != 0;
    draw_links();
    for (side* each : {&server_, &client_}) {
        each->replies = draws_.one_of({0U, 0U, 20U, 100U});
        each->reply_size = draw_size(draws_);
        each->where =
            draws_.one_of({handled_by::loop, handled_by::lent, handled_by::pool, handled_by::coroutine});
        each->lateness_ms = draws_.one_of({0U, 0U, 1U, 20U, 150U});
        each->how.handling.max_messages = draws_.one_of<std::uint32_t>({1, 2, 8, 1024});
    }
    // A peer that reads nothing at the moment of waking is judged at once (write/detail/one_write.hpp).
    if (server_.lateness_ms != 0 || client_.lateness_ms != 0) may_jump_ = false;
    if (server_.replies == 100 && client_.replies == 100) client_.replies = 0; // not for ever
    draw_options(server_);
    draw_options(client_);
    wanted_ = draws_.one_of({4U, 12U, 30U, 30U, 80U});
    static constexpr unsigned usual[operations] = {20, 12, 3, 3, 4, 1, 1, 2, 1, 4, 1, 1,
                                                   20, 2,  2, 2, 4, 1, 1, 1, 1, 2, 2};
    for (std::size_t i = 0; i < operations; ++i) weights_[i] = usual[i] * draws_.one_of({0U, 1U, 1U, 3U});
    weights_[static_cast<std::size_t>(operation::pass_time)] = 20;
    const auto leave_out = [&](std::initializer_list<operation> these) {
        for (const operation each : these) weights_[static_cast<std::size_t>(each)] = 0;
    };
    if (is_healthy_)
        leave_out({operation::close, operation::close_by_handle, operation::abort, operation::destroy,
                   operation::sleep, operation::stall, operation::resume, operation::reset,
                   operation::reset_end, operation::half_close, operation::hangups});
    if (is_healthy_ && !may_jump_) leave_out({operation::jump});
    draw_compression();
    if (!server_.agreed.compresses()) leave_out({operation::trim});
    for (const auto* each : {&links_.to_server, &links_.to_client})
        journal::line(0, "%s: latency %d us, rate %llu, buffers %zu/%zu, cut %zu%s%s",
                      each == &links_.to_server ? "to the server" : "to the client",
                      static_cast<int>(each->latency / 1us), static_cast<unsigned long long>(each->rate),
                      each->send_buffer, each->receive_buffer, each->cut, each->seed != 0 ? " drawn" : "",
                      links_.proxy ? ", a proxy" : "");
    journal::line(0, "%s, re-enters %u%%, budget %llu", is_healthy_ ? "healthy" : "anything goes", reenters_,
                  static_cast<unsigned long long>(budget_));
}

/// From a stream of its own: the histories without it stay as they were.
void endpoint_history::draw_compression() {
    seeded draw(seed_, 300);
    if (!WSOLO_TEST_ZLIB || draw.chance(50)) return;
    server_.agreed.mine = client_.agreed.peers = draw_way(draw);
    client_.agreed.mine = server_.agreed.peers = draw_way(draw);
    for (side* each : {&server_, &client_}) {
        each->agreed.splits = draw.chance(50);
        const compressing& mine = each->agreed.mine;
        journal::line(0, "%s compresses: mode %d, %u bits, level of memory %u, keeps %u, from %u bytes%s",
                      each->name, static_cast<int>(mine.mode), mine.window_bits, mine.memory_level,
                      mine.kept_window, mine.min_size, each->agreed.splits ? "; receives split frames" : "");
    }
}

void endpoint_history::run() {
    journal::begin("endpoint", seed_);
    heap::start();
    heap::forget();
    void* const loop = std::exchange(played_thread::loop, nullptr);
    played_thread::word = &played_thread::loop;
    draw();
    net_ = std::make_unique<wsolo::testing::pair>(links_);
    server_.end = &net_->server;
    client_.end = &net_->client;
    for (side* each : {&server_, &client_})
        each->subject =
            make_endpoint(each->is_client, each->where, each->how, each->agreed, *each->end, *each);
    while (number_ < wanted_ && number_ < less_.cut && !journal::is_broken() &&
           (server_.is_running() || client_.is_running()))
        perform();
    if (!journal::is_broken()) end_of_history();
    if (journal::is_broken()) { // their state is not to be trusted
        static_cast<void>(server_.subject.release());
        static_cast<void>(client_.subject.release());
        static_cast<void>(net_.release());
    }
    journal::end();
    played_thread::loop = loop;
}

void endpoint_history::do_work(side& of) {
    if (!of.is_running() || of.where != handled_by::pool) return;
    of.say("work");
    of.subject->work();
}

void endpoint_history::pass(span_of_time span) {
    const time_point last = clock::now() + span;
    const auto next = [&] {
        time_point first = last;
        for (const side* each : {&server_, &client_}) {
            if (!each->work_due.empty()) first = std::min(first, *each->work_due.begin());
            if (each->resume_due) first = std::min(first, *each->resume_due);
            if (each->is_running() && clock::now() <= each->must_finish_by) // looked at when it passes
                first = std::min(first, wsolo::deadline_after(each->must_finish_by, 1ns));
        }
        return first;
    };
    for (bool is_over = false; !is_over && !journal::is_broken();) {
        // At each instant what is due in the two loops comes first.
        const time_point target = next();
        static_cast<void>(net_->run_until([&] { return next() < target; },
                                          std::max(target - clock::now(), span_of_time::zero())));
        net_->settle();
        if (net_->has_spun()) broke(server_, "spin", "a side asks to be run at one instant for ever");
        check_rest(server_);
        check_rest(client_);
        check_heap();
        const time_point now = clock::now();
        is_over = now >= last;
        for (side* each : {&server_, &client_}) {
            if (!each->work_due.empty() && *each->work_due.begin() <= now) {
                each->work_due.erase(each->work_due.begin());
                is_over = false;
                do_work(*each);
            }
            if (each->resume_due && *each->resume_due <= now) {
                each->resume_due.reset();
                is_over = false;
                each->say("the coroutine goes on");
                each->subject->resume_coroutine();
            }
        }
    }
}

void endpoint_history::end_of_history() {
    ending_ = true;
    seeded draw(seed_, 200);
    journal::line(0, "the end");
    if (is_healthy_) {
        pass(draw.one_of({0ms, 0ms, 10ms, 5'000ms}));
        const unsigned who = static_cast<unsigned>(draw.below(4));
        side& first = draw.chance(50) ? server_ : client_;
        do_close(first, draw);
        if (who == 0) {
            pass(draw.one_of({0ms, 1ms, 30ms, 400ms}));
            if (first.peer->is_running()) do_close(*first.peer, draw);
        }
        for (int i = 0;
             i < 100'000 && (server_.is_running() || client_.is_running()) && !journal::is_broken(); ++i)
            pass(10s);
    } else {
        if (is_stalled_ && draw.chance(70)) {
            journal::line(0, "resume");
            net_->resume();
        }
        for (side* each : {&server_, &client_}) {
            if (!each->is_running() || each->has_closed || each->was_aborted) continue;
            if (draw.chance(70)) {
                do_close(*each, draw);
            } else if (draw.chance(30)) {
                each->say("abort");
                each->was_aborted = true;
                each->end_is_due();
                each->subject->abort();
            }
            pass(draw.one_of({0ms, 1ms, 100ms}));
        }
        pass(draw.one_of({0ms, 100ms, 10'000ms, 100'000ms}));
        for (side* each : {&server_, &client_}) {
            if (!each->is_running() || each->must_finish_by != time_point::max()) continue;
            each->say("abort");
            each->was_aborted = true;
            each->end_is_due();
            each->subject->abort();
        }
        for (int i = 0; i < 1'000 && (server_.is_running() || client_.is_running()) && !journal::is_broken();
             ++i)
            pass(10s);
    }
    if (journal::is_broken()) return;
    for (side* each : {&server_, &client_}) {
        if (each->is_running()) broke(*each, "bound", "not finished, after hours");
        if (!each->was_destroyed && each->finishes != 1)
            broke(*each, "finished", "on_finished was called " + std::to_string(each->finishes) + " times");
        check_wire(*each);
        if (is_healthy_ && !was_disturbed_) check_healthy(*each);
    }
    if (journal::is_broken()) return;
    for (side* each : {&server_, &client_}) {
        if (!each->is_finished || each->was_destroyed) continue;
        for (unsigned which = 0; which < 3; ++which) {
            const auto wants = each->subject->call_after_the_end(which);
            if (!wants.finished || wants.read || wants.write || wants.deadline != wsolo::no_deadline)
                broke(*each, "finished", "something is wanted after the end");
        }
        if (each->finishes != 1) broke(*each, "finished", "on_finished was called again, after the end");
        if (each->subject->send(true, "late") != errc::closed)
            broke(*each, "finished", "a send after the end does not say closed");
    }
    if (journal::is_broken()) return;
    for (side* each : {&server_, &client_}) {
        each->is_dying = true;
        each->subject.reset();
    }
    net_.reset();
    release_thread_compressors();
    if (heap::held_blocks() != 0)
        broke(server_, "leak",
              std::to_string(heap::held_bytes()) + " bytes in " + std::to_string(heap::held_blocks()) +
                  " blocks are left");
}

} // namespace histories
