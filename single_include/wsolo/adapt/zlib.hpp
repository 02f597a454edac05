// Written by tools/amalgamate.py from include/wsolo/adapt/zlib.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// zlib as the back end of permessage-deflate. zlib-ng's compatible build takes its place without a change.
// Needs: zlib.h (1.2.9 or later), and to be linked with zlib (-lz).
//
// Laws of this file:
// - zlib's state lies in one block of ours with its counter: a z_stream may not move, these objects may.
// - No answer of zlib is ignored: memory that it can't get is out_of_memory, data that it can't read is invalid.
// - A reference beyond the agreed window is refused where it reaches beyond the window and what one call has made; zlib reads
//   others, harmlessly. One beyond the beginning of the stream is always refused.

#include "../deflate/permessage_deflate.hpp"

#if !__has_include(<zlib.h>)
#error "wsolo: adapt/zlib.hpp needs zlib's header (zlib.h); install zlib1g-dev, or zlib, first"
#endif

#include <cstdlib>
#include <new>
#include <utility>
#include <zlib.h>

namespace wsolo::inline WSOLO_ABI::adapt::zlib {

namespace detail {

/// zlib's state and the count of its memory.
struct counted_stream {
    z_stream zlib{};
    std::size_t held = sizeof(counted_stream);

    /// Before each of zlib's blocks: how large it is.
    union prefix {
        std::size_t size;
        std::max_align_t aligned;
    };

