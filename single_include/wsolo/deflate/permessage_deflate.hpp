// Written by tools/amalgamate.py from include/wsolo/deflate/permessage_deflate.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// One connection's permessage-deflate, from its offer to its last message: what an endpoint asks of its handler's member
// `compression`.
//
//     struct chat {
//         wsolo::adapt::zlib::permessage_deflate compression;      // or compression{options}: that is all
//         wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
//     };
//
// Laws of this file:
// - Nothing is compressed, and nothing inflated, before both sides agreed.
// - inflate() is the reading thread's and deflate() the writing thread's: they share nothing but what was agreed on.

#include "message_deflater.hpp"
#include "message_inflater.hpp"

namespace wsolo::inline WSOLO_ABI {

/// See the file's laws. Movable until it is used.
template <compressor Compressor, decompressor Decompressor>
class basic_permessage_deflate {
public:
    basic_permessage_deflate() noexcept : basic_permessage_deflate(deflate_options()) {}
    explicit basic_permessage_deflate(const deflate_options& options) noexcept
        : options_(options), out_({}, options), in_({}) {}

    // ---- the handshake

    /// A client's offer: into client_request::extensions.
    [[nodiscard]] deflate_text offer() const noexcept { return offer_deflate(options_); }
    /// A client's judgement of the answer: errc::handshake_invalid_deflate fails the connection.
    [[nodiscard]] errc judge(const extension_list& answers) noexcept {
        const auto agreed = judge_deflate_answer(answers, options_);
        if (!agreed) return agreed.error();
        if (*agreed) agree(role::client, **agreed);
        return errc::none;
    }
    /// A server's answer, for accept_options::extensions; empty where there is none. It holds once it is sent.
    [[nodiscard]] deflate_text answer(const extension_list& offers) noexcept {
        const auto chosen = choose_deflate(offers, options_);
        if (!chosen) return {};
        agree(role::server, chosen->terms);
        return chosen->text;
    }
    /// The handshake was made elsewhere.
    void agree(role self, const deflate_terms& terms) noexcept {
        is_agreed_ = true;
        how_in_ = terms.by(peer_of(self));
        out_ = message_deflater<Compressor>(terms.by(self), options_);
        in_ = message_inflater<Decompressor>(how_in_);
    }
    /// What was agreed on is not to be: the answer did not leave.
    void disagree() noexcept { is_agreed_ = false; }
    [[nodiscard]] bool is_agreed() const noexcept { return is_agreed_; }

    // ---- the messages

    /// The longest message that is taken, after it was inflated. Before the first one.
    void limit(std::uint64_t max_message) noexcept {
        in_ = message_inflater<Decompressor>(how_in_, max_message);
    }
    /// A whole message that came with RSV1, appended to `to`. Errors: message_inflater::append()'s.
    [[nodiscard]] errc inflate(const_bytes payload, bool is_text, byte_buffer& to) noexcept {
        return in_.append(payload, true, is_text, to);
    }
    /// Whether a message of this size is compressed. Any thread, once it is agreed.
    [[nodiscard]] bool wants(std::size_t size) const noexcept {
        return is_agreed_ && size != 0 && size >= options_.min_size;
    }
    /// A message that leaves next, at the front of `to`; 0: it leaves as it is. See message_deflater.
    [[nodiscard]] std::size_t deflate(const_bytes message, mutable_bytes to) noexcept {
        return is_agreed_ ? out_.deflate(message, to) : 0;
    }
    /// A frame for many connections is compressed once for all windows of 15 bits, and once for all others.
    [[nodiscard]] std::size_t shared_form() const noexcept { return out_.shared_form(); }
    /// Such a frame's message, and the notice that it leaves next. Error: out_of_memory. See message_deflater.
    [[nodiscard]] result<std::size_t> deflate_alone(const_bytes message, mutable_bytes to) noexcept {
        return out_.deflate_alone(message, to);
    }
    void note_sent(const_bytes message) noexcept { out_.note_sent(message); }
    /// What deflate() made last was not sent.
    void forget() noexcept { out_.trim(); }

    // ---- its memory

    /// Gives back what an idle connection holds, but for what the peer may still refer to: at most the window that was agreed on. Between
    /// messages, in a thread that is the reading and the writing one (a loop); where they are two, each trims its own: receiving(),
    /// sending().
    void trim() noexcept {
        out_.trim();
        in_.trim();
    }
    /// Bytes that it holds from the heap, in the same thread: nothing before the first compressed message; deflate_options says how
    /// much at most.
    [[nodiscard]] std::size_t memory() const noexcept { return out_.memory() + in_.memory(); }

    /// The two halves, which live as long as this object: the writing thread's and the reading thread's.
    [[nodiscard]] message_deflater<Compressor>& sending() noexcept { return out_; }
    [[nodiscard]] const message_deflater<Compressor>& sending() const noexcept { return out_; }
    [[nodiscard]] message_inflater<Decompressor>& receiving() noexcept { return in_; }

private:
    deflate_options options_;
    message_deflater<Compressor> out_;
    message_inflater<Decompressor> in_;
    deflate_direction how_in_;
    bool is_agreed_ = false;
};

} // namespace wsolo::inline WSOLO_ABI
