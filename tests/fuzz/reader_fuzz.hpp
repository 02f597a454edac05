#pragma once
// The reader under a fuzzer, in either role. Input: a mode byte (limits, the reserved bits that an extension
// uses), two bytes that choose the chunking, then the stream.
//
// Oracles: whole, in chunks, by fragments and with a read() per event give the same conversation; every reply
// owed is a well-formed frame of this side with the payload that it must have; and without an extension the
// conversation is what a second, strict parser of whole streams reads.

#include "fuzz.hpp"

#include <support/strict_parser.hpp>
#include <wsolo/session/reader.hpp>

namespace fuzz {

struct conversation {
    std::vector<std::string> lines;
    wsolo::errc error = wsolo::errc::none;
    bool closed = false;
    friend bool operator==(const conversation&, const conversation&) = default;
};

struct fixed_key {
    wsolo::masking_key next_key() const noexcept {
        return {{std::byte{0x0f}, std::byte{0x80}, std::byte{0}, std::byte{0xff}}};
    }
};

template <wsolo::role Role>
using fuzzed_reader =
    std::conditional_t<Role == wsolo::role::client, wsolo::basic_reader<wsolo::client_side<fixed_key>>,
                       wsolo::server_reader>;

template <wsolo::role Role>
class listener {
public:
    explicit listener(const wsolo::read_limits& limits) : in_(limits) {}

    void feed(wsolo::mutable_bytes part) {
        for (const auto& event : in_.read(part)) note(event);
    }
    void feed_one_by_one(wsolo::mutable_bytes rest) {
        for (bool found = true; found;) {
            auto events = in_.read(rest);
            auto first = events.begin();
            found = first != events.end();
            if (found) note(*first);
            rest = events.unread();
        }
    }
    conversation heard() {
        said_.error = in_.error();
        said_.closed = in_.peer_closed();
        require(in_.open() == (said_.error == wsolo::errc::none && !said_.closed),
                "open() says something else");
        return said_;
    }

private:
    void note(const wsolo::event& event) {
        require(in_.open() || event.kind() >= wsolo::event_kind::peer_close, "an event after the end");
        check_reply(event);
        switch (event.kind()) {
        case wsolo::event_kind::message: return say(event.is_text() ? "text " : "binary ", event.text());
        case wsolo::event_kind::fragment: return piece(event);
        case wsolo::event_kind::ping: return say("ping ", event.text());
        case wsolo::event_kind::pong: return say("pong ", event.text());
        case wsolo::event_kind::peer_close:
            return say("close ", std::to_string(static_cast<unsigned>(event.code())) + " " +
                                     std::string(event.reason()));
        case wsolo::event_kind::failure: return;
        }
    }

    void say(std::string_view kind, std::string_view what) {
        said_.lines.push_back(std::string(kind).append(what));
    }

    void piece(const wsolo::event& event) {
        require(event.begins_message() != inside_, "pieces out of order");
        if (event.begins_message()) pieces_.clear();
        pieces_ += event.text();
        inside_ = !event.ends_message();
        if (!inside_) say(event.is_text() ? "text " : "binary ", pieces_);
    }

    void check_reply(const wsolo::event& event) {
        const auto reply = event.owed_reply();
        require(reply.has_value() == event.owes_reply(), "owes_reply() says something else");
        const bool must =
            event.kind() == wsolo::event_kind::ping || event.kind() == wsolo::event_kind::peer_close;
        require(!must || reply.has_value(), "a reply is not owed");
        if (!reply) return;
        const auto sent = strict::parse(wsolo::text_of(reply->bytes()), wsolo::masks(Role));
        require(sent.error.empty() && sent.rest == 0 && sent.frames.size() == 1, "a reply is malformed");
        const strict::frame& frame = sent.frames.front();
        if (event.kind() == wsolo::event_kind::ping) {
            require(frame.opcode == 10 && frame.payload == event.text(), "a PONG differs from its PING");
        } else {
            require(frame.opcode == 8, "not answered by a Close");
        }
        if (event.kind() == wsolo::event_kind::peer_close) {
            require(frame.payload.size() ==
                        (event.code() == wsolo::close_code::no_status ? 0 : 2 + event.reason().size()),
                    "a Close is not echoed");
        }
    }

