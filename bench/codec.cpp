// ns per frame: encoding, masking, decoding and UTF-8, each beside a memcpy of the same bytes
//
// Cases encode_server, encode_client (key included), mask_in_place, decode_binary, decode_text (ASCII),
// decode_text_mixed (German, Russian, Chinese, an emoji), utf8_ascii, utf8_mixed (the same). Impls memcpy,
// wsolo, and those of wslay, beast, websocketpp and (with --uws) uWebSockets whose headers were found; a codec without a function for a
// case has no row there. The decode rows include the copies that reads from a socket would have made, 64 KiB at most each,
// and so does their memcpy row.

#include "support/codec_wsolo.hpp"
#ifdef WSOLO_BENCH_WSLAY
#include "support/codec_wslay.hpp"
#endif
#ifdef WSOLO_BENCH_BEAST
#include "support/codec_beast.hpp"
#endif
#ifdef WSOLO_BENCH_WEBSOCKETPP
#include "support/codec_websocketpp.hpp"
#endif
#ifdef WSOLO_BENCH_UWS
#include "support/codec_uws.hpp"
#endif
#include "support/placement.hpp"
#include "support/suite.hpp"
#include "support/timing.hpp"

#include <memory>

namespace {

using bench::contender;
using bench::keep;
using bench::nanoseconds_per_call;
using bench::places;
using std::chrono::nanoseconds;

const std::vector<std::size_t> sizes{16, 125, 1024, 16 * 1024, 64 * 1024, 1024 * 1024};

/// Calls `visit` with one object of each codec that is here.
template <class Visit>
void for_each_codec(Visit visit) {
    visit(bench::wsolo_codec{});
#ifdef WSOLO_BENCH_WSLAY
    visit(bench::wslay_codec{});
#endif
#ifdef WSOLO_BENCH_BEAST
    visit(bench::beast_codec{});
#endif
#ifdef WSOLO_BENCH_WEBSOCKETPP
    visit(bench::websocketpp_codec{});
#endif
#ifdef WSOLO_BENCH_UWS
    visit(bench::uws_codec{});
#endif
}

template <class Codec>
concept masks_in_place =
    requires(wsolo::mutable_bytes bytes, wsolo::masking_key key) { Codec::mask_in_place(bytes, key); };
template <class Codec>
concept validates_utf8 = requires(const std::string& text) { Codec::is_valid_utf8(text); };

class codec {
public:
    explicit codec(bench::suite& suite)
        : suite_(suite), at_least_(suite.quick() ? nanoseconds(1000) : std::chrono::milliseconds(5)) {}

    void run() {
        for (const std::size_t size : sizes) {
            encode<wsolo::role::server>("encode_server", size);
            encode<wsolo::role::client>("encode_client", size);
            mask(size);
        }
        for (const std::size_t size : sizes) {
            decode("decode_binary", wsolo::opcode::binary, std::string(size, 't'));
            decode("decode_text", wsolo::opcode::text, std::string(size, 't'));
            decode("decode_text_mixed", wsolo::opcode::text, text_of(size, mixed));
        }
        constexpr std::size_t utf8_size = 64 * 1024;
        utf8("utf8_ascii", text_of(utf8_size, "The quick brown fox jumps over the lazy dog. "));
        utf8("utf8_mixed", text_of(utf8_size, mixed));
    }

private:
    static constexpr std::string_view mixed =
        "Gr\xc3\xbc\xc3\x9f Gott, \xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, "
        "\xe4\xbd\xa0\xe5\xa5\xbd, "
        "\xf0\x9f\x91\x8b ";

    /// `phrase` over and over, with dots for a code point that the size would cut.
    static std::string text_of(std::size_t size, std::string_view phrase) {
        std::string text;
        while (text.size() <= size) text += phrase;
        std::size_t end = size;
        while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
        text.resize(end);
        text.resize(size, '.');
        return text;
    }

    template <class Work>
    contender timed(std::string impl, Work work, double per_call = 1) {
        return {std::move(impl), [work, per_call, this]() mutable {
                    return nanoseconds_per_call(work, at_least_) / per_call;
                }};
    }

