// SPDX-License-Identifier: MIT
#pragma once
// A coroutine's end of a connection: messages by co_await. Not part of wsolo.hpp: it brings <coroutine>.
//
//     task talk(wsolo::conversation ws) {           // wsolo::conversation(e), where e's Handler is in_a_coroutine
//         while (auto next = co_await ws.next())    // errc::closed after the last one
//             if (co_await ws.send(*next) != wsolo::errc::none) break;
//         co_await ws.flushed();
//     }
//
// Laws of this file:
// - A message leaves the inbox when a coroutine asks for it, and counts as handled when a coroutine asks for the next one, or
//   when the last conversation ends. Until then the inbox's bounds hold, and the answer to a Close waits.
// - It can't dangle. Once the endpoint is gone next() answers why (errc::aborted when it was cut off) and sends answer
//   errc::closed; a coroutine that waits for any of them then is resumed with it, by the endpoint's destructor.
// - A coroutine is resumed once, with no lock held, by the thread that handled the message, or wrote, or made the end, inside
//   of that call: it must not destroy the endpoint there. To go elsewhere, post (adapt/asio_await.hpp does).
// - Destroying a suspended coroutine withdraws it. No other thread may be resuming it at that moment.

#include "detail/conversation_link.hpp"

#include <concepts>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

class conversation;

/// The `Handler` of an endpoint whose messages coroutines take. Derive from it to have other hooks too. Move-only, until
/// the endpoint has it. The endpoint calls it, in the threads in which it handles messages.
class in_a_coroutine {
public:
    in_a_coroutine() = default;
    in_a_coroutine(in_a_coroutine&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
    in_a_coroutine& operator=(in_a_coroutine&&) = delete;
    ~in_a_coroutine() {
        if (link_ != nullptr) link_->release();
    }

    // The endpoint's.

    /// Tells the endpoint that a message is handled when it is told message_done(), and not when on_message() returns.
    static constexpr bool holds_message = true;
    template <class Endpoint>
    void attach(Endpoint& whole) {
        link_ = detail::conversation_link_to<Endpoint>::make(whole);
        if (link_ == nullptr) whole.abort(errc::out_of_memory);
    }
    [[nodiscard]] bool wants_message() const noexcept { return link_ != nullptr && link_->is_asked(); }
    void on_message(auto& whole, message&& received) {
        if (!link_->give(std::move(received))) whole.message_done();
    }
    void on_messages_over(errc why) {
        if (link_ != nullptr) link_->end(why);
    }

private:
    friend conversation;
    detail::conversation_link* link_ = nullptr;
};

/// See the file's laws. Copies are the same conversation, and may be used by different threads; one coroutine at a time
/// awaits next(), several may await the other functions. When the last copy is destroyed the last message counts as handled,
/// later ones are thrown away, and the connection is closed (1000) unless its end has begun. 8 bytes; the endpoint has one block
/// of about 100 bytes for all of them, and there is another for each coroutine that waits for room or for a flush.
class conversation {
public:
    class message_awaiter;
    class write_awaiter;

