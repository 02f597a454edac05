// SPDX-License-Identifier: MIT
#pragma once
// What a server's handler decides about one request: accept it, refuse it, or answer it with a page.
//
// Laws of this file:
// - Each call composes the whole answer at once: views that it is given are needed only during the call.
// - The last call counts. Without one the request is answered as the judge has it: an upgrade with 101, any other with 426.
// - Every answer but a 101 ends the connection, and says so.

#include "../handshake/negotiate.hpp"
#include "../handshake/response.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Lent to the handler's on_request(): lives until that returns. Not thread-safe.
class http_reply {
public:
    /// `extensions`: what accept() agrees to where its caller names none. A view, which outlives this.
    http_reply(const upgrade_request& asked, byte_buffer& out, std::string_view extensions = {}) noexcept
        : asked_(asked), out_(out), extensions_(extensions) {}
    http_reply(const http_reply&) = delete;
    http_reply& operator=(const http_reply&) = delete;

    /// Opens the WebSocket. Precondition: asked.is_upgrade(). An option that can't be agreed to, because it was not offered
    /// or is no legal field, is answered by 500.
    void accept(const accept_options& options = {}) noexcept {
        WSOLO_ASSERT(asked_.is_upgrade(), "only a request for WebSocket can be accepted");
        if (!asked_.is_upgrade()) return refuse(errc::handshake_missing_upgrade);
        out_.clear();
        accept_options all = options;
        if (all.extensions.data() == nullptr) all.extensions = extensions_;
        has_own_extensions_ = all.extensions == extensions_;
        settle(append_accept_response(out_, asked_, all), 101);
    }
    /// The status and the sentence that `why` has; errc::aborted, for instance, is a 503.
    void refuse(errc why) noexcept {
        respond(rejection(why));
        if (why_ == errc::none) why_ = why;
    }
    /// A page, a redirect, or a refusal in other words. HEAD gets no body.
    void respond(const http_response& answer) noexcept {
        http_response last = answer;
        last.close = true;
        out_.clear();
        settle(append_response(out_, asked_, last), answer.status);
    }

    /// The status that was decided on; 0: none yet, or there is no memory for an answer.
    [[nodiscard]] int status() const noexcept { return status_; }
    /// The reason of a refusal; none if it is not one, or was made by respond().
    [[nodiscard]] errc why() const noexcept { return why_; }

    /// Whether it agrees to the extensions that it was made with.
    [[nodiscard]] bool has_own_extensions() const noexcept { return status_ == 101 && has_own_extensions_; }

private:
    void settle(errc composed, int status) noexcept {
        why_ = composed;
        status_ = status;
        if (composed == errc::none) return;
        const errc error = append_response(out_, asked_, {.status = 500, .body = to_string(composed)});
        status_ = error == errc::none ? 500 : 0;
    }

    const upgrade_request& asked_;
    byte_buffer& out_;
    std::string_view extensions_;
    bool has_own_extensions_ = false;
    int status_ = 0;
    errc why_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI
