#pragma once
// Compression in the histories: what compresses the subject's messages, and what reads them.
//
// Laws of this file:
// - The reader is zlib, used plainly: it knows nothing of the library, and diverges where the wire and the window do.
// - Without zlib no history compresses.

#include "heap_meter.hpp"
#include "seeded.hpp"
#include "subject.hpp"

#include <wsolo/write/encoder.hpp>

#include <functional>
#include <memory>

#if WSOLO_TEST_ZLIB
#include <support/deflate.hpp>
#endif

namespace histories {

/// One sender's way.
inline compressing draw_way(seeded& draw) {
    compressing how;
    how.mode = draw.one_of({compressing::shared, compressing::shared, compressing::own, compressing::alone});
    how.window_bits = draw.one_of<std::uint8_t>({9, 10, 12, 15});
    how.kept_window = draw.one_of<std::uint32_t>({0, 100, 2048, 40'000});
    how.min_size = draw.one_of<std::uint32_t>({0, 20, 256});
    how.memory_level = draw.one_of<std::uint8_t>({1, 8});
    return how;
}

/// From a stream of its own: the histories without it stay as they were.
inline compressing draw_compression(std::uint64_t seed) {
    seeded draw(seed, 3);
    if (!WSOLO_TEST_ZLIB || draw.chance(50)) return {};
    return draw_way(draw);
}

/// Inflates the payload of each compressed frame, in the order of the wire.
using inflating = std::function<std::string(std::string_view)>;

#if WSOLO_TEST_ZLIB

inline inflating make_reader(const compressing& how) {
    if (how.mode == compressing::none) return {};
    auto zlib = std::make_shared<support::plain_inflater>(how.window_bits);
    return [zlib, resets = how.mode == compressing::alone](std::string_view payload) {
        if (resets) zlib->reset();
        return zlib->message(payload);
    };
}

using permessage_deflate = wsolo::adapt::zlib::permessage_deflate;

/// The calling thread's compressors.
inline void release_thread_compressors() noexcept {
    wsolo::this_thread_compressors<wsolo::adapt::zlib::compressor>().release();
}
inline std::size_t thread_compressors_memory() noexcept {
    return wsolo::this_thread_compressors<wsolo::adapt::zlib::compressor>().memory();
}

inline wsolo::deflate_options options_of(const compressing& how) {
    wsolo::deflate_options options;
    options.mode = how.mode == compressing::own     ? wsolo::deflate_mode::own_stream
                   : how.mode == compressing::alone ? wsolo::deflate_mode::no_takeover
                                                    : wsolo::deflate_mode::shared_compressor;
    options.kept_window = how.kept_window;
    options.memory_level = how.memory_level;
    options.min_size = how.min_size;
    return options;
}

/// Of one side.
inline permessage_deflate compression_of(const agreement& agreed, wsolo::role self) {
    const auto direction = [](const compressing& by) {
        return wsolo::deflate_direction{by.window_bits, by.mode != compressing::alone};
    };
    const bool is_server = self == wsolo::role::server;
    permessage_deflate made(options_of(agreed.mine));
    made.agree(self, {.from_server = direction(is_server ? agreed.mine : agreed.peers),
                      .from_client = direction(is_server ? agreed.peers : agreed.mine)});
    return made;
}

/// What a writer's messages are compressed by. It outlives the writer.
class compression {
public:
    compression(const making& how, surroundings& around)
        : around_(&around), deflate_(options_of(how.compression)) {
        release_thread(); // what a thread's own object costs at its first use is not the writer's
        if (how.compression.mode == compressing::none) return;
        const wsolo::deflate_direction each{how.compression.window_bits,
                                            how.compression.mode != compressing::alone};
        deflate_.agree(how.client ? wsolo::role::client : wsolo::role::server, {each, each});
    }
    [[nodiscard]] permessage_deflate& deflate() noexcept { return deflate_; }
    [[nodiscard]] surroundings& around() noexcept { return *around_; }
    /// Bytes that it holds, and the calling thread's compressors.
    [[nodiscard]] std::size_t memory() const noexcept {
        return deflate_.memory() + thread_compressors_memory();
    }
    static void release_thread() noexcept { release_thread_compressors(); }

private:
    surroundings* around_;
    permessage_deflate deflate_;
};

struct history_encoder {
    static constexpr bool encodes = true;
    compression* by = nullptr;

    [[nodiscard]] bool wants(std::size_t size) const noexcept { return by->deflate().wants(size); }
    [[nodiscard]] std::size_t deflate(wsolo::const_bytes message, wsolo::mutable_bytes to) noexcept {
        const std::size_t size = by->deflate().deflate(message, to);
        const heap::outside out;
        by->around().on_encoded();
        return size;
    }
    [[nodiscard]] std::size_t shared_form() const noexcept { return by->deflate().shared_form(); }
    [[nodiscard]] wsolo::result<std::size_t> deflate_alone(wsolo::const_bytes message,
                                                           wsolo::mutable_bytes to) noexcept {
        return by->deflate().deflate_alone(message, to);
    }
    void note_sent(wsolo::const_bytes message) noexcept { by->deflate().note_sent(message); }
    void forget() noexcept { by->deflate().forget(); }
};

#else

inline inflating make_reader(const compressing&) { return {}; }
inline void release_thread_compressors() noexcept {}
inline std::size_t thread_compressors_memory() noexcept { return 0; }

struct compression {
    compression(const making&, surroundings&) {}
    [[nodiscard]] static std::size_t memory() noexcept { return 0; }
    static void release_thread() noexcept {}
};
struct history_encoder : wsolo::never_encoded {
    compression* by = nullptr;
};

#endif

} // namespace histories