    fuzzed_reader<Role> in_;
    conversation said_;
    std::string pieces_;
    bool inside_ = false;
};

/// What a stream says by the second parser, until the first rule that it breaks.
struct model {
    std::vector<std::string> lines;
    bool broken = false;
    bool closed = false;
    bool unfinished = false; // bytes of a frame that has not come whole
};

inline bool is_text_whole(std::string_view text) {
    const utf8_verdict verdict = utf8_by_arithmetic(wsolo::bytes_of(text));
    return verdict.first_bad == std::string_view::npos && !verdict.cut_off;
}

inline void model_close(model& said, const std::string& body) {
    const auto byte = [&](std::size_t i) {
        return static_cast<unsigned>(static_cast<unsigned char>(body[i]));
    };
    const unsigned code = body.size() < 2 ? 1005 : byte(0) * 256 + byte(1);
    const bool listed = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                        (code >= 3000 && code <= 4999);
    const std::string reason = body.size() < 2 ? "" : body.substr(2);
    if (body.empty() || (body.size() >= 2 && listed && is_text_whole(reason))) {
        said.closed = true;
        said.lines.push_back("close " + std::to_string(code) + " " + reason);
    } else {
        said.broken = true;
    }
}

/// The parser refuses a frame that is out of place by its first byte, the reader by its whole header: whether
/// that has come.
inline bool header_has_come(wsolo::const_bytes stream, const std::string& error) {
    static constexpr std::string_view out_of_place = "continuation out of place at byte ";
    if (!error.starts_with(out_of_place)) return true;
    const wsolo::const_bytes frame = stream.subspan(std::stoul(error.substr(out_of_place.size())));
    const unsigned second = std::to_integer<unsigned>(frame[1]);
    const unsigned field = second & 0x7fU;
    return frame.size() >= 2U + (field == 127 ? 8U : field == 126 ? 2U : 0U) + (second >= 0x80 ? 4U : 0U);
}

inline model model_of(wsolo::const_bytes stream, bool sender_masks) {
    const auto read = strict::parse(wsolo::text_of(stream), sender_masks);
    model said;
    std::string message;
    bool text = false;
    for (const strict::frame& frame : read.frames) {
        if (frame.opcode == 8)
            model_close(said, frame.payload);
        else if (frame.opcode == 9)
            said.lines.push_back("ping " + frame.payload);
        else if (frame.opcode == 10)
            said.lines.push_back("pong " + frame.payload);
        if (said.closed || said.broken) return said;
        if (frame.opcode >= 8) continue;
        if (frame.opcode != 0) {
            text = frame.opcode == 1;
            message.clear();
        }
        message += frame.payload;
        const utf8_verdict verdict = text ? utf8_by_arithmetic(wsolo::bytes_of(message)) : utf8_verdict{};
        said.broken = verdict.first_bad != std::string_view::npos || (frame.fin && verdict.cut_off);
        if (said.broken) return said;
        if (frame.fin) said.lines.push_back((text ? "text " : "binary ") + message);
    }
    said.broken = !read.error.empty() && header_has_come(stream, read.error);
    said.unfinished = read.rest > 0 || (!read.error.empty() && !said.broken);
    return said;
}

inline void check_against_model(const conversation& heard, const model& said) {
    const bool limited = heard.error == wsolo::errc::frame_too_big ||
                         heard.error == wsolo::errc::message_too_big ||
                         heard.error == wsolo::errc::too_many_fragments;
    if (limited) {
        require(heard.lines.size() <= said.lines.size(), "more was heard than was said");
        const auto end = said.lines.begin() + static_cast<std::ptrdiff_t>(heard.lines.size());
        require(std::vector<std::string>(said.lines.begin(), end) == heard.lines, "something else was heard");
        return;
    }
    require(heard.lines == said.lines, "something else was heard than was said");
    require(heard.closed == said.closed, "a Close was missed or made up");
    const bool failed = heard.error != wsolo::errc::none;
    require(!said.broken || failed, "a broken rule was let pass");
    require(said.broken || said.unfinished || !failed, "a sound stream was refused");
}

template <wsolo::role Role>
void fuzz_reader(const std::uint8_t* data, std::size_t size) {
    static constexpr std::uint64_t frames[] = {1U << 24, 200, 16, 0};
    static constexpr std::uint64_t messages[] = {1U << 24, 300, 5, 0};
    source input(data, size);
    const unsigned mode = input.byte();
    const std::uint8_t largest = input.byte();
    const chunking chunks(largest, input.byte());
    wsolo::read_limits limits;
    limits.max_frame_size = frames[mode & 3U];
    limits.max_message_size = messages[mode >> 2 & 3U];
    limits.max_fragments = (mode & 0x10U) != 0 ? 3 : 4096;
    limits.allowed_rsv = (mode & 0x20U) != 0 ? wsolo::rsv1_bit : 0;

    listener<Role> whole(limits);
    auto bytes = copy_of(input.rest());
    whole.feed(bytes);
    const conversation heard = whole.heard();
    for (const auto deliver : {wsolo::delivery::messages, wsolo::delivery::fragments}) {
        limits.deliver = deliver;
        listener<Role> parts(limits);
        in_chunks(input.rest(), chunks, [&](wsolo::mutable_bytes part) { return parts.feed(part), true; });
        require(parts.heard() == heard, "chunks are read as something else than the whole");
        listener<Role> paused(limits);
        auto again = copy_of(input.rest());
        paused.feed_one_by_one(again);
        require(paused.heard() == heard, "with pauses something else is read");
    }
    if (limits.allowed_rsv == 0)
        check_against_model(heard, model_of(input.rest(), wsolo::masks(wsolo::peer_of(Role))));
}

} // namespace fuzz
