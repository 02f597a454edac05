// Written by tools/amalgamate.py from include/wsolo/adapt/beast.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// WebSocket in a server whose HTTP is Boost.Beast's: Beast reads the request, and the connection is wsolo's from there.
// Needs: boost/beast/http.hpp (Boost 1.74 or later).
//
//     http::async_read(stream, buffer, request, ...);
//     if (beast::websocket::is_upgrade(request))
//         return wsolo::adapt::beast::serve(std::move(stream), request, buffer, chat{}, everyone);
//
// Laws of this file:
// - The request is judged as one that wsolo read would be, and answered here, whether it is accepted or not.
// - What Beast read after the request is the connection's first bytes.
// - The stream is taken over: of a tcp_stream the socket, of TLS all layers. Beast's own timeouts end here.

#include "../wsolo.hpp"

#if !__has_include(<boost/beast/http.hpp>)
#error "wsolo/adapt/beast.hpp needs Boost.Beast: boost/beast/http.hpp (1.74 or later)."
#endif
#if defined(WSOLO_ASIO_IS_BOOST) && !WSOLO_ASIO_IS_BOOST
#error                                                                                                       \
    "Beast's Asio is Boost's: define WSOLO_USE_BOOST_ASIO, or include wsolo/adapt/beast.hpp before wsolo/adapt/asio.hpp."
#endif
#if !defined(WSOLO_USE_BOOST_ASIO)
#define WSOLO_USE_BOOST_ASIO 1
#endif
#include "asio.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>

#include <vector>

namespace wsolo::inline WSOLO_ABI::adapt::beast {

namespace detail {

/// What can be read without a buffer for each connection: a tcp_stream's socket. TLS stays as it is, without the timeout that
/// its tcp_stream may have.
template <class Stream>
[[nodiscard]] auto taken_over(Stream stream) {
    if constexpr (requires { stream.release_socket(); }) {
        return stream.release_socket();
    } else {
        auto& lowest = ::boost::beast::get_lowest_layer(stream);
        if constexpr (requires { lowest.expires_never(); }) lowest.expires_never();
        return stream;
    }
}

template <class Text>
[[nodiscard]] std::string_view view_of(const Text& text) noexcept {
    return {text.data(), text.size()};
}

} // namespace detail

/// A server's connection (adapt/asio.hpp, serve()) for the request that Beast read. `buffer` is the one that it was read
/// with: what is in it is taken. In the stream's executor. The request is needed only during the call, and its body is not
/// looked at. O(the head).
template <class Stream, class Body, class Fields, class Allocator, class Handler, class Traits>
void serve(Stream stream, const ::boost::beast::http::request<Body, Fields>& request,
           ::boost::beast::basic_flat_buffer<Allocator>& buffer, Handler handler,
           basic_connection_group<Traits>& group, const server_options& options = {}) {
    std::vector<header_field> fields;
    for (const auto& each : request)
        fields.push_back({detail::view_of(each.name_string()), detail::view_of(each.value())});
    const http_request parsed{.method = detail::view_of(request.method_string()),
                              .target = detail::view_of(request.target()),
                              .version = request.version() < 11 ? http_version::v1_0 : http_version::v1_1,
                              .fields = fields};
    const auto rest = buffer.data();
    asio::serve(detail::taken_over(std::move(stream)), parsed,
                mutable_bytes(static_cast<std::byte*>(rest.data()), rest.size()), std::move(handler), group,
                options);
    buffer.consume(rest.size());
}

} // namespace wsolo::inline WSOLO_ABI::adapt::beast
