// SPDX-License-Identifier: MIT
#pragma once
// An endpoint with its handshake in front: what server_connection and client_connection have in common.
//
// Laws of this file:
// - One object, the same calls and the same wants, from the first byte to the end: the loop is endpoint's, in its six lines.
// - Until the connection is open there is no endpoint, and no handle: no other thread's message can overtake the handshake.
//   Once it is open the handshake's memory is gone.
// - Everything belongs to the loop's thread. Others use what opened()->handle() gives.
// - Every end is bounded: the handshake's, an answer's, and the endpoint's.

#include "detail/opening.hpp"
#include "detail/opening_hooks.hpp"
#include "endpoint.hpp"

namespace wsolo::inline WSOLO_ABI {

/// An endpoint's, and what bounds the handshake before it.
struct connection_options : endpoint_options {
    /// From the connection's construction until its handshake is decided. A server answers a late request by 408.
    std::chrono::milliseconds handshake_timeout{10'000};
};

namespace detail {

/// What a connection is: its opening; then the endpoint, or nothing; or, where there was no memory for an opening, the handler
/// that is to hear of it.
template <class Opening, class Handler, class Endpoint>
class connection_stage {
    enum class content : std::uint8_t { nothing, opening, handler, endpoint };

public:
    connection_stage() noexcept {} // NOLINT(modernize-use-equals-default): no member is made
    connection_stage(const connection_stage&) = delete;
    connection_stage& operator=(const connection_stage&) = delete;
    ~connection_stage() {
        end_opening();
        if (holds_ == content::handler) handler_.~Handler();
        if (holds_ == content::endpoint) endpoint_.~Endpoint();
    }

    /// Precondition of the three: it holds nothing.
    void begin(Opening& made) noexcept { // which was made by `new (std::nothrow)`, and is this one's now
        opening_ = &made;
        holds_ = content::opening;
    }
    void keep(Handler&& untold) {
        ::new (static_cast<void*>(&handler_)) Handler(std::move(untold));
        holds_ = content::handler;
    }
    template <class... Arguments>
    void emplace(Arguments&&... arguments) {
        ::new (static_cast<void*>(&endpoint_)) Endpoint(std::forward<Arguments>(arguments)...);
        holds_ = content::endpoint;
    }
    /// nullptr: there is none, or none any more.
    [[nodiscard]] Opening* opening() const noexcept {
        return holds_ == content::opening ? opening_ : nullptr;
    }
    void end_opening() noexcept {
        if (holds_ != content::opening) return;
        holds_ = content::nothing;
        delete opening_;
    }
    /// The handler that is to be told, once; nullptr: there is none.
    [[nodiscard]] Handler* untold() noexcept {
        return holds_ == content::handler && !std::exchange(is_told_, true) ? &handler_ : nullptr;
    }

    /// Whether it is an endpoint.
    [[nodiscard]] explicit operator bool() const noexcept { return holds_ == content::endpoint; }
    [[nodiscard]] Endpoint& operator*() noexcept { return endpoint_; }
    [[nodiscard]] const Endpoint& operator*() const noexcept { return endpoint_; }
    [[nodiscard]] Endpoint* operator->() noexcept { return &endpoint_; }
    [[nodiscard]] const Endpoint* operator->() const noexcept { return &endpoint_; }

private:
    union {
        Opening* opening_;
        Handler handler_;
        Endpoint endpoint_;
    };
    content holds_ = content::nothing;
    bool is_told_ = false;
};

} // namespace detail

/// See the file's laws. `Opening` is what it is until it is open; server_connection and client_connection say which.
template <class Opening>
class basic_connection {
protected:
    using parts = typename Opening::parts;

public:
    using endpoint_type = typename Opening::endpoint_type;
    using weak_handle = typename endpoint_type::weak_handle;

    basic_connection(const basic_connection&) = delete;
    basic_connection& operator=(const basic_connection&) = delete;

    // ---- the loop's: see endpoint's functions of these names

