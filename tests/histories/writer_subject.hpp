#pragma once
// The public API of the writer under test in the words of subject.hpp. This is the only file of the histories
// that names that API: when it changes, this file is ported.

#include "compression.hpp"
#include "heap_meter.hpp"
#include "subject.hpp"

#include <wsolo/frame/control_reply.hpp>
#include <wsolo/write/await.hpp>
#include <wsolo/write/init_gate.hpp>
#include <wsolo/write/single_writer.hpp>
#include <wsolo/write/threaded.hpp>
#include <wsolo/write/wait.hpp>

#include <support/fire_and_forget.hpp>

#include <array>
#include <atomic>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>

namespace histories {

/// Keys that are never zero, so that a missing or doubled mask shows.
struct odd_keys {
    unsigned state = 0x1234'5678U;
    wsolo::masking_key next_key() noexcept {
        state = state * 1664525U + 1013904223U;
        wsolo::masking_key key;
        for (unsigned i = 0; i < 4; ++i) key.bytes[i] = static_cast<std::byte>((state >> (8 * i)) | 1U);
        return key;
    }
};

using server_end = wsolo::server_side;
using client_end = wsolo::client_side<odd_keys>;

inline wsolo::io_result translate(io how) {
    if (how.how == taken::throws) {
#if WSOLO_HAS_EXCEPTIONS
        throw std::runtime_error("a transport that throws");
#else
        return {wsolo::io_status::failed, how.bytes, how.error};
#endif
    }
    constexpr wsolo::io_status as[] = {wsolo::io_status::ok, wsolo::io_status::would_block,
                                       wsolo::io_status::timed_out, wsolo::io_status::failed};
    return {as[static_cast<unsigned>(how.how)], how.bytes, how.error};
}

inline totals translate(const wsolo::drain_report& report) {
    totals out;
    out.frames_written = report.frames_written;
    out.frames_dropped = report.frames_dropped;
    out.frames_replaced = report.pongs_replaced;
    out.bytes_written = report.bytes_written;
    out.bytes_dropped = report.bytes_dropped;
    out.bytes_replaced = report.bytes_replaced;
    out.partial_frame = report.partial_frame;
    out.reason = report.reason;
    out.clean = report.is_clean();
    out.close = static_cast<unsigned>(report.close);
    return out;
}

inline wsolo::writer_options translate(const making& how) {
    wsolo::writer_options options;
    options.limits.max_bytes = how.max_bytes;
    options.limits.max_frames = how.max_frames;
    options.limits.control_reserve = how.control_reserve;
    options.limits.high_water = how.high_water;
    options.limits.low_water = how.low_water;
    options.limits.when_full = how.when_full == policy::drop_oldest  ? wsolo::overflow::drop_oldest
                               : how.when_full == policy::disconnect ? wsolo::overflow::disconnect
                                                                     : wsolo::overflow::reject;
    options.timeouts.write = how.write_timeout;
    options.timeouts.drain = how.drain_timeout;
    options.timeouts.min_rate = how.min_rate;
    options.pump_quantum = how.quantum_bytes;
    options.pump_frames = how.quantum_frames;
    return options;
}

struct ending_at_once {
    surroundings* around;
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) {
        const heap::outside out;
        return translate(around->write(parts, deadline));
    }
    bool wait_writable(wsolo::time_point deadline) {
        const heap::outside out;
        return around->wait_writable(deadline);
    }
    void finish(wsolo::end_of_write why) {
        const heap::outside out;
        around->finish(why == wsolo::end_of_write::drained);
    }
};

/// Where a started write's completion waits. It outlives the writer.
struct started_line {
    surroundings* around;
    std::optional<wsolo::write_done> done;
};

struct ending_later {
    started_line* line;
    void start_write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline,
                     wsolo::write_done done) {
        const heap::outside out;
        line->done.emplace(std::move(done));
        line->around->start_write(parts, deadline);
    }
    void cancel_write() {
        const heap::outside out;
        line->around->cancel_write();
    }
    void finish(wsolo::end_of_write why) {
        const heap::outside out;
        line->around->finish(why == wsolo::end_of_write::drained);
    }
};

struct calling_hook {
    surroundings* around;
    bool operator()() const {
        const heap::outside out;
        return around->hook();
    }
};

