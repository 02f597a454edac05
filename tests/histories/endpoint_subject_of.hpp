#pragma once
// Endpoints for histories on a pair, as templates: those that compress are compiled apart.

#include "compression.hpp"
#include "endpoint_subject.hpp"

#include <support/fire_and_forget.hpp>

#include <wsolo/endpoint/conversation.hpp>
#include <wsolo/sync/one_thread_traits.hpp>

#include <coroutine>
#include <optional>
#include <vector>

namespace histories::endpoints {

using surroundings = endpoint_surroundings;

struct played_traits : wsolo::testing::virtual_traits {
    [[nodiscard]] static void*& thread_slot() noexcept { return *played_thread::word; }
};

struct played_thread_traits : played_traits {
    template <class T>
    using atomic = wsolo::one_thread_traits::atomic<T>;
};

struct telling_transport {
    wsolo::testing::pair_transport stream;
    wsolo::testing::pair_end* end;
    surroundings* around;

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, time_point deadline) {
        const heap::outside out;
        around->before_write();
        const wsolo::io_result how = stream.write(parts, deadline);
        std::size_t left = how.transferred;
        for (const wsolo::const_bytes part : parts) {
            const std::size_t count = part.size() < left ? part.size() : left;
            around->wrote(wsolo::text_of(part.first(count)));
            left -= count;
        }
        return how;
    }
    void finish(wsolo::end_of_write why) {
        const heap::outside out;
        around->writer_finished();
        const bool before = end->has_ended_output();
        stream.finish(why);
        if (!before && end->has_ended_output()) around->ended_output();
    }
    void end_output() {
        const heap::outside out;
        stream.end_output();
        around->ended_output();
    }
    void disconnect() {
        const heap::outside out;
        stream.disconnect();
        around->disconnected();
    }
    [[nodiscard]] std::size_t unsent() const noexcept { return stream.unsent(); }
};

struct telling_schedule {
    wsolo::testing::pair_wake wake;
    surroundings* around;
    bool operator()() const {
        const heap::outside out;
        around->schedule();
        return wake();
    }
};

struct pool_of_the_history {
    surroundings* around = nullptr;
    void operator()(const auto&) const {
        const heap::outside out;
        around->work_asked();
    }
};

/// The hooks that every handler has.
struct telling_hooks {
    surroundings* around = nullptr;

    void on_ping(auto&, wsolo::const_bytes) const {
        const heap::outside out;
        around->on_ping();
    }
    void on_pong(auto&, wsolo::const_bytes, std::optional<wsolo::duration>) const {
        const heap::outside out;
        around->on_pong();
    }
    void on_peer_close(auto&, wsolo::close_code code, std::string_view) const {
        const heap::outside out;
        around->on_peer_close(code);
    }
    void on_room(auto&) const {
        const heap::outside out;
        around->on_room();
    }
    void on_beat(auto&, bool) const {
        const heap::outside out;
        around->on_beat();
    }
    void on_refused(auto&, wsolo::message&& received) const {
        const heap::outside out;
        around->on_refused(received.text());
    }
    void on_finished(auto&, const wsolo::ending& how) const {
        const heap::outside out;
        around->on_finished(how);
    }
};

struct telling_handler : telling_hooks {
    errc on_message(auto&, wsolo::message&& received) const {
        const heap::outside out;
        return around->on_message(received.is_text(), received.text());
    }
};
struct telling_lent_handler : telling_hooks {
    errc on_message(auto&, const wsolo::message& received) const {
        const heap::outside out;
        return around->on_message(received.is_text(), received.text());
    }
};
struct telling_source : wsolo::in_a_coroutine, telling_hooks {};

#if WSOLO_TEST_ZLIB
template <class Base>
struct with_compression : Base {
    permessage_deflate compression;
};
#endif

/// What a middle box may do that knows the extension (RFC 6455 §5.4): a compressed message comes in pieces, and now and then a PING
/// comes between them.
class splitting {
public:
    /// What the endpoint is given in the place of `bytes`.
    [[nodiscard]] std::vector<std::byte> pass(wsolo::const_bytes bytes) {
        std::vector<std::byte> out;
        for (const std::byte each : bytes) {
            if (left_ == 0) {
                begin(each, out);
                continue;
            }
            if (is_split_ && piece_ == 0) next_piece(out);
            out.push_back(each);
            --left_;
            --piece_;
        }
        return out;
    }

private:
    void begin(std::byte next, std::vector<std::byte>& out) {
        head_.push_back(next);
        const wsolo::header_parse parsed = wsolo::parse_header(head_);
        if (parsed.status == wsolo::parse_status::need_more) return;
        frame_ = parsed.header;
        left_ = frame_.payload_size;
        piece_ = 0;
        is_split_ = frame_.rsv1 && frame_.fin && wsolo::is_data(frame_.op) && left_ > 4;
        if (!is_split_) out.insert(out.end(), head_.begin(), head_.end());
        head_.clear();
    }
    void next_piece(std::vector<std::byte>& out) {
        const bool is_first = left_ == frame_.payload_size;
        if (!is_first && ++pieces_ % 8 == 0) put({.op = wsolo::opcode::ping}, 0, out);
        piece_ = std::min<std::uint64_t>(left_, (frame_.payload_size / 3 + 3) / 4 *
                                                    4); // the mask repeats after 4 bytes
        put({.fin = piece_ == left_,
             .rsv1 = is_first,
             .op = is_first ? frame_.op : wsolo::opcode::continuation},
            piece_, out);
    }
    void put(wsolo::frame_header header, std::uint64_t size, std::vector<std::byte>& out) const {
        header.masked = frame_.masked;
        header.key = frame_.key;
        header.payload_size = size;
        std::byte room[16];
        const std::size_t used = wsolo::header_size(size, header.masked);
        wsolo::write_header(header, room);
        out.insert(out.end(), room, room + used);
    }

