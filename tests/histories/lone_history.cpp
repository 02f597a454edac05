// A history of one thread: what it draws, its loop, and its end.

#include "lone_parts.hpp"

#include <algorithm>
#include <stdexcept>

namespace histories {

using namespace std::chrono_literals;

making lone_history::draw(std::uint64_t seed) {
    seeded draw(seed, 0);
    making how;
    how.client = draw.chance(50);
    how.how = draw.chance(50) ? drive::inline_ : drive::deferred;
    how.completes = draw.chance(35);
    how.gated = draw.chance(20);
    how.when_full = draw.one_of(
        {policy::reject, policy::reject, policy::drop_oldest, policy::drop_oldest, policy::disconnect});
    how.max_bytes = draw.one_of<std::size_t>({300, 1000, 2000, 4000, 4000, 20'000, 100'000, 200'000});
    how.max_frames = draw.one_of<std::uint32_t>({1, 2, 3, 4, 8, 64, 1000, 1000});
    how.control_reserve = draw.one_of<std::uint16_t>({1, 2, 4, 16});
    how.high_water = draw.one_of<std::uint8_t>({0, 10, 50, 75, 100});
    how.low_water = draw.one_of<std::uint8_t>({0, 10, 25, 50});
    how.quantum_bytes = draw.one_of<std::uint32_t>({1, 1000, 1 << 20, 1 << 20});
    how.quantum_frames = draw.one_of<std::uint16_t>({1, 2, 16'384, 16'384});
    how.write_timeout = draw.one_of({100ms, 1000ms, 1000ms});
    how.drain_timeout = draw.one_of({50ms, 500ms, 5000ms});
    how.min_rate = draw.one_of<std::uint32_t>({0, 1024, 100'000});
    how.compression = draw_compression(seed);
    return how;
}

void lone_history::run() {
    journal::begin("lone", seed_);
    lone_thread::current = this;
    lone_thread::now = time_point(std::chrono::hours(1));
    lone_thread::word = &main_.word;
    main_.word = nullptr;

    diligent_ = draws_.chance(75);
    always_perfect_ = draws_.chance(35);
    mood_ = always_perfect_ ? mood::perfect
                            : draws_.one_of({mood::perfect, mood::choppy, mood::choppy, mood::stuck});
    reenters_ = draws_.one_of({0U, 5U, 15U, 40U});
    wanted_ = draws_.one_of({6U, 12U, 30U, 30U, 80U});
    sizes_ = static_cast<unsigned>(draws_.below(4));
    refuses_hook_ = draws_.chance(3) ? 5 : 0;
    for (std::size_t i = 0; i < operations; ++i) weights_[i] = usual[i] * draws_.one_of({0U, 1U, 1U, 3U});
    for (const operation ending :
         {operation::close, operation::raw_close, operation::abort, operation::close_by_handle,
          operation::abort_by_handle, operation::destroy})
        if (draws_.chance(60)) weights_[static_cast<std::size_t>(ending)] = 0;
    if (how_.how == drive::threaded) how_.how = drive::deferred;

    journal::line(
        0,
        "%s, %s, %s, %s, policy %d, max_bytes %zu, max_frames %u, reserve %u, marks %u/%u, quantum %u/%u, "
        "write %d ms, drain %d ms, rate %u; compression %d, %u bits, kept %u, from %u; %s, transport %d%s, "
        "re-enters %u%%",
        how_.client ? "client" : "server", how_.how == drive::inline_ ? "inline" : "deferred",
        how_.completes ? "completes" : "writes", how_.gated ? "gated" : "open",
        static_cast<int>(how_.when_full), how_.max_bytes, how_.max_frames, how_.control_reserve,
        how_.high_water, how_.low_water, how_.quantum_bytes, how_.quantum_frames,
        static_cast<int>(how_.write_timeout.count()), static_cast<int>(how_.drain_timeout.count()),
        how_.min_rate, static_cast<int>(how_.compression.mode), how_.compression.window_bits,
        how_.compression.kept_window, how_.compression.min_size, diligent_ ? "diligent" : "lazy",
        static_cast<int>(mood_), always_perfect_ ? " for ever" : "", reenters_);

    heap::start();
    heap::forget();
    subject_ = make_lone_subject(how_, *this);
    heap::refuse(less_.refused_allocation, less_.refused_in_a_row);
    is_gated_ = how_.gated;
    char here = 0;
    stack_base_ = &here;
    while (number_ < wanted_ && number_ < less_.cut && alive() && !journal::is_broken()) {
        perform();
        if (diligent_) settle();
    }
    if (!journal::is_broken()) end_of_history();
    heap::refuse_no_more();
    if (journal::is_broken()) static_cast<void>(subject_.release()); // its state is not to be trusted
    journal::end();
    lone_thread::current = nullptr;
}

left lone_history::pump() {
    if (!alive()) return left::finished;
    const bool is_outermost = depth_ == 0 && running_ == &main_ && pumps_ == 0 && calls_ == 0;
    hook_due_ = false;
    if (is_gated_ && lone_thread::now >= must_end_by_)
        timed_out_rightly_ = true; // the gate stood for too long
    say("pump");
    const unsigned hooks = hooks_, serial = pump_serial_;
    pumped got;
    {
        const raised pump(pumps_, 1U);
        got = subject_->pump();
    }
    if (subject_ == nullptr || !subject_->is_alive()) return left::finished;
    const auto ms =
        got.deadline == time_point::max()
            ? -1
            : std::chrono::duration_cast<std::chrono::milliseconds>(got.deadline - lone_thread::now).count();
    say("= %s, deadline %d ms", statuses[static_cast<unsigned>(got.status)], static_cast<int>(ms));
    const bool means_nothing = got.status == left::busy && pumps_ + calls_ != 0; // the one around it pumps
    if (serial == pump_serial_ && !means_nothing) { // else a pump() inside of this one knows better
        ++pump_serial_;
        blocked_ = got.status == left::blocked;
        pump_at_ = got.status == left::blocked || got.status == left::busy ? got.deadline : time_point::max();
    }
    if (!is_outermost || journal::is_broken()) return got.status;

    if (got.status == left::more && hooks == hooks_ && how_.how == drive::deferred)
        broke("lost_wakeup", "pump() says more, and the hook was not called");
    if (got.status == left::idle && !is_corked() && !is_gated_ && !hook_due_)
        nothing_is_left(open_record_ != 0, subject_->queued_frames() == 0);
    if ((got.status == left::blocked || got.status == left::busy) && !in_flight_ && !hook_due_ &&
        must_end_by_ != time_point::max() && lone_thread::now < must_end_by_ && got.deadline > must_end_by_ &&
        !subject_->is_finished())
        broke("bound", std::string("pump() does not say when the end is due: ") +
                           statuses[static_cast<unsigned>(got.status)]);
    return got.status;
}

/// A diligent loop's turn.
void lone_history::settle() {
    for (unsigned i = 0; i < 500 && alive() && !journal::is_broken(); ++i) {
        if (hook_due_) {
            static_cast<void>(pump());
        } else if (in_flight_ && always_perfect_) {
            complete_some(draws_, true);
        } else if (blocked_ && !in_flight_ && mood_ != mood::stuck && i < 20) {
            static_cast<void>(pump());
        } else {
            break;
        }
    }
    if (!alive() || journal::is_broken() || hook_due_ || blocked_ || in_flight_ || is_corked() || is_gated_)
        return;
    if (!subject_->is_finished() && open_record_ == 0 && subject_->queued_bytes() != 0)
        broke("lost_wakeup",
              std::to_string(subject_->queued_bytes()) + " bytes are queued, and no thread is asked to pump");
}

void lone_history::advance(span_of_time by) {
    const time_point to = lone_thread::now + by;
    say("%u: advance %d ms", number_,
        static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(by).count()));
    if (diligent_ && depth_ == 0) {
        settle();
        for (unsigned i = 0; i < 50 && alive() && !journal::is_broken() && pump_at_ <= to; ++i) {
            lone_thread::now = std::max(lone_thread::now, pump_at_);
            pump_at_ = time_point::max();
            static_cast<void>(pump());
            settle();
        }
    }
    lone_thread::now = std::max(lone_thread::now, to);
    if (depth_ != 0 || !alive() || journal::is_broken() || lone_thread::now < must_end_by_) return;
    for (unsigned i = 0;
         i < 4 && alive() && !in_flight_ && pump() != left::finished && !journal::is_broken();)
        if (!hook_due_) ++i;
    if (alive() && !in_flight_ && !subject_->is_finished() && !journal::is_broken())
        broke("bound",
              std::string(
                  "the bound of the end has passed, pump() was called, and the writer is not finished") +
                  (is_corked() ? " (corked)" : "") + (is_gated_ ? " (gated)" : ""));
}

std::size_t lone_history::allowed_heap() const {
    return how_.max_bytes + how_.max_bytes / 4 + 64 * 1024 + std::size_t{how_.control_reserve} * 2 * 256 +
           greetings_ + in_calls_ + 1024 + (subject_ == nullptr ? 0 : subject_->compression_bytes());
}

void lone_history::check_heap() {
    const std::size_t held = heap::held_bytes();
    if (held > allowed_heap())
        broke("heap", std::to_string(held) + " bytes of heap in " + std::to_string(heap::held_blocks()) +
                          " blocks; the budget is " + std::to_string(how_.max_bytes) + ", in use " +
                          std::to_string(alive() ? subject_->queued_bytes() : 0));
}

void lone_history::end_of_history() {
    ending_ = true;
    depth_ = 0;
    seeded draw(seed_, 2);
    say("the end");
    if (alive()) {
        for (std::size_t i = 0; i < subject::places; ++i) {
            if (!message_[i].exists) continue;
            wanted_ = ~0U;
            seeded again(seed_, 20 + i);
            const open_message was = message_[i];
            if (!was.ended && draw.chance(50)) do_part(i, true, again);
            if (!alive()) break;
            const open_message gone = message_[i];
            message_[i] = {};
            say("drop message %u", gone.record);
            if (!gone.ended) {
                item& last = begin(item_kind::fragment, gone.text ? 1 : 2, 0, false);
                last.message = gone.record;
                last.may_be = true;
                item& close =
                    begin(item_kind::close, 8, false, [](unsigned) { return std::string("\x03\xf3", 2); });
                close.may_be = true;
                subject_->drop_message(i, draw.chance(50));
                end(last, errc::none);
                end(close, errc::none);
                message_ended(gone.record);
                if (open_record_ == gone.record) open_record_ = 0;
            } else {
                subject_->drop_message(i, false);
            }
        }
        for (std::size_t i = 0; i < subject::places && alive(); ++i) {
            if (!corked_[i]) continue;
            corked_[i] = false;
            --corks_;
            say("uncork %zu", i);
            subject_->uncork(i);
        }
        if (is_gated_ && alive()) {
            is_gated_ = false;
            const bool opens = draw.chance(60);
            say("%s", opens ? "open_gate" : "drop_gate");
            if (!opens) timed_out_rightly_ = true;
            if (opens)
                subject_->open_gate();
            else
                subject_->drop_gate();
        }
    }
    if (alive() && !journal::is_broken() && draw.chance(70)) {
        if (!always_perfect_) mood_ = draw.one_of({mood::perfect, mood::choppy, mood::stuck});
        say("transport %d", static_cast<int>(mood_));
        if (draw.chance(70)) {
            if (mood_ != mood::stuck) {
                for (unsigned i = 0; i < 20'000 && alive() && !journal::is_broken(); ++i) {
                    if (in_flight_) complete_some(draw, false);
                    const left got = pump();
                    if (got == left::finished || (got == left::idle && !in_flight_)) break;
                }
            }
            if (alive() && !journal::is_broken()) do_close(draw, false);
        } else {
            const auto within = draw.one_of<span_of_time>({0ms, 100ms});
            say("abort");
            note_end_by(within);
            timed_out_rightly_ = true;
            subject_->abort(within);
        }
        if (alive() && diligent_) settle();
        if (alive() && must_end_by_ != time_point::max() && !journal::is_broken())
            advance(std::max<span_of_time>(must_end_by_ - lone_thread::now, 0ms));
    }
    if (journal::is_broken()) return;
    const bool unsure = in_flight_;
    if (subject_->is_alive()) {
        say("destroy");
        const bool was_finished = subject_->is_finished();
        dying_ = true;
        subject_->destroy();
        dying_ = false;
        writer_is_gone();
        if (!was_finished && !has_final_) broke("outcome", "on_finished() is not called");
    }
    if (!finished_) broke("outcome", "on_finished() is not called");
    for (std::size_t i = 0; i < subject::places; ++i) {
        if (!handle_[i]) continue;
        item& it = begin(item_kind::data, 1, smallest, true);
        const errc result = subject_->send_by_handle(i, it.payload, asking(it));
        end(it, result);
        if (result != errc::closed) broke("handle", "a handle of a dead writer answers " + str(result));
        subject_->abort_by_handle(i);
        if (subject_->close_by_handle(i) != errc::closed) broke("handle", "a handle of a dead writer closes");
        subject_->drop_handle(i);
    }
    if (in_flight_) {
        if (draw.chance(70))
            complete_some(draw, draw.chance(50));
        else
            subject_->lose();
    }
    if (has_final_) judge(final_, unsure);
    if (!ended_transport_) broke("transport", "finish() is not called");
    if (!journal::is_broken()) {
        subject_.reset();
        if (heap::held_blocks() != 0)
            broke("leak", std::to_string(heap::held_bytes()) + " bytes in " +
                              std::to_string(heap::held_blocks()) + " blocks are left");
    }
}

} // namespace histories
