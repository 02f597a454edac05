#pragma once
// What a reader says of a stream, as lines of text, however the stream is cut, delivered or paused.

#include "catch.hpp"
#include "exact_bytes.hpp"

#include <wsolo/session/reader.hpp>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace support {

using namespace wsolo;

/// A stream written by the letter of RFC 6455 §5.2, as `sender` sends it: masked with a new key per frame, or
/// not.
class stream {
public:
    explicit stream(role sender) : masked_(masks(sender)) {}

    /// A whole frame by its first byte: 0x81 a text message, 0x02 a binary message's first fragment, ...
    stream& frame(unsigned first, std::string_view payload = {}) {
        header(first, payload.size());
        for (std::size_t i = 0; i < payload.size(); ++i) {
            const auto byte = static_cast<std::byte>(payload[i]);
            bytes_.push_back(masked_ ? byte ^ key_[i % 4] : byte);
        }
        return *this;
    }
    /// A Close with a status code and a reason.
    stream& close(unsigned code, std::string_view reason = {}) {
        std::string body{static_cast<char>(code >> 8), static_cast<char>(code)};
        return frame(0x88, body.append(reason));
    }
    /// A header with whatever it announces.
    stream& header(unsigned first, std::uint64_t size) {
        const int length_bytes = size <= 125 ? 0 : size <= 0xffff ? 2 : 8;
        const unsigned field = size <= 125 ? static_cast<unsigned>(size) : length_bytes == 2 ? 126u : 127u;
        return put(first).put(field | (masked_ ? 0x80u : 0u)).length(size, length_bytes);
    }
    /// Bytes as they are.
    stream& put(unsigned byte) {
        bytes_.push_back(static_cast<std::byte>(byte));
        return *this;
    }

    const std::vector<std::byte>& bytes() const { return bytes_; }
    std::size_t size() const { return bytes_.size(); }

private:
    stream& length(std::uint64_t size, int length_bytes) {
        for (int i = length_bytes - 1; i >= 0; --i) put(static_cast<unsigned>(size >> (8 * i)) & 0xffu);
        if (!masked_) return *this;
        ++frames_;
        for (std::size_t i = 0; i < 4; ++i) key_[i] = static_cast<std::byte>(0x5c + 0x2b * i + frames_ * 19);
        bytes_.insert(bytes_.end(), key_.begin(), key_.end());
        return *this;
    }

    bool masked_;
    std::size_t frames_ = 0;
    std::array<std::byte, 4> key_{};
    std::vector<std::byte> bytes_;
};

/// A key source that can be predicted.
struct counted_keys {
    unsigned drawn = 0;
    masking_key next_key() noexcept {
        ++drawn;
        return {{std::byte{0xc0}, std::byte{0xff}, std::byte{0xee}, static_cast<std::byte>(drawn)}};
    }
};

template <role Role>
struct reader_under_test {
    basic_reader<default_side<Role>> in;
    explicit reader_under_test(const read_limits& limits) : in(limits) {}
};
template <>
struct reader_under_test<role::client> {
    basic_reader<client_side<counted_keys>> in;
    explicit reader_under_test(const read_limits& limits) : in(limits) {}
};

/// A control frame that `Role` sends, in words; "broken" in it where the frame breaks a rule.
template <role Role>
std::string described(const control_frame& reply) {
    const const_bytes bytes = reply.bytes();
    const header_parse parsed = parse_header(bytes);
    if (parsed.status != parse_status::complete || !parsed.header.fin) return "broken";
    if (parsed.header.masked != masks(Role)) return "broken masking";
    if (bytes.size() != parsed.size + parsed.header.payload_size || bytes.size() > 131) return "broken size";
    std::string payload;
    for (std::size_t i = parsed.size; i < bytes.size(); ++i) {
        payload += static_cast<char>(bytes[i] ^ parsed.header.key.bytes[(i - parsed.size) % 4]);
    }
    if (parsed.header.op != opcode::close) return std::string(to_string(parsed.header.op)) + " " + payload;
    if (payload.empty()) return "Close";
    if (payload.size() < 2) return "broken Close";
    const unsigned code =
        static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
    return "Close " + std::to_string(code) + " " + payload.substr(2);
}

/// What was read, one line each: "text hello", "ping x -> pong x", "closed 1000 bye -> Close 1000 bye",
/// "failed invalid_utf8 -> Close 1007". A message that comes in pieces is a line once it is complete.
struct event_log {
    std::vector<std::string> lines;
    std::string pieces;
    bool piece_open = false;
    std::string broken_promise;
    std::uint64_t ignored = 0;
    errc end = errc::none;