struct telling_observer {
    surroundings* around;
    void on_finished(const wsolo::drain_report& report) const {
        const heap::outside out;
        around->on_finished(translate(report));
    }
    void on_high_water() const {
        const heap::outside out;
        around->on_high_water();
    }
    void on_low_water() const {
        const heap::outside out;
        around->on_low_water();
    }
};

/// Who owns the writer: a loop of the history's own, or wsolo's thread.
template <class Transport, class End, bool Inline, class Traits>
struct pumped_by_history {
    using hook = std::conditional_t<Inline, wsolo::inline_drive<calling_hook>, calling_hook>;
    using writer = wsolo::single_writer<Transport, hook, End, telling_observer, Traits, history_encoder>;
    std::optional<writer> held;

    pumped_by_history(Transport transport, const making& how, surroundings& around, compression& by) {
        hook call{};
        if constexpr (Inline)
            call.hook.around = &around;
        else
            call.around = &around;
        if (how.gated)
            held.emplace(wsolo::born_gated, std::move(transport), call, translate(how), End{},
                         telling_observer{&around}, encoder_of(by));
        else
            held.emplace(std::move(transport), call, translate(how), End{}, telling_observer{&around},
                         encoder_of(by));
    }
    static history_encoder encoder_of(compression& by) {
        history_encoder made;
        made.by = &by;
        return made;
    }
    writer& get() { return *held; }
    void destroy() { held.reset(); }
};

template <class Transport, class End, class Traits>
struct pumped_by_wsolo {
    using owner = wsolo::threaded_writer<Transport, End, telling_observer, Traits>;
    using writer = typename owner::writer_type;
    std::optional<owner> held;

    pumped_by_wsolo(Transport transport, const making& how, surroundings& around, compression&) {
        held.emplace(std::move(transport), translate(how), End{}, telling_observer{&around});
    }
    writer& get() { return held->writer(); }
    void destroy() { held.reset(); }
};

template <class Owner, class End>
class writer_subject final : public subject {
    using writer = typename Owner::writer;
    using message = decltype(std::declval<writer&>().begin_message(wsolo::opcode::text));
    using cork_type = decltype(std::declval<writer&>().corked());
    using handle = decltype(std::declval<writer&>().handle());
    using gate_type = wsolo::init_gate<writer>;
    static constexpr bool is_server = std::is_same_v<End, server_end>;

public:
    writer_subject(const making& how, surroundings& around) : compression_(how, around), line_{&around, {}} {
        std::optional<heap::inside> in(std::in_place);
        if (how.how == drive::threaded) in.reset(); // a thread's own blocks are not the writer's
        owner_ = std::make_unique<Owner>(transport(around), how, around, compression_);
        alive_ = true;
        if (how.gated) gate_ = std::make_unique<gate_type>(out());
    }
    ~writer_subject() override {
        if (alive_) writer_subject::destroy();
        const heap::inside in;
        for (auto& each : handles_) each.reset();
        line_.done.reset();
        compression::release_thread();
    }

    errc send(const sending& what, ask whom) override {
        const wsolo::on_outcome told{whom.call, whom.context};
        const auto payload = wsolo::bytes_of(what.payload);
        switch (what.kind) {
        case kind_of_send::text: {
            const heap::inside in;
            return out().send_text(what.payload, told);
        }
        case kind_of_send::binary: {
            const heap::inside in;
            return out().send_binary(payload, told);
        }
        case kind_of_send::keyed: {
            const heap::inside in;
            return out().send_keyed(what.key, wsolo::opcode::binary, payload, told);
        }
        case kind_of_send::shared:
            if constexpr (is_server) {
                const auto frame = wsolo::make_shared_frame(wsolo::opcode::binary, payload);
                if (!frame) return frame.error();
                const heap::inside in;
                return out().send(*frame, told);
            } else {
                const heap::inside in;
                return out().send(wsolo::outbound(wsolo::binary{payload}), told);
            }
        case kind_of_send::raw: {
            const heap::inside in;
            return told ? out().send(wsolo::raw{payload}, told) : out().send(wsolo::raw{payload});
        }
        case kind_of_send::variant: {
            const heap::inside in;
            return out().send(wsolo::outbound(wsolo::text{what.payload}), told);
        }
        case kind_of_send::ping:
        case kind_of_send::pong: {
            const auto frame =
                what.kind == kind_of_send::ping ? control(payload, true) : control(payload, false);
            if (!frame) return frame.error();
            const heap::inside in;
            return told ? out().send(*frame, told) : out().send(*frame);
        }
        case kind_of_send::told_ping: {
            const heap::inside in;
            return out().send_ping(payload, told);
        }
        case kind_of_send::secret: {
            const heap::inside in;
            return out().send_uncompressed(wsolo::opcode::text, payload, told);
        }
        case kind_of_send::waits: {
            const heap::inside in;
            return out().send_wait(wsolo::opcode::text, payload, what.deadline, {}, told);
        }
        }
        return errc::none;
    }

