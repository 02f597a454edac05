// libFuzzer entry for handshake/. Input: a mode byte, two bytes that choose the chunking, then text.
//
// Oracles: any chunking gives what the whole gives; every view can be walked; what the server accepts, the
// client takes, and what it refuses, the client reads as refused; a request or answer that was built from any
// text at all holds exactly the fields that were put in, and a strict reader takes it to its last byte.

#include "fuzz.hpp"

#include <wsolo/handshake/upgrade.hpp>

using fuzz::chunking;
using fuzz::require;

namespace {

template <class Handshake>
std::size_t feed_whole(Handshake& handshake, const std::string& text) {
    wsolo::const_bytes input = wsolo::bytes_of(text);
    handshake.feed(input);
    return text.size() - input.size();
}

template <class Handshake>
std::size_t feed_chunks(Handshake& handshake, const std::string& text, chunking chunks) {
    std::size_t taken = 0;
    while (taken < text.size() && handshake.status() == wsolo::handshake_status::need_more) {
        const std::string chunk = text.substr(taken, chunks.next()); // of its own, so that its end is guarded
        wsolo::const_bytes input = wsolo::bytes_of(chunk);
        handshake.feed(input);
        taken += chunk.size() - input.size();
        require(input.empty() || handshake.status() != wsolo::handshake_status::need_more,
                "input was left lying");
    }
    return taken;
}

/// Every field and every list of a head as one text.
std::string shown(const wsolo::header_list& headers, const wsolo::extension_list& extensions) {
    std::string out;
    for (const wsolo::header_field& field : headers) {
        require(headers.find(field.name).has_value(), "a field that is there was not found");
        out.append(field.name).append("=").append(field.value).append("\n");
        for (const std::string_view each : wsolo::element_list(headers, field.name))
            out.append(each).append(",");
    }
    for (const wsolo::extension each : extensions) {
        out.append(each.name());
        for (const wsolo::extension_param& param : each.params()) {
            out.append(";").append(param.name).append(param.has_value ? "=" : "");
            out.append(param.value.begin(), param.value.end());
            require(param.value == std::string(param.value.begin(), param.value.end()),
                    "a value is not what it compares to");
            if (const auto number = param.value.number()) out.append(std::to_string(*number));
        }
    }
    return out;
}

std::string shown(const wsolo::server_handshake& handshake) {
    if (!handshake.has_request()) return "none";
    const wsolo::upgrade_request request = handshake.request();
    std::string out = shown(request.headers(), request.extensions());
    const wsolo::resource_view resource = request.resource_name();
    const std::string_view origin =
        request.origin().value_or("-"); // named: g++ 16 takes it for a reference otherwise
    for (const std::string_view part :
         {request.method(), request.target(), resource.path(), resource.query(), request.host(),
          request.key(), request.version(), origin,
          std::string_view(wsolo::is_same_origin(request) ? "same" : "other")}) {
        out.append("|").append(part);
    }
    return out;
}

std::string shown(const wsolo::client_handshake& handshake) {
    if (!handshake.has_response()) return "none";
    const wsolo::upgrade_response response = handshake.response();
    return shown(response.headers(), response.extensions()) + std::to_string(response.status()) +
           std::string(response.reason()) + std::string(response.subprotocol());
}

template <class Handshake>
void require_same(const Handshake& whole, std::size_t whole_taken, const Handshake& chunked,
                  std::size_t chunked_taken) {
    require(whole.status() == chunked.status(), "the status depends on the chunking");
    require(whole.error() == chunked.error(), "the error depends on the chunking");
    require(whole_taken == chunked_taken, "what is taken depends on the chunking");
    require(shown(whole) == shown(chunked), "what was read depends on the chunking");
    require((whole.error() != wsolo::errc::none) == (whole.status() == wsolo::handshake_status::failed),
            "failed without an error, or an error without failing");
}

wsolo::handshake_limits limits_of(std::uint8_t mode) {
    if ((mode & 4) == 0) return {};
    return {.max_line_size = 48, .max_headers = 7, .max_size = 256};
}

/// The server says yes to the first of everything: a client that asked with the same key must agree.
void require_accepted(const wsolo::upgrade_request& request) {
    const auto subprotocols = request.subprotocols();
    const std::string_view subprotocol = subprotocols.empty() ? std::string_view() : *subprotocols.begin();
    const std::string_view extension =
        wsolo::choose_extension(request, [](const wsolo::extension& offer) { return offer.text(); });
    std::string answer;
    require(wsolo::append_accept_response(
                answer, request, {.subprotocol = subprotocol, .extensions = extension}) == wsolo::errc::none,
            "a legal request could not be accepted");
    wsolo::client_key key;
    require(request.key().copy(key.text.data(), key.text.size()) == request.key().size(),
            "a key has 24 characters");
    wsolo::client_handshake client({.max_line_size = 1U << 20, .max_size = 1U << 20});
    require(client.start({.host = "h", .subprotocols = subprotocol, .extensions = extension}, key) ==
                wsolo::errc::none,
            "what a client offered cannot be offered");
    require(feed_whole(client, answer) == answer.size(), "an answer is longer than its head");
    require(client.status() == wsolo::handshake_status::complete, "an accepted client does not agree");
    require(client.response().subprotocol() == subprotocol, "another subprotocol arrived");
}

void require_refused(const wsolo::server_handshake& server) {
    const wsolo::errc why = server.error();
    std::string answer;
    require(wsolo::append_response(answer, server.refusal()) == wsolo::errc::none,
            "no refusal for this error");
    require(wsolo::refusal_answer(why).status() == wsolo::http_status_for(why), "two statuses for one error");
    wsolo::client_handshake client;
    require(client.start({.host = "h"}, wsolo::client_key{}) == wsolo::errc::none, "no request");
    feed_whole(client, answer);
    require(client.error() == wsolo::errc::handshake_unexpected_status, "a refusal is not read as one");
    require(client.response().status() == wsolo::http_status_for(why), "another status arrived");
}

/// The same fields, handed over by another parser, have the same verdict.
void require_same_verdict(const wsolo::server_handshake& server) {
    const wsolo::upgrade_request seen = server.request();
    std::vector<wsolo::header_field> fields;
    for (const wsolo::header_field& field : seen.headers()) fields.push_back(field);
    const auto judged = wsolo::judge(wsolo::http_request{
        .method = seen.method(), .target = seen.target(), .version = seen.http_version(), .fields = fields});
    require(judged.error() == server.error(), "judge() and the byte parser disagree");
    if (!judged) return;
    require(judged->is_upgrade() == seen.is_upgrade(), "an upgrade for one of the two only");
    require(judged->host() == seen.host() && judged->key() == seen.key(), "two hosts, or two keys");
}

void fuzz_server(std::uint8_t mode, chunking chunks, const std::string& text) {
    wsolo::server_handshake whole(limits_of(mode));
    wsolo::server_handshake chunked(limits_of(mode));
    const std::size_t whole_taken = feed_whole(whole, text);
    require_same(whole, whole_taken, chunked, feed_chunks(chunked, text, chunks));
    if (whole.status() == wsolo::handshake_status::failed) require_refused(whole);
    if (whole.has_request()) require_same_verdict(whole);
    if (whole.status() != wsolo::handshake_status::complete) return;
    if (whole.request().is_upgrade()) require_accepted(whole.request());
    whole.reset();
    feed_whole(whole, text.substr(whole_taken));
}

void fuzz_client(std::uint8_t mode, chunking chunks, const std::string& text) {
    const std::array<std::byte, 16> zeros{}; // the answer: ICX+Yqv66kxgM0FcWaLWlFLwTAI=
    const wsolo::client_key key = wsolo::make_client_key(zeros);
    const wsolo::client_request request{
        .host = "h", .subprotocols = "chat, v2", .extensions = "x-a; p=1, x-b"};
    wsolo::client_handshake whole(limits_of(mode));
    wsolo::client_handshake chunked(limits_of(mode));
    require(whole.start(request, key) == wsolo::errc::none &&
                chunked.start(request, key) == wsolo::errc::none,
            "no request");
    const std::size_t whole_taken = feed_whole(whole, text);
    require_same(whole, whole_taken, chunked, feed_chunks(chunked, text, chunks));
    if (!whole.has_response()) return;
    const wsolo::upgrade_response seen = whole.response();
    std::vector<wsolo::header_field> fields;
    for (const wsolo::header_field& field : seen.headers()) fields.push_back(field);
    const auto judged = wsolo::judge(
        wsolo::http_answer{.status = seen.status(), .version = seen.http_version(), .fields = fields},
        {.key = key.view(), .subprotocols = request.subprotocols, .extensions = request.extensions});
    require(judged.error() == whole.error(), "judge() and the byte parser disagree");
}

/// The next piece of the text, up to a unit separator (0x1f): so that pieces can hold CR and LF.
std::string_view next_piece(std::string_view& text) {
    const std::size_t end = text.find('\x1f');
    const std::string_view piece = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return piece;
}

std::size_t count_fields(const wsolo::header_list& headers) {
    std::size_t count = 0;
    for ([[maybe_unused]] const wsolo::header_field& each : headers) ++count;
    return count;
}

void fuzz_request_builder(const std::string& text) {
    std::string_view rest = text;
    const std::string_view host = next_piece(rest);
    const std::string_view target = next_piece(rest);
    const std::string_view origin = next_piece(rest);
    const std::string_view subprotocols = next_piece(rest);
    const std::string_view extensions = next_piece(rest);
    const std::string_view name = next_piece(rest);
    const wsolo::header_field extra[] = {{name, next_piece(rest)}};
    std::string out;
    const wsolo::errc error = wsolo::append_client_request(
        out, {host, target, origin, subprotocols, extensions, extra}, wsolo::make_client_key({}));
    if (error != wsolo::errc::none) return require(out.empty(), "a refused request was written");
    wsolo::server_handshake server({.max_line_size = 1U << 20, .max_size = 1U << 20});
    require(feed_whole(server, out) == out.size(), "a request ends before its end");
    require(server.status() == wsolo::handshake_status::complete, "our server refuses our request");
    const std::size_t optional =
        (origin.empty() ? 0U : 1U) + (subprotocols.empty() ? 0U : 1U) + (extensions.empty() ? 0U : 1U);
    require(count_fields(server.request().headers()) == 6 + optional, "a field was injected");
}

void fuzz_response_builder(const std::string& text) {
    std::string_view rest = text;
    const std::string_view reason = next_piece(rest);
    const std::string_view content_type = next_piece(rest);
    const std::string_view name = next_piece(rest);
    const wsolo::header_field extra[] = {{name, next_piece(rest)}};
    std::string out;
    const wsolo::errc error = wsolo::append_response(
        out, {.reason = reason, .content_type = content_type, .body = rest, .headers = extra});
    if (error != wsolo::errc::none) return require(out.empty(), "a refused answer was written");
    wsolo::client_handshake client({.max_line_size = 1U << 20, .max_size = 1U << 20});
    require(client.start({.host = "h"}, wsolo::client_key{}) == wsolo::errc::none, "no request");
    require(out.substr(feed_whole(client, out)) == rest, "the body is not what follows the head");
    require(client.error() == wsolo::errc::handshake_unexpected_status, "our client cannot read our answer");
    const std::size_t optional = content_type.empty() || rest.empty() ? 0U : 1U;
    require(count_fields(client.response().headers()) == 3 + optional, "a field was injected");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const chunking chunks(data[1], data[2]);
    const std::string text(reinterpret_cast<const char*>(data) + 3, size - 3);
    switch (data[0] & 3) {
    case 0: fuzz_server(data[0], chunks, text); break;
    case 1: fuzz_client(data[0], chunks, text); break;
    case 2: fuzz_request_builder(text); break;
    default: fuzz_response_builder(text); break;
    }
    return 0;
}