    template <role Role>
    void note(const event& seen) {
        std::string line = words(seen);
        if (line.empty()) return;
        if (seen.owes_reply() != seen.owed_reply().has_value())
            broken_promise = "owes_reply() and owed_reply()";
        if (const auto reply = seen.owed_reply()) {
            const std::string told = described<Role>(*reply);
            // A failure's Close carries its sentence, which the log need not repeat.
            line += " -> " + (seen.kind() == event_kind::failure ? told.substr(0, 10) : told);
        }
        lines.push_back(line);
    }

    friend bool operator==(const event_log&, const event_log&) = default;

private:
    std::string words(const event& seen) {
        switch (seen.kind()) {
        case event_kind::message:
            if (!seen.begins_message() || !seen.ends_message()) broken_promise = "a message is not whole";
            return (seen.is_text() ? "text " : "binary ") + seen.copy_text();
        case event_kind::fragment: return piece(seen);
        case event_kind::ping: return "ping " + seen.copy_text();
        case event_kind::pong: return "pong " + seen.copy_text();
        case event_kind::peer_close:
            return "closed " + std::to_string(static_cast<unsigned>(seen.code())) + " " +
                   std::string(seen.reason());
        case event_kind::failure: return "failed " + std::string(name_of(seen.error()));
        }
        return "broken kind";
    }

    std::string piece(const event& seen) {
        if (seen.begins_message() == piece_open) broken_promise = "pieces out of order";
        if (seen.payload().empty() && !seen.ends_message()) broken_promise = "an empty piece";
        if (seen.begins_message()) pieces.clear();
        pieces += seen.text();
        piece_open = !seen.ends_message();
        return piece_open ? std::string() : (seen.is_text() ? "text " : "binary ") + pieces;
    }
};

/// How a stream is fed: in parts that end at `cuts`; `one_by_one`: a read() per event, its unread() to the
/// next.
struct feeding {
    std::vector<std::size_t> cuts;
    bool one_by_one = false;
};

template <role Role>
event_log log_of(const stream& sent, const feeding& how, const read_limits& limits = {}) {
    reader_under_test<Role> reader(limits);
    event_log log;
    std::size_t from = 0;
    for (std::size_t i = 0; i <= how.cuts.size(); ++i) {
        const std::size_t to = i < how.cuts.size() ? how.cuts[i] : sent.size();
        exact_bytes part(const_bytes(sent.bytes()).subspan(from, to - from), (from * 5 + to) % 64);
        from = to;
        for (mutable_bytes rest = part.view();;) {
            auto events = reader.in.read(rest);
            auto at = events.begin();
            for (; at != events.end(); ++at) {
                log.note<Role>(*at);
                if (how.one_by_one) break;
            }
            if (!(at != events.end())) break;
            rest = events.unread();
        }
        if (!part.guards_stand()) log.broken_promise = "wrote outside of the input";
    }
    log.pieces.clear(); // what an unfinished message had so far depends on the cuts
    log.piece_open = false;
    log.ignored = reader.in.ignored();
    log.end = reader.in.end_of_input();
    return log;
}

/// The same stream whole, byte by byte, split at every point and at random; in messages and in fragments; in
/// one loop and with a read() per event. All must say the same; that is returned.
template <role Role>
event_log log_every_way(const stream& sent, read_limits limits = {}) {
    const event_log whole = log_of<Role>(sent, {}, limits);
    CHECK(whole.broken_promise == "");
    std::vector<feeding> ways{{{}, true}};
    for (std::size_t cut = 0; cut <= sent.size(); ++cut) ways.push_back({{cut}, cut % 2 == 0});
    std::vector<std::size_t> each(sent.size());
    for (std::size_t i = 0; i < each.size(); ++i) each[i] = i;
    ways.push_back({each, false});
    std::mt19937 random(6455);
    for (int i = 0; i < 40; ++i) {
        feeding way{{}, i % 2 == 0};
        for (std::size_t at = 0; at < sent.size(); at += 1 + random() % 23) way.cuts.push_back(at);
        ways.push_back(way);
    }
    for (const delivery deliver : {delivery::messages, delivery::fragments}) {
        limits.deliver = deliver;
        for (const feeding& way : ways) {
            const event_log seen = log_of<Role>(sent, way, limits);
            if (seen == whole) continue;
            std::string lines;
            for (const std::string& line : seen.lines) lines += line.substr(0, 60) + "; ";
            FAIL(way.cuts.size() << " cuts, the first at " << (way.cuts.empty() ? 0 : way.cuts[0])
                                 << ", delivery " << static_cast<int>(deliver) << ": " << lines
                                 << seen.broken_promise << ", " << seen.ignored << " ignored, "
                                 << name_of(seen.end));
        }
    }
    return whole;
}

using lines = std::vector<std::string>;

} // namespace support
