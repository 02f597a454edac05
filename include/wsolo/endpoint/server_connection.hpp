// SPDX-License-Identifier: MIT
#pragma once
// A server's whole connection: the request, its answer, and the endpoint that it becomes.
//
// Laws of this file:
// - Every request gets one answer, legal or not. Any answer but a 101 ends the connection, and arrives although the peer goes
//   on sending: its bytes are read and thrown away, within end_options' bounds.
// - A request that another server parsed is judged by the same code, and answered in the same way. A connection whose request
//   another server has also answered begins open.
// - Bytes that follow the request belong to the endpoint.

#include "../handshake/server.hpp"
#include "connection.hpp"
#include "http_reply.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Copied; what only the handshake needs is given back when the connection is open.
struct server_options : connection_options {
    /// Of the request: its lines, fields and size.
    handshake_limits request{};
};

namespace detail {

/// `Parts`: opening_parts.
template <class Parts, class Endpoint, class Traits>
class server_opening {
    using handler_type = decltype(Parts::handler);

public:
    using parts = Parts;
    using endpoint_type = Endpoint;

    server_opening(Parts kept, const server_options& options)
        : common(role::server, std::move(kept), options.handshake_timeout), head_(options.request) {}

    /// The head's bytes; what follows them stays in `received`.
    void ask(mutable_bytes& received) {
        switch (head_.feed(received)) {
        case handshake_status::need_more: return;
        case handshake_status::failed: return refuse(head_.error(), head_.refusal());
        case handshake_status::complete: return decide(head_.request());
        }
    }
    void ask(const http_request& parsed) {
        WSOLO_ASSERT(parsed.version < http_version::v2,
                     "over HTTP/2 and HTTP/3 the server's own HTTP answers");
        const result<upgrade_request> asked = judge(parsed);
        if (asked) return decide(*asked);
        http_response refusal = rejection(asked.error());
        refusal.omit_body = parsed.method == "HEAD";
        refuse(asked.error(), refusal);
    }
    void end_asking(errc why) {
        head_.end_of_input();
        // Where no request was cut off there is nothing to answer.
        if (why != errc::none || !head_.has_begun())
            return common.give_up(why == errc::none ? errc::connection_lost : why);
        refuse(head_.error(), head_.refusal());
    }
    void expire() { refuse(errc::handshake_timeout, rejection(errc::handshake_timeout)); }
    void stop() { refuse(errc::aborted, rejection(errc::aborted)); }

    opening<Parts, Traits> common;

private:
    void decide(const upgrade_request& asked) {
        const auto extensions = extension_answer(common.parts.handler, asked.extensions());
        http_reply reply(asked, common.out.bytes(), extensions.view());
        if constexpr (has_on_request<handler_type>) {
            if (!call_hook([&] { common.parts.handler.on_request(asked, reply); }))
                reply.refuse(errc::handler_failed);
        }
        const bool is_decided = reply.status() != 0 || reply.why() != errc::none;
        if (!is_decided) asked.is_upgrade() ? reply.accept() : reply.refuse(errc::handshake_missing_upgrade);
        if constexpr (compresses<handler_type>) {
            if (!reply.has_own_extensions()) common.parts.handler.compression.disagree();
        }
        if (reply.status() != 101) return say(reply.status(), reply.why());
        common.agree(101);
        leave();
    }

    void refuse(errc why, const http_response& refusal) {
        common.out.bytes().clear();
        const errc error = append_response(common.out.bytes(), refusal);
        say(error == errc::none ? refusal.status : 0, why);
    }

    /// Status 0: there was no memory for an answer.
    void say(int status, errc why) {
        if (status == 0) return common.give_up(why == errc::none ? errc::out_of_memory : why);
        common.answer(status, why);
        leave();
    }
    void leave() {
        common.bound_output();
        common.begin_output();
    }

    server_handshake head_;
};

} // namespace detail

/// See the file's laws. Those of connection.hpp hold as well. Everything belongs to the loop's thread. The handler's hooks are
/// endpoint's (hooks.hpp), and, called in the loop:
///
///     on_request(const upgrade_request& asked, http_reply& reply)
///         Each legal request, an upgrade or not: choose subprotocol and extensions, check the origin, send a page. The
///         default is in http_reply.hpp. An exception is answered by 500.
///     on_upgraded(endpoint& e)
///         Once, when the connection is open: what it sends follows the 101.
///
///     on_not_opened(errc why, int status)
///         Called instead, once, as the last hook: the connection ended without having been open. The arguments are
///         how_it_ended().reason and status().
///
/// A connection that was never open calls no other hook. The handler is moved once, before on_upgraded.
template <any_transport Transport, schedule_hook Schedule, class Handler, class Work = in_the_loop,
          class Traits = std_blocking_traits>
class server_connection
    : public basic_connection<
          detail::server_opening<detail::opening_parts<Transport, Schedule, Handler, server_side, Work>,
                                 endpoint<Transport, Schedule, Handler, server_side, Work, Traits>, Traits>> {
    using base = typename server_connection::basic_connection;

public:
    /// The peer's first bytes are its request.
    explicit server_connection(Transport connection, Schedule hook, Handler handler,
                               const server_options& options = {}, Work work = {})
        : base(
              typename base::parts{
                  std::move(connection), std::move(hook), std::move(handler), options, {}, std::move(work)},
              options) {}

    /// A request of HTTP/1.x that another server has parsed, and what it read after it: instead of a first receive(). The
    /// answer is written here. The views are needed only during the call.
    endpoint_wants take_request(const http_request& parsed, mutable_bytes leftover = {}) {
        return this->take(parsed, leftover);
    }
    /// A connection that is open: another server has judged the request (judge()) and answered it by 101, or in HTTP/2 by 200
    /// (accept_answer()). Instead of a first receive(); on_request is not called.
    endpoint_wants take_upgraded(mutable_bytes leftover = {}) { return this->take_over(leftover); }
};

template <class Transport, class Schedule, class Handler>
server_connection(Transport, Schedule, Handler) -> server_connection<Transport, Schedule, Handler>;
template <class Transport, class Schedule, class Handler>
server_connection(Transport, Schedule, Handler, server_options)
    -> server_connection<Transport, Schedule, Handler>;

} // namespace wsolo::inline WSOLO_ABI