    /// See endpoint's functions of these names; before the connection is open they serve its handshake. O(n).
    endpoint_wants receive(mutable_bytes received) {
        if (whole_) return whole_->receive(received);
        heed_group();
        if (is_asking()) opening()->ask(received);
        return turn(received);
    }
    endpoint_wants end_of_input(errc why = errc::none) {
        if (whole_) return whole_->end_of_input(why);
        if (is_asking()) opening()->end_asking(why);
        if (opening() != nullptr) opening()->common.end_input(why);
        return turn();
    }
    endpoint_wants run() { return whole_ ? whole_->run() : turn(); }

    /// Begins the closing handshake, and runs. Before the connection is open a server answers by 503, a client disconnects.
    endpoint_wants close(close_code code = close_code::normal, std::string_view reason = {}) {
        if (!whole_) return stop();
        static_cast<void>(whole_->close(code, reason)); // closed before: then that goes on
        return whole_->run();
    }
    endpoint_wants close(close_code code, std::string_view reason, duration within) {
        if (!whole_) return stop();
        static_cast<void>(whole_->close(code, reason, within));
        return whole_->run();
    }
    /// Ends it without a Close, and without an answer.
    endpoint_wants abort(errc why = errc::aborted) {
        if (whole_) {
            whole_->abort(why);
        } else if (opening() != nullptr) {
            opening()->common.give_up(why == errc::none ? errc::aborted : why);
        }
        return run();
    }

    /// Makes the connection a member of the group from on_upgraded() until its end. Call it once, in any state. Until it is
    /// open no message to all reaches it, and the group does not wait for it. If the group closes before that, a later
    /// request is answered by 503 (a client disconnects), and a connection that opens nevertheless is closed at once, as the
    /// group's members are. At most one group. Errors: closed, out_of_memory; the connection goes on without the group.
    [[nodiscard]] errc join(typename endpoint_type::group_type& group) {
        if (whole_) return whole_->join(group);
        if (opening() == nullptr || opening()->common.end.is_gone()) return errc::closed;
        auto invited = group.invite();
        if (!invited) return invited.error();
        opening()->common.invited = std::move(*invited);
        return errc::none;
    }

    /// Whether the destructor waits for no other thread; see endpoint's function of this name.
    [[nodiscard]] bool let_go() noexcept { return !whole_ || whole_->let_go(); }

    // ---- what it is

    /// The endpoint once the connection is open, until this is destroyed; nullptr before, and if it never was.
    [[nodiscard]] endpoint_type* opened() noexcept { return whole_ ? &*whole_ : nullptr; }
    [[nodiscard]] const endpoint_type* opened() const noexcept { return whole_ ? &*whole_ : nullptr; }
    /// The status of the HTTP answer that was sent or received; 0: there was none yet.
    [[nodiscard]] int status() const noexcept {
        return whole_ ? 101 : opening() != nullptr ? opening()->common.status : 0;
    }
    /// Complete once `finished`. For a connection that was never open only the reason is set; it is none when the handler
    /// ended the connection by an answer of its own (http_reply::respond).
    [[nodiscard]] ending how_it_ended() const {
        if (whole_) return whole_->how_it_ended();
        ending how;
        how.reason = opening() != nullptr ? opening()->common.reason : errc::out_of_memory;
        return how;
    }

protected:
    /// Without memory the connection is gone at once; its handler is told of it by the first call.
    template <class... Rest>
    explicit basic_connection(parts kept, Rest&... rest) {
        detail::check_opening_hooks<handler_type, endpoint_type>();
        if (auto* const made = new (std::nothrow) Opening(std::move(kept), rest...)) {
            whole_.begin(*made);
            return;
        }
        kept.connection.disconnect();         // NOLINT(bugprone-use-after-move): nothing was moved
        whole_.keep(std::move(kept.handler)); // NOLINT(bugprone-use-after-move)
    }
    ~basic_connection() = default;

    /// A request that was parsed already, and what follows it.
    template <class Request>
    endpoint_wants take(const Request& parsed, mutable_bytes rest) {
        if (whole_) return run(); // it came before
        heed_group();
        if (is_asking()) opening()->ask(parsed);
        return turn(rest);
    }
    /// Another server has made the handshake. A group that has closed meanwhile closes this connection as a member.
    endpoint_wants take_over(mutable_bytes rest) { return is_asking() ? open(rest) : run(); }

private:
    using handler_type = decltype(parts::handler);

    [[nodiscard]] Opening* opening() const noexcept { return whole_.opening(); }
    [[nodiscard]] bool is_asking() const noexcept {
        return opening() != nullptr && opening()->common.state == detail::opening_state::asking;
    }

    /// Refuses a connection that its group would close at once.
    void heed_group() {
        if (is_asking() && opening()->common.invited.is_void()) opening()->stop();
    }

    endpoint_wants stop() {
        if (is_asking()) opening()->stop();
        if (opening() != nullptr && opening()->common.state == detail::opening_state::agreed)
            opening()->common.give_up(errc::aborted);
        return turn();
    }

    /// What is due, and what that makes of the connection. `rest`: what followed the handshake.
    endpoint_wants turn(mutable_bytes rest = {}) {
        if (opening() == nullptr) return end_without_memory();
        heed_group();
        auto& common = opening()->common;
        if (common.is_late()) opening()->expire();
        if (common.state == detail::opening_state::refused) common.end.on_discarded(rest.size());
        if (common.step()) return open(rest);
        if (!common.keep(rest)) static_cast<void>(common.step());
        const endpoint_wants wants = common.wants();
        if (wants.finished && !std::exchange(common.is_told, true))
            tell_not_opened(common.parts.handler, common.reason, common.status);
        return wants;
    }
    endpoint_wants end_without_memory() {
        if (handler_type* const untold = whole_.untold()) tell_not_opened(*untold, errc::out_of_memory, 0);
        return {.read = false, .finished = true};
    }
    static void tell_not_opened([[maybe_unused]] handler_type& handler, [[maybe_unused]] errc why,
                                [[maybe_unused]] int status) {
        if constexpr (detail::has_on_not_opened<handler_type>)
            static_cast<void>(detail::call_hook([&] { handler.on_not_opened(why, status); }));
    }

    endpoint_wants open(mutable_bytes rest) {
        auto& common = opening()->common;
        common.part(); // a completion may run the hook that is moved here
        const bool input_is_over = common.input_is_over;
        const errc input_error = common.input_error;
        byte_buffer early = std::move(common.early);
        const auto invited = std::move(common.invited);
        const time_point now = common.now();
        parts from = std::move(common.parts);
        whole_.end_opening(); // before the first message: its memory is the endpoint's
        whole_.emplace(std::move(from.connection), std::move(from.hook), std::move(from.handler),
                       from.options, std::move(from.side), std::move(from.work));
        if constexpr (detail::has_on_upgraded<handler_type, endpoint_type>) {
            const typename endpoint_type::in_the_turn inside(*whole_); // its run() comes below
            if (!detail::call_hook([&] { whole_->handler().on_upgraded(*whole_); }))
                whole_->abort(errc::handler_failed);
        }
        if (invited) join_now(invited, now);
        if (!early.empty()) static_cast<void>(whole_->receive(early.view()));
        if (!rest.empty()) static_cast<void>(whole_->receive(rest));
        if (input_is_over) static_cast<void>(whole_->end_of_input(input_error));
        return whole_->run();
    }

    template <class Invitation>
    void join_now(const Invitation& invited, time_point now) {
        const errc error = whole_->join(invited);
        if (error == errc::closed) return invited.close(*whole_, now);
        if (error != errc::none) whole_->abort(error);
    }

    [[no_unique_address]] detail::connection_stage<Opening, handler_type, endpoint_type> whole_;
};

} // namespace wsolo::inline WSOLO_ABI