    contender copying(std::size_t size) {
        auto from = std::make_shared<places>(size, 1);
        auto to = std::make_shared<places>(size, 2);
        return timed("memcpy", [=] {
            std::byte* at = to->next();
            std::memcpy(at, from->next(), size);
            keep(at);
        });
    }

    template <wsolo::role Role>
    void encode(const std::string& name, std::size_t size) {
        if (!suite_.wants(name)) return;
        std::vector<contender> all{copying(size)};
        for_each_codec([&]<class Codec>(Codec) {
            auto from = std::make_shared<places>(size, 3);
            auto to = std::make_shared<places>(size + wsolo::max_header_size, 4);
            auto encoder = std::make_shared<typename Codec::template encoder<Role>>();
            const auto work = [=] {
                std::byte* at = to->next();
                const std::size_t made = encoder->encode(at, wsolo::const_bytes(from->next(), size));
                if (made != wsolo::encoded_size<Role>(size)) std::abort();
                keep(at);
            };
            all.push_back(timed(Codec::name, work));
        });
        suite_.compare(name, size, 1, "ns", all);
    }

    void mask(std::size_t size) {
        if (!suite_.wants("mask_in_place")) return;
        const wsolo::masking_key key{{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};
        std::vector<contender> all{copying(size)};
        for_each_codec([&]<class Codec>(Codec) {
            if constexpr (masks_in_place<Codec>) {
                auto at = std::make_shared<places>(size, 5);
                all.push_back(timed(Codec::name, [=] {
                    const wsolo::mutable_bytes payload(at->next(), size);
                    Codec::mask_in_place(payload, key);
                    keep(payload.data());
                }));
            }
        });
        suite_.compare("mask_in_place", size, 1, "ns", all);
    }

    /// Client frames of one payload size, as many as one read holds, but at least one.
    static std::string stream(wsolo::opcode op, const std::string& payload, std::size_t& frames) {
        wsolo::random_keys keys;
        std::string wire;
        for (frames = 0; frames == 0 || wire.size() + payload.size() + 14 <= bench::read_size; ++frames) {
            static_cast<void>(
                wsolo::append_frame<wsolo::role::client>(wire, op, wsolo::bytes_of(payload), keys));
        }
        return wire;
    }

    void decode(const std::string& name, wsolo::opcode op, const std::string& payload) {
        if (!suite_.wants(name)) return;
        const std::size_t size = payload.size();
        std::size_t frames = 0;
        auto wire = std::make_shared<std::string>(stream(op, payload, frames));
        const auto per_frame = static_cast<double>(frames);
        auto read =
            std::make_shared<places>(std::min(wire->size(), bench::read_size) + 2 * bench::read_padding, 6);
        const auto copy = [=] {
            bench::read_all(*wire, read->next(), [](wsolo::mutable_bytes bytes) { keep(bytes.data()); });
        };
        std::vector<contender> all{timed("memcpy", copy, per_frame)};
        for_each_codec([&]<class Codec>(Codec) {
            auto decoder = std::make_shared<typename Codec::decoder>();
            const auto decode_all = [=] {
                if (decoder->decode(*wire, read->next(), frames) != frames * size) std::abort();
            };
            all.push_back(timed(Codec::name, decode_all, per_frame));
        });
        suite_.compare(name, size, 1, "ns", all);
    }

    void utf8(const std::string& name, const std::string& payload) {
        if (!suite_.wants(name)) return;
        const auto text = std::make_shared<std::string>(payload);
        std::vector<contender> all{copying(text->size())};
        for_each_codec([&]<class Codec>(Codec) {
            if constexpr (validates_utf8<Codec>) {
                all.push_back(timed(Codec::name, [=] {
                    if (!Codec::is_valid_utf8(*text)) std::abort();
                }));
            }
        });
        suite_.compare(name, text->size(), 1, "ns", all);
    }

    bench::suite& suite_;
    nanoseconds at_least_;
};

} // namespace

int main(int argc, char** argv) {
    bench::suite suite(argc, argv);
    codec(suite).run();
    return suite.finish();
}