    std::vector<std::byte> head_;
    wsolo::frame_header frame_{};
    std::uint64_t left_ = 0, piece_ = 0;
    bool is_split_ = false;
    unsigned pieces_ = 0;
};

template <bool Compresses, class Handler>
struct handler_for {
    using type = Handler;
};
#if WSOLO_TEST_ZLIB
template <class Handler>
struct handler_for<true, Handler> {
    using type = with_compression<Handler>;
};
#endif

template <class Side, handled_by Where, bool Compresses>
class subject_of final : public endpoint_subject {
    using handler = typename handler_for<
        Compresses, std::conditional_t<Where == handled_by::coroutine, telling_source,
                                       std::conditional_t<Where == handled_by::lent, telling_lent_handler,
                                                          telling_handler>>>::type;
    using traits = std::conditional_t<Where == handled_by::lent, played_thread_traits, played_traits>;
    using work_hook = std::conditional_t<Where == handled_by::pool, pool_of_the_history, wsolo::in_the_loop>;
    using whole = wsolo::endpoint<telling_transport, telling_schedule, handler, Side, work_hook, traits>;
    using handle_type = typename whole::weak_handle;

public:
    subject_of(const wsolo::endpoint_options& how, const agreement& agreed, wsolo::testing::pair_end& end,
               surroundings& around)
        : around_(&around), splits_(agreed.splits) {
        handler to{};
        to.around = &around;
#if WSOLO_TEST_ZLIB
        if constexpr (Compresses) {
            release_thread_compressors(); // what a thread's own object costs at its first use is not the endpoint's
            to.compression = compression_of(agreed, Side::self);
        }
#endif
        work_hook work{};
        if constexpr (Where == handled_by::pool) work.around = &around;
        {
            const heap::inside in;
            whole_ = std::make_unique<whole>(telling_transport{end.transport(), &end, &around},
                                             telling_schedule{end.wake(), &around}, std::move(to), how,
                                             Side{}, work);
        }
        end.drive(*this);
        if constexpr (Where == handled_by::coroutine) talk(*this, wsolo::conversation(*whole_));
    }
    ~subject_of() override {
        if (whole_) subject_of::destroy();
        if (elsewhere_) std::exchange(elsewhere_, {}).resume(); // to its end
    }

    // What the pair drives.

    wsolo::endpoint_wants receive(wsolo::mutable_bytes bytes) {
        around_->receives(bytes.size());
        if (!splits_) return tell([&] { return whole_->receive(bytes); });
        std::vector<std::byte> other = split_.pass(bytes);
        return tell([&] { return whole_->receive(other); });
    }
    wsolo::endpoint_wants end_of_input(errc why) {
        around_->input_ends(why);
        return tell([&] { return whole_->end_of_input(why); });
    }
    wsolo::endpoint_wants run() {
        return tell([&] { return whole_->run(); });
    }

    errc send(bool is_text, std::string_view payload) override {
        const heap::inside in;
        return is_text ? whole_->send_text(payload) : whole_->send_binary(wsolo::bytes_of(payload));
    }
    errc send_shared(std::string_view payload) override {
        if constexpr (Side::self == wsolo::role::server) {
            const auto frame = wsolo::make_shared_frame(wsolo::opcode::binary, wsolo::bytes_of(payload));
            if (!frame) return frame.error();
            const heap::inside in;
            return whole_->send(*frame);
        } else {
            return send(false, payload);
        }
    }
    errc send_parts(bool is_text, std::string_view payload, std::size_t cut, unsigned& frames) override {
        const heap::inside in;
        auto parts = whole_->writer().begin_message(is_text ? wsolo::opcode::text : wsolo::opcode::binary);
        while (payload.size() > cut) {
            const errc error = parts.write(wsolo::bytes_of(payload.substr(0, cut)));
            if (error != errc::none) return error;
            ++frames;
            payload.remove_prefix(cut);
        }
        const errc error = parts.finish(wsolo::bytes_of(payload));
        if (error == errc::none) ++frames;
        return error;
    }
    errc send_ping(std::string_view payload) override {
        const heap::inside in;
        return whole_->send_ping(wsolo::bytes_of(payload));
    }
    errc close(unsigned code, std::string_view reason, span_of_time within) override {
        const heap::inside in;
        const auto status = static_cast<wsolo::close_code>(code);
        return within == span_of_time::zero() ? whole_->close(status, reason)
                                              : whole_->close(status, reason, within);
    }
    void abort() override {
        const heap::inside in;
        whole_->abort();
    }
    void work() override {
        if constexpr (Where == handled_by::pool) {
            void* mine = nullptr;
            const played_thread worker(mine);
            const heap::inside in;
            whole_->work();
        }
    }
    void take_handle() override {
        const heap::inside in;
        handle_.emplace(whole_->handle());
    }
    void drop_handle() override {
        const heap::inside in;
        handle_.reset();
    }
    errc send_by_handle(std::string_view payload) override {
        if (!handle_) return errc::closed;
        const heap::inside in;
        if (auto live = handle_->try_use()) return live->send_text(payload);
        return errc::closed;
    }
    errc close_by_handle() override {
        if (!handle_) return errc::closed;
        const heap::inside in;
        if (auto live = handle_->try_use()) return live->close(wsolo::close_code::going_away);
        return errc::closed;
    }

    wsolo::endpoint_wants call_after_the_end(unsigned which) override {
        std::byte more[] = {std::byte{0x81}, std::byte{0}};
        const heap::inside in;
        return which == 0   ? whole_->run()
               : which == 1 ? whole_->end_of_input(errc::connection_lost)
                            : whole_->receive(more);
    }
    void resume_coroutine() override {
        if (elsewhere_) std::exchange(elsewhere_, {}).resume();
    }
    void destroy() override {
        const heap::inside in;
        whole_.reset();
    }
    bool is_alive() const override { return whole_ != nullptr; }
    void trim() override {
        if constexpr (Compresses) {
            const heap::inside in;
            whole_->handler().compression.trim();
        }
    }
    std::size_t compression_memory() const override {
        if constexpr (Compresses) return whole_ == nullptr ? 0 : whole_->handler().compression.memory();
        return 0;
    }

    std::size_t queued_bytes() const override { return whole_->writer().queued_bytes(); }
    std::size_t queued_frames() const override { return whole_->writer().queued_frames(); }
    std::size_t queued_messages() const override { return whole_->messages().queued_messages(); }
    bool is_reading_paused() const override { return whole_->messages().is_paused(); }

private:
    template <class Call>
    wsolo::endpoint_wants tell(Call call) {
        wsolo::endpoint_wants now;
        {
            const heap::inside in;
            now = call();
        }
        around_->wants(now);
        return now;
    }

    struct go_elsewhere {
        subject_of* self;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> caller) const {
            self->elsewhere_ = caller;
            const heap::outside out;
            self->around_->elsewhere();
        }
        void await_resume() const noexcept {}
    };

    static fire_and_forget talk(subject_of& self, wsolo::conversation with) {
        for (;;) {
            bool is_text = false;
            std::string payload;
            {
                const auto next = co_await with.next();
                const heap::outside out;
                if (!next) {
                    self.around_->messages_over(next.error());
                    co_return;
                }
                is_text = next->is_text();
                payload = next->text();
                static_cast<void>(self.around_->on_message(is_text, payload));
            }
            if (self.around_->waits_elsewhere()) co_await go_elsewhere{&self};
            if (!self.whole_) co_return; // destroyed meanwhile
            const heap::outside out;
            self.around_->answers();
            if (!self.whole_) co_return;
        }
    }

    surroundings* around_;
    bool splits_;
    splitting split_;
    std::unique_ptr<whole> whole_;
    std::optional<handle_type> handle_;
    std::coroutine_handle<> elsewhere_;
};

template <bool Compresses, class Side>
std::unique_ptr<endpoint_subject> make_of(handled_by where, const wsolo::endpoint_options& how,
                                          const agreement& agreed, wsolo::testing::pair_end& end,
                                          surroundings& around) {
    const auto make = [&]<handled_by Where>() -> std::unique_ptr<endpoint_subject> {
        return std::make_unique<subject_of<Side, Where, Compresses>>(how, agreed, end, around);
    };
    switch (where) {
    case handled_by::loop: return make.template operator()<handled_by::loop>();
    case handled_by::lent: return make.template operator()<handled_by::lent>();
    case handled_by::pool: return make.template operator()<handled_by::pool>();
    default: return make.template operator()<handled_by::coroutine>();
    }
}

/// Of either role.
template <bool Compresses>
std::unique_ptr<endpoint_subject> make_either(bool is_client, handled_by where,
                                              const wsolo::endpoint_options& how, const agreement& agreed,
                                              wsolo::testing::pair_end& end, surroundings& around) {
    return is_client ? make_of<Compresses, wsolo::client_side<>>(where, how, agreed, end, around)
                     : make_of<Compresses, wsolo::server_side>(where, how, agreed, end, around);
}

} // namespace histories::endpoints
