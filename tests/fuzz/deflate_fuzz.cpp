// libFuzzer entry for deflate/: negotiation and round trip. Input: two bytes of options, a byte of how long an offer is, the offer
// and, after it, messages: a byte of kind, a byte of size (times 8), the text.
//
// Oracles: what a server answers to any offer, a client that made a like offer can be told: it has one element, legal and within
// the offer; a client never crashes over an answer. Whatever is sent compressed, by the terms of the answer, inflates to what it
// was, after any history.

#include "fuzz.hpp"

#include <wsolo/adapt/zlib.hpp>

using fuzz::require;
using wsolo::errc;
using wsolo::extension_list;
using deflater = wsolo::message_deflater<wsolo::adapt::zlib::compressor>;
using inflater = wsolo::message_inflater<wsolo::adapt::zlib::decompressor>;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::source input(data, size);
    const std::uint8_t one = input.byte(), two = input.byte();
    wsolo::deflate_options options;
    options.mode = static_cast<wsolo::deflate_mode>(one % 3);
    options.send_window_bits = static_cast<std::uint8_t>(9 + (one >> 2) % 7);
    options.receive_takeover = (one & 64U) != 0;
    options.offer_client_window_bits = (one & 128U) != 0;
    options.receive_window_bits = static_cast<std::uint8_t>(8 + two % 8);
    options.kept_window = two * 16U;
    options.min_size = two % 3 * 20U;
    options.memory_level = 1; // the least to set up
    const std::string field(wsolo::text_of(input.bytes(input.byte())));
    const extension_list offers{wsolo::element_list(field)};
    wsolo::deflate_terms terms;
    if (const auto answer = wsolo::choose_deflate(offers, options)) {
        terms = answer->terms;
        const extension_list said{wsolo::element_list(answer->text.view())};
        const auto judged = wsolo::judge_deflate_answer(said, {});
        const bool is_whole = judged && *judged;
        require(is_whole && **judged == terms, "an answer does not say what was agreed on");
        require(terms.from_server.window_bits <= options.send_window_bits,
                "a wider window than this side has");
    }
    static_cast<void>(wsolo::judge_deflate_answer(offers, options));

    deflater out(terms.from_server, options);
    inflater in(terms.from_server, 0);
    for (int count = 0; count < 50 && !input.rest().empty(); ++count) {
        const std::uint8_t kind = input.byte();
        const std::string part(wsolo::text_of(input.bytes(input.byte() * 8U)));
        std::string text = part;
        for (unsigned i = 0; i < kind % 8U; ++i) text += part; // something to refer to
        if (kind == 255) out.trim();
        if (kind == 254) in.trim();
        wsolo::byte_buffer made, back;
        if (!out.deflate(wsolo::bytes_of(text), made)) {
            require(made.empty(), "what is not compressed left something behind");
            continue;
        }
        const errc error = in.append(std::as_const(made).view(), true, false, back);
        require(error == errc::none, "what was deflated can't be inflated");
        require(wsolo::text_of(std::as_const(back).view()) == text, "it inflates to something else");
    }
    return 0;
}