    [[nodiscard]] static counted_stream* make() noexcept {
        auto* const made = new (std::nothrow) counted_stream;
        if (made == nullptr) return nullptr;
        made->zlib.zalloc = &counted_stream::allocate;
        made->zlib.zfree = &counted_stream::release;
        made->zlib.opaque = made;
        return made;
    }
    /// `size`, limited to what zlib's own count holds: the caller goes on with the rest.
    [[nodiscard]] static uInt bounded(std::size_t size) noexcept {
        constexpr std::size_t most = std::size_t{1} << 30;
        return static_cast<uInt>(size < most ? size : most);
    }
    void set(const_bytes from, mutable_bytes to) noexcept {
        // zlib does not write there, but says so only where ZLIB_CONST is defined.
        zlib.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(from.data()));
        zlib.avail_in = bounded(from.size());
        zlib.next_out = reinterpret_cast<Bytef*>(to.data());
        zlib.avail_out = bounded(to.size());
    }
    [[nodiscard]] codec_step step(const_bytes from, mutable_bytes to, codec_status status) const noexcept {
        return {static_cast<std::size_t>(reinterpret_cast<const std::byte*>(zlib.next_in) - from.data()),
                static_cast<std::size_t>(reinterpret_cast<const std::byte*>(zlib.next_out) - to.data()),
                status};
    }

private:
    static voidpf allocate(voidpf counter, uInt items, uInt size) noexcept {
        const std::size_t wanted = std::size_t{items} * size + sizeof(prefix);
        auto* const made = static_cast<prefix*>(std::malloc(wanted));
        if (made == nullptr) return nullptr;
        made->size = wanted;
        static_cast<counted_stream*>(counter)->held += wanted;
        return made + 1;
    }
    static void release(voidpf counter, voidpf block) noexcept {
        prefix* const made = static_cast<prefix*>(block) - 1;
        static_cast<counted_stream*>(counter)->held -= made->size;
        std::free(made);
    }
};

/// Owns a counted_stream, which `End` takes out of zlib's hands.
template <int (*End)(z_streamp)>
class owned_stream {
public:
    owned_stream() = default;
    owned_stream(owned_stream&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    owned_stream& operator=(owned_stream&& other) noexcept {
        if (this != &other) {
            close();
            of_ = std::exchange(other.of_, nullptr);
        }
        return *this;
    }
    ~owned_stream() { close(); }

    void close() noexcept {
        if (of_ == nullptr) return;
        End(&of_->zlib);
        delete std::exchange(of_, nullptr);
    }
    [[nodiscard]] bool is_open() const noexcept { return of_ != nullptr; }
    [[nodiscard]] std::size_t memory() const noexcept { return of_ == nullptr ? 0 : of_->held; }

protected:
    /// `start` says what zlib answered.
    template <class Start>
    [[nodiscard]] bool open_by(Start start) noexcept {
        close();
        of_ = counted_stream::make();
        if (of_ == nullptr) return false;
        if (start(&of_->zlib) == Z_OK) return true;
        delete std::exchange(of_, nullptr); // zlib has nothing where it could not begin
        return false;
    }
    [[nodiscard]] counted_stream& of() noexcept {
        WSOLO_ASSERT(of_ != nullptr, "a compressor or decompressor is used before open()");
        return *of_;
    }

private:
    counted_stream* of_ = nullptr;
};

} // namespace detail

/// A compressor (deflate/backend.hpp has its functions): owns zlib's state while it is open. Movable; one thread at a time.
class compressor : public detail::owned_stream<&::deflateEnd> {
public:
    [[nodiscard]] bool open(const compressor_settings& settings) noexcept {
        return open_by([&](z_streamp to) {
            return deflateInit2(to, settings.level, Z_DEFLATED, -int{settings.window_bits},
                                settings.memory_level, Z_DEFAULT_STRATEGY);
        });
    }
    void reset() noexcept { ::deflateReset(&of().zlib); }
    void set_dictionary(const_bytes text) noexcept {
        ::deflateSetDictionary(&of().zlib, reinterpret_cast<const Bytef*>(text.data()),
                               detail::counted_stream::bounded(text.size()));
    }
    [[nodiscard]] codec_step compress(const_bytes from, mutable_bytes to) noexcept {
        detail::counted_stream& state = of();
        state.set(from, to);
        const bool has_all = state.zlib.avail_in == from.size();
        const int answer = ::deflate(&state.zlib, has_all ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        // Room that is left says that the flush is complete.
        const bool is_done = has_all && state.zlib.avail_in == 0 && state.zlib.avail_out != 0;
        if (answer != Z_OK && answer != Z_BUF_ERROR) return state.step(from, to, codec_status::invalid);
        return state.step(from, to, is_done ? codec_status::done : codec_status::more);
    }
};

/// A decompressor (deflate/backend.hpp has its functions): owns zlib's state while it is open. Movable; one thread at a time.
class decompressor : public detail::owned_stream<&::inflateEnd> {
public:
    [[nodiscard]] bool open(int window_bits) noexcept {
        return open_by([&](z_streamp to) { return inflateInit2(to, -window_bits); });
    }
    /// Not inflateReset(), which would forget the window.
    void restart() noexcept { ::inflateResetKeep(&of().zlib); }
    void set_dictionary(const_bytes text) noexcept {
        ::inflateSetDictionary(&of().zlib, reinterpret_cast<const Bytef*>(text.data()),
                               detail::counted_stream::bounded(text.size()));
    }
    [[nodiscard]] std::size_t dictionary(mutable_bytes to) noexcept {
        uInt size = 0;
        const int answer = ::inflateGetDictionary(&of().zlib, reinterpret_cast<Bytef*>(to.data()), &size);
        return answer == Z_OK ? size : 0;
    }
    [[nodiscard]] codec_step decompress(const_bytes from, mutable_bytes to) noexcept {
        detail::counted_stream& state = of();
        state.set(from, to);
        const int answer = ::inflate(&state.zlib, Z_SYNC_FLUSH);
        codec_step done = state.step(from, to, status_of(answer));
        // data_type: the bits of the last byte that were not used, 64 in the last block, 128 right after a block.
        done.is_between_blocks = state.zlib.data_type == 128;
        return done;
    }

private:
    [[nodiscard]] static codec_status status_of(int answer) noexcept {
        switch (answer) {
        case Z_OK: return codec_status::done;
        case Z_BUF_ERROR: return codec_status::done; // no progress: there is nothing to read, or no room
        case Z_STREAM_END: return codec_status::last_block;
        case Z_MEM_ERROR: return codec_status::out_of_memory;
        default: return codec_status::invalid;
        }
    }
};

static_assert(wsolo::compressor<compressor> && wsolo::decompressor<decompressor>);

/// What a handler has as its member `compression`.
using permessage_deflate = basic_permessage_deflate<compressor, decompressor>;

} // namespace wsolo::inline WSOLO_ABI::adapt::zlib
