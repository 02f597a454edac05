// SPDX-License-Identifier: MIT
#pragma once
// A client's whole connection: the request, the judgement of the server's answer, and the endpoint that it becomes.
//
// Laws of this file:
// - The request leaves with the first run(). Nothing else leaves before the answer was found good.
// - The handler can look at a refusal's head, for instance at a redirect; then the connection ends.
// - Bytes that follow the answer belong to the endpoint.

#include "../handshake/client.hpp"
#include "connection.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Copied; what only the handshake needs is given back when the connection is open.
struct client_options : connection_options {
    /// Of the server's answer.
    handshake_limits answer{};
};

namespace detail {

/// `Parts`: opening_parts.
template <class Parts, class Endpoint, class Traits>
class client_opening {
    using handler_type = decltype(Parts::handler);

public:
    using parts = Parts;
    using endpoint_type = Endpoint;

    template <nonce_source Keys>
    client_opening(Parts kept, const client_request& request, Keys& keys, const client_options& options)
        : common(role::client, std::move(kept), options.handshake_timeout), head_(options.answer) {
        const auto offer = extension_offer(common.parts.handler);
        client_request asked = request;
        if (asked.extensions.data() == nullptr) asked.extensions = offer.view();
        offers_ = asked.extensions == offer.view();
        errc error = head_.start(asked, keys);
        if (error == errc::none && !common.out.bytes().append(head_.request())) error = errc::out_of_memory;
        if (error == errc::none) {
            common.begin_output();
        } else {
            common.give_up(error);
        }
    }

    /// The head's bytes; what follows them stays in `received`.
    void ask(mutable_bytes& received) {
        switch (head_.feed(received)) {
        case handshake_status::need_more: return;
        case handshake_status::failed: return refuse(head_.error());
        case handshake_status::complete: break;
        }
        const upgrade_response answer = head_.response();
        const errc judged =
            offers_ ? judge_extensions(common.parts.handler, answer.extensions()) : errc::none;
        if (judged != errc::none) return refuse(judged);
        const errc said = show(errc::none);
        common.agree(head_.response().status());
        if (said != errc::none) common.give_up(said);
    }
    void end_asking(errc why) {
        head_.end_of_input();
        refuse(why == errc::none ? head_.error() : why);
    }
    void expire() { common.give_up(errc::handshake_timeout); }
    void stop() { common.give_up(errc::aborted); }

    opening<Parts, Traits> common;

private:
    void refuse(errc why) {
        if (head_.has_response()) {
            common.status = head_.response().status();
            static_cast<void>(show(why));
        }
        common.give_up(why);
    }

    /// What the handler says to the answer.
    [[nodiscard]] errc show([[maybe_unused]] errc verdict) {
        errc said = errc::none;
        if constexpr (has_on_response<handler_type>) {
            if (!call_hook(
                    [&] { return said = common.parts.handler.on_response(head_.response(), verdict); }))
                said = errc::handler_failed;
        }
        return said;
    }

    client_handshake head_;
    bool offers_ = false; ///< what the handler's compression offers
};

} // namespace detail

/// See the file's laws. Make it, then run(), as connection.hpp says. The handler's hooks are endpoint's (hooks.hpp), and,
/// called in the loop:
///
///     errc on_response(const upgrade_response& answer, errc verdict)
///         The server's final answer, which is a view, and the judge's verdict. When the verdict is none the hook may still
///         refuse the answer by returning an errc, for instance because no subprotocol was chosen. When the verdict is an
///         error the hook's result is ignored.
///     on_upgraded(endpoint& e)
///         Once, when the connection is open.
///
///     on_not_opened(errc why, int status)
///         Called instead, once, as the last hook: the connection ended without having been open. The arguments are
///         how_it_ended().reason and status().
///
/// A connection that was never open calls no other hook. The handler is moved once, before on_upgraded.
template <any_transport Transport, schedule_hook Schedule, class Handler, class Side = client_side<>,
          class Work = in_the_loop, class Traits = std_blocking_traits>
class client_connection
    : public basic_connection<
          detail::client_opening<detail::opening_parts<Transport, Schedule, Handler, Side, Work>,
                                 endpoint<Transport, Schedule, Handler, Side, Work, Traits>, Traits>> {
    using base = typename client_connection::basic_connection;

public:
    /// `connection` is connected. The views of `request` are needed only during the call. A request that can't be asked
    /// (errc::invalid_header_field) ends the connection before it begins: run() says `finished`.
    explicit client_connection(Transport connection, Schedule hook, Handler handler,
                               const client_request& request, const client_options& options = {},
                               Side side = {}, Work work = {})
        : client_connection(std::move(connection), std::move(hook), std::move(handler), request,
                            random_keys(), options, std::move(side), std::move(work)) {}
    /// The same with the caller's source of the request's key.
    template <class Keys>
        requires nonce_source<std::remove_reference_t<Keys>>
    client_connection(Transport connection, Schedule hook, Handler handler, const client_request& request,
                      Keys&& keys, const client_options& options = {}, Side side = {}, Work work = {})
        : base(typename base::parts{std::move(connection), std::move(hook), std::move(handler), options,
                                    std::move(side), std::move(work)},
               request, keys, options) {}
};

template <class Transport, class Schedule, class Handler>
client_connection(Transport, Schedule, Handler, client_request)
    -> client_connection<Transport, Schedule, Handler>;
template <class Transport, class Schedule, class Handler>
client_connection(Transport, Schedule, Handler, client_request, client_options)
    -> client_connection<Transport, Schedule, Handler>;

} // namespace wsolo::inline WSOLO_ABI