    /// A conversation with no endpoint: every function answers errc::closed.
    conversation() = default;
    /// `whole` is an endpoint, or an object with an endpoint's handler(). It is used during this call only.
    template <class Endpoint>
        requires requires(Endpoint& whole) {
            { whole.handler() } -> std::convertible_to<in_a_coroutine&>;
        }
    explicit conversation(Endpoint& whole) noexcept
        : conversation(static_cast<in_a_coroutine&>(whole.handler()).link_) {}
    conversation(const conversation& other) noexcept : conversation(other.link_) {}
    conversation(conversation&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
    conversation& operator=(const conversation& other) noexcept { return *this = conversation(other); }
    // Not by value: clang 14 does not destroy a parameter that was made of {} in a template.
    conversation& operator=(conversation&& other) noexcept {
        conversation fresh(std::move(other));
        std::swap(link_, fresh.link_);
        return *this;
    }
    ~conversation() {
        if (link_ != nullptr) link_->leave();
    }

    /// co_await gives the next message, or why there is none: errc::closed after the last one, or what ended the handling. Any
    /// thread.
    [[nodiscard]] message_awaiter next() const noexcept;

    /// co_await gives errc::none when the message was accepted, after waiting for room in the writer's budget, first come,
    /// first served, together with single_writer::send_wait(); or why not: closed, too_large, out_of_memory; cancelled, after a
    /// withdraw() that came while a thread sent for it in vain. The payload stays where it is until then. A text is UTF-8 (RFC 6455 §5.6).
    [[nodiscard]] write_awaiter send_text(std::string_view payload) const noexcept;
    [[nodiscard]] write_awaiter send_binary(const_bytes payload) const noexcept;
    [[nodiscard]] write_awaiter send(const message& what) const noexcept;
    /// co_await gives errc::none when all data that was accepted before is written, or the first reason why some of it is
    /// not. A full queue is no obstacle.
    [[nodiscard]] write_awaiter flushed() const noexcept;

    /// The endpoint's functions send_text(), send_binary() and send(), which never wait, with their errors.
    [[nodiscard]] errc try_send_text(std::string_view payload, on_outcome on_done = {}) const {
        return try_send(opcode::text, bytes_of(payload), on_done);
    }
    [[nodiscard]] errc try_send_binary(const_bytes payload, on_outcome on_done = {}) const {
        return try_send(opcode::binary, payload, on_done);
    }
    [[nodiscard]] errc try_send(const message& what, on_outcome on_done = {}) const {
        return try_send(what.is_text() ? opcode::text : opcode::binary, what.bytes(), on_done);
    }
    /// What the peer sent before it saw this is still given out by next(). Errors as the endpoint's.
    [[nodiscard]] errc close(close_code code = close_code::normal, std::string_view reason = {}) const {
        return link_ == nullptr ? errc::closed : link_->close(code, reason);
    }
    void abort(errc why = errc::aborted) const {
        if (link_ != nullptr) link_->abort(why);
    }

private:
    explicit conversation(detail::conversation_link* link) noexcept : link_(link) {
        if (link_ != nullptr) link_->join();
    }
    [[nodiscard]] errc try_send(opcode op, const_bytes payload, on_outcome on_done) const {
        return link_ == nullptr ? errc::closed : link_->try_send(op, payload, on_done);
    }

    detail::conversation_link* link_ = nullptr;
};

namespace detail {

/// What the awaiters have in common. `Wait` is a message_wait or a write_wait.
template <class Wait>
class conversation_awaiter {
public:
    conversation_awaiter(const conversation_awaiter&) = delete;
    conversation_awaiter& operator=(const conversation_awaiter&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return link_ == nullptr; }
    [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) {
        wait_.caller = caller;
        is_suspended_ = true;
        return link_->start(wait_); // once this is true the frame may be running elsewhere, or gone
    }
    /// The coroutine will not be resumed. False: it was, or another thread is about to. Any thread, as long as this exists.
    [[nodiscard]] bool withdraw() noexcept {
        if (link_ == nullptr || !link_->withdraw(wait_))
            return false; // another thread may resume it: nothing is looked at
        is_suspended_ = false;
        return true;
    }

protected:
    conversation_awaiter(conversation_link* link, Wait what) noexcept : wait_(std::move(what)), link_(link) {}
    ~conversation_awaiter() {
        if (!is_suspended_) return;
        [[maybe_unused]] const bool is_withdrawn = withdraw();
        WSOLO_ASSERT(is_withdrawn, "a coroutine was destroyed while another thread was resuming it");
    }
    /// After it: what came of it.
    [[nodiscard]] Wait& resumed() noexcept {
        is_suspended_ = false;
        return wait_;
    }

private:
    Wait wait_;
    conversation_link* link_;
    bool is_suspended_ = false;
};

} // namespace detail

/// What co_await takes: gives a message, or errc::closed, or why the connection was cut off. Lives in the coroutine's frame, is
/// neither copied nor moved, and is used by the thread that runs the coroutine.
class [[nodiscard]] conversation::message_awaiter final
    : public detail::conversation_awaiter<detail::message_wait> {
public:
    [[nodiscard]] result<message> await_resume() noexcept {
        std::optional<result<message>>& got = resumed().got;
        return got ? std::move(*got) : errc::closed;
    }

private:
    friend conversation;
    explicit message_awaiter(detail::conversation_link* link) noexcept
        : conversation_awaiter(link, detail::message_wait{}) {}
};

/// The same for what concerns the writer: gives errc::none, or why not. Lives in the same way, and is used by the
/// same thread.
class [[nodiscard]] conversation::write_awaiter final
    : public detail::conversation_awaiter<detail::write_wait> {
public:
    [[nodiscard]] errc await_resume() noexcept { return resumed().outcome; }

private:
    friend conversation;
    write_awaiter(detail::conversation_link* link, opcode op, const_bytes payload) noexcept
        : conversation_awaiter(link, detail::write_wait(op, payload)) {}
    explicit write_awaiter(detail::conversation_link* link) noexcept
        : conversation_awaiter(link, detail::write_wait()) {}
};

inline conversation::message_awaiter conversation::next() const noexcept { return message_awaiter(link_); }
inline conversation::write_awaiter conversation::send_text(std::string_view payload) const noexcept {
    WSOLO_ASSERT(is_valid_utf8(bytes_of(payload)), "a text message is UTF-8 (RFC 6455 §5.6)");
    return {link_, opcode::text, bytes_of(payload)};
}
inline conversation::write_awaiter conversation::send_binary(const_bytes payload) const noexcept {
    return {link_, opcode::binary, payload};
}
inline conversation::write_awaiter conversation::send(const message& what) const noexcept {
    return {link_, what.is_text() ? opcode::text : opcode::binary, what.bytes()};
}
inline conversation::write_awaiter conversation::flushed() const noexcept { return write_awaiter(link_); }

} // namespace wsolo::inline WSOLO_ABI
