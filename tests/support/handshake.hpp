#pragma once
// Heads to feed, and ways to feed them, for the tests of handshake/.

#include <wsolo/handshake/http_head.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handshake_samples {

/// A head whose fields can be taken away, replaced and repeated before it is written out.
class head {
public:
    explicit head(std::string start_line) : start_line_(std::move(start_line)) {}

    head start(std::string line) const {
        head changed = *this;
        changed.start_line_ = std::move(line);
        return changed;
    }
    head with(std::string name, std::string value) const {
        head changed = *this;
        changed.fields_.emplace_back(std::move(name), std::move(value));
        return changed;
    }
    head without(std::string_view name) const {
        head changed(start_line_);
        for (const auto& field : fields_) {
            if (field.first != name) changed.fields_.push_back(field);
        }
        return changed;
    }
    head replace(const std::string& name, std::string value) const {
        return without(name).with(name, std::move(value));
    }
    std::string text() const {
        std::string out = start_line_ + "\r\n";
        for (const auto& [name, value] : fields_) out += name + ": " + value + "\r\n";
        return out + "\r\n";
    }

private:
    std::string start_line_;
    std::vector<std::pair<std::string, std::string>> fields_;
};

/// The client's handshake of RFC 6455 §1.2.
inline head rfc_request() {
    return head("GET /chat HTTP/1.1")
        .with("Host", "server.example.com")
        .with("Upgrade", "websocket")
        .with("Connection", "Upgrade")
        .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .with("Origin", "http://example.com")
        .with("Sec-WebSocket-Protocol", "chat, superchat")
        .with("Sec-WebSocket-Version", "13");
}

/// The server's handshake of RFC 6455 §1.2.
inline head rfc_response() {
    return head("HTTP/1.1 101 Switching Protocols")
        .with("Upgrade", "websocket")
        .with("Connection", "Upgrade")
        .with("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        .with("Sec-WebSocket-Protocol", "chat");
}

/// What feeding gave: everything that must not depend on how the bytes were cut.
struct outcome {
    wsolo::handshake_status status = wsolo::handshake_status::need_more;
    wsolo::errc error = wsolo::errc::none;
    std::size_t taken = 0;

    friend bool operator==(const outcome&, const outcome&) = default;
};

/// Feeds `text` in chunks whose sizes `next_size()` gives (at least 1) until all is taken or the parser is
/// done.
template <class Parser, class NextSize>
outcome feed_in_chunks(Parser& parser, std::string_view text, NextSize next_size) {
    outcome seen;
    while (seen.taken < text.size() && seen.status == wsolo::handshake_status::need_more) {
        const std::string chunk(text.substr(seen.taken, next_size())); // a copy, so that ASan sees its end
        wsolo::const_bytes input = wsolo::bytes_of(chunk);
        seen.status = parser.feed(input);
        seen.taken += chunk.size() - input.size();
    }
    seen.error = parser.error();
    return seen;
}

template <class Parser>
outcome feed_whole(Parser& parser, std::string_view text) {
    return feed_in_chunks(parser, text, [&] { return text.size(); });
}

template <class Parser>
outcome feed_bytewise(Parser& parser, std::string_view text) {
    return feed_in_chunks(parser, text, [] { return std::size_t{1}; });
}

/// In two parts, the first of `first` bytes.
template <class Parser>
outcome feed_split(Parser& parser, std::string_view text, std::size_t first) {
    bool is_first = true;
    return feed_in_chunks(parser, text,
                          [&] { return std::exchange(is_first, false) && first > 0 ? first : text.size(); });
}

/// Feeds `text` to fresh parsers whole, bytewise and split at every point; the place of the first difference
/// from the whole feed, or npos when there is none.
template <class MakeParser>
std::size_t first_split_that_matters(MakeParser make, std::string_view text) {
    auto whole = make();
    const outcome expected = feed_whole(whole, text);
    auto bytewise = make();
    if (feed_bytewise(bytewise, text) != expected) return 0;
    for (std::size_t at = 1; at < text.size(); ++at) {
        auto parser = make();
        if (feed_split(parser, text, at) != expected) return at;
    }
    return std::string_view::npos;
}

} // namespace handshake_samples

/// A failed comparison prints what was seen.
template <>
struct Catch::StringMaker<handshake_samples::outcome> {
    static std::string convert(const handshake_samples::outcome& seen) {
        const char* names[] = {"need_more", "complete", "failed"};
        return std::string(names[static_cast<int>(seen.status)]) + ", " +
               std::string(wsolo::name_of(seen.error)) + ", " + std::to_string(seen.taken) + " bytes taken";
    }
};