    errc begin_message(std::size_t place, bool text) override {
        messages_[place] =
            std::make_unique<std::optional<message>>(); // a place on the heap, for a sanitizer to watch
        const heap::inside in;
        messages_[place]->emplace(out().begin_message(text ? wsolo::opcode::text : wsolo::opcode::binary));
        return (*messages_[place])->error();
    }
    errc write_part(std::size_t place, std::string_view payload, ask whom) override {
        const heap::inside in;
        return (*messages_[place])->write(wsolo::bytes_of(payload), {whom.call, whom.context});
    }
    errc finish_message(std::size_t place, std::string_view payload, ask whom) override {
        const heap::inside in;
        return (*messages_[place])->finish(wsolo::bytes_of(payload), {whom.call, whom.context});
    }
    void drop_message(std::size_t place, bool truncate) override {
        const heap::inside in;
        const auto gone = std::move(messages_[place]);
        (*gone)->if_destroyed(truncate ? wsolo::unfinished::truncate : wsolo::unfinished::fail);
    }

    errc close(unsigned code, std::string_view reason, span_of_time within, ask whom) override {
        const heap::inside in;
        return out().close(static_cast<wsolo::close_code>(code), reason, within, {whom.call, whom.context});
    }
    void abort(span_of_time within) override {
        const heap::inside in;
        out().abort(errc::aborted, within);
    }

    errc flush(ask whom) override {
        const heap::inside in;
        return out().flush(wsolo::on_outcome{whom.call, whom.context});
    }
    errc flush_until(time_point deadline) override {
        const heap::inside in;
        return out().flush(deadline);
    }
    void flush_in_coroutine(ask whom) override {
        const heap::outside
            out_of_it; // the frame is the harness's, and what the coroutine sets is taken back
        await_flush(out(), whom);
    }
    void send_in_coroutine(std::string_view payload, ask whom) override {
        const heap::outside out_of_it;
        await_send(out(), payload, whom);
    }

    bool send_that_throws() override {
#if WSOLO_HAS_EXCEPTIONS
        const heap::outside out_of_it;
        bool caught = false;
        await_throw(caught);
        return caught;
#else
        return true;
#endif
    }

    void cork(std::size_t place) override {
        corks_[place] = std::make_unique<std::optional<cork_type>>();
        const heap::inside in;
        corks_[place]->emplace(out().corked());
    }
    void uncork(std::size_t place) override {
        const heap::inside in;
        corks_[place].reset();
    }

    errc acknowledge(std::string_view bytes) override {
        const heap::inside in;
        return gate_->acknowledge(wsolo::bytes_of(bytes));
    }
    errc bound_gate(time_point deadline) override {
        const heap::inside in;
        return gate_->set_deadline(deadline);
    }
    void open_gate() override {
        const heap::inside in;
        const auto gone = std::move(gate_);
        gone->open();
    }
    void reject_gate() override {
        const heap::inside in;
        const auto gone = std::move(gate_);
        gone->reject(errc::handshake_unexpected_status);
    }
    void drop_gate() override {
        const heap::inside in;
        const auto gone = std::move(gate_);
    }

    pumped pump() override {
        const heap::inside in;
        const wsolo::pump_result got = out().pump();
        constexpr left as[] = {left::idle, left::blocked, left::more, left::busy, left::finished};
        return {as[static_cast<unsigned>(got.status)], got.deadline};
    }
    void complete(io how) override {
        const heap::inside in;
        wsolo::write_done done = std::move(*line_.done);
        line_.done.reset();
        done(translate(how));
    }
    void lose() override {
        const heap::inside in;
        line_.done.reset();
    }

    void take_handle(std::size_t place) override {
        const heap::inside in;
        handles_[place] = out().handle();
    }
    void drop_handle(std::size_t place) override {
        const heap::inside in;
        handles_[place].reset();
    }
    errc send_by_handle(std::size_t place, std::string_view payload, ask whom) override {
        const heap::inside in;
        return handles_[place]->send_text(payload, {whom.call, whom.context});
    }
    errc close_by_handle(std::size_t place) override {
        const heap::inside in;
        return handles_[place]->close(wsolo::close_code::going_away);
    }
    void abort_by_handle(std::size_t place) override {
        const heap::inside in;
        handles_[place]->abort();
    }
    errc flush_by_handle(std::size_t place, ask whom) override {
        const heap::inside in;
        const auto guard = handles_[place]->try_use();
        return guard ? guard->flush(wsolo::on_outcome{whom.call, whom.context}) : errc::closed;
    }

    void destroy() override {
        const heap::inside in;
        owner_->destroy();
        owner_.reset();
        alive_ = false;
    }
    bool is_alive() const override { return alive_; }

    totals report() const override { return translate(out().report()); }
    bool is_finished() const override { return out().is_finished(); }
    std::size_t queued_bytes() const override { return out().queued_bytes(); }
    std::uint32_t queued_frames() const override { return out().queued_frames(); }
    std::size_t compression_bytes() const override { return compression_.memory(); }

private:
    writer& out() const { return owner_->get(); }

    auto transport(surroundings& around) {
        if constexpr (std::is_constructible_v<Owner, ending_at_once, const making&, surroundings&,
                                              compression&>)
            return ending_at_once{&around};
        else
            return ending_later{&line_};
    }

    wsolo::result<wsolo::control_frame> control(wsolo::const_bytes payload, bool ping) {
        if constexpr (is_server) {
            return ping ? wsolo::make_ping<wsolo::role::server>(payload)
                        : wsolo::make_pong<wsolo::role::server>(payload);
        } else {
            odd_keys keys{static_cast<unsigned>(payload.size()) * 77U + 5U};
            return ping ? wsolo::make_ping<wsolo::role::client>(payload, keys)
                        : wsolo::make_pong<wsolo::role::client>(payload, keys);
        }
    }

    static fire_and_forget await_flush(writer& to, ask whom) {
        heap::is_inside = true;
        errc refused = errc::none;
        const errc how = co_await wsolo::written(
            [&](wsolo::on_outcome on_done) { return note(to.flush(on_done), refused); });
        tell(whom, how, refused);
    }
    static fire_and_forget await_send(writer& to, std::string_view payload, ask whom) {
        heap::is_inside = true;
        errc refused = errc::none;
        const errc how = co_await wsolo::written(
            [&](wsolo::on_outcome on_done) { return note(to.send_text(payload, on_done), refused); });
        tell(whom, how, refused);
    }
    /// Accepted: the coroutine may be gone by now.
    static errc note(errc answer, errc& refused) {
        if (answer != errc::none) refused = answer;
        return answer;
    }
    static void tell(ask whom, errc how, errc refused) {
        told_by_caller = refused != errc::none;
        whom.call(whom.context, how);
        told_by_caller = false;
    }

#if WSOLO_HAS_EXCEPTIONS
    static fire_and_forget await_throw(bool& caught) {
        try {
            static_cast<void>(co_await wsolo::written(
                [](wsolo::on_outcome) -> errc { throw std::runtime_error("no payload"); }));
        } catch (const std::runtime_error&) {
            caught = true;
        }
    }
#endif

    compression compression_;
    started_line line_;
    std::unique_ptr<Owner> owner_;
    bool alive_ = false;
    std::array<std::unique_ptr<std::optional<message>>, places> messages_;
    std::array<std::unique_ptr<std::optional<cork_type>>, places> corks_;
    std::array<std::optional<handle>, places> handles_;
    std::unique_ptr<gate_type> gate_;
};

template <class Transport, class End, class Traits>
std::unique_ptr<subject> make_pumped(const making& how, surroundings& around) {
    if (how.how == drive::inline_)
        return std::make_unique<writer_subject<pumped_by_history<Transport, End, true, Traits>, End>>(how,
                                                                                                      around);
    return std::make_unique<writer_subject<pumped_by_history<Transport, End, false, Traits>, End>>(how,
                                                                                                   around);
}

template <class End, class Traits>
std::unique_ptr<subject> make_of_end(const making& how, surroundings& around) {
    return how.completes ? make_pumped<ending_later, End, Traits>(how, around)
                         : make_pumped<ending_at_once, End, Traits>(how, around);
}

} // namespace histories
