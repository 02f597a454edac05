// Would catch: a back end that a deflater asks for more than it promises: one that has little room, takes little at a time, or
// holds much back; and one that is asked to compress where nothing is to be compressed.

#include <support/catch.hpp>
#include <support/deflate.hpp>

#include <wsolo/deflate/backend.hpp>

#include <utility>

using wsolo::codec_status;
using wsolo::codec_step;
using wsolo::const_bytes;
using wsolo::mutable_bytes;

namespace {

/// Stored blocks (RFC 1951 §3.2.4) of up to 7 bytes, made of whatever room there is: the dullest compressor there can be.
class storing {
public:
    bool open(const wsolo::compressor_settings&) noexcept { return is_open_ = true; }
    void reset() noexcept { pending_.clear(); }
    void set_dictionary(const_bytes) noexcept {}
    codec_step compress(const_bytes from, mutable_bytes to) noexcept {
        codec_step step;
        for (;;) {
            while (!pending_.empty() && step.made < to.size()) {
                to[step.made++] = pending_.front();
                pending_.erase(pending_.begin());
            }
            const bool is_flushed = step.taken == from.size() && is_flushed_;
            if (!pending_.empty() || (step.made == to.size() && !is_flushed)) {
                step.status = codec_status::more;
                return step;
            }
            if (is_flushed) {
                is_flushed_ = false;
                return step;
            }
            const const_bytes part =
                from.subspan(step.taken, std::min<std::size_t>(7, from.size() - step.taken));
            step.taken += part.size();
            is_flushed_ = part.empty();
            const auto size = static_cast<std::byte>(part.size());
            pending_ = {std::byte{0}, size, std::byte{0}, ~size, std::byte{0xff}};
            pending_.insert(pending_.end(), part.begin(), part.end());
        }
    }
    void close() noexcept { is_open_ = false; }
    bool is_open() const noexcept { return is_open_; }
    std::size_t memory() const noexcept { return is_open_ ? 1 : 0; }

private:
    std::vector<std::byte> pending_;
    bool is_open_ = false;
    bool is_flushed_ = false;
};
static_assert(wsolo::compressor<storing>);

/// zlib with 16 bytes of room at a time.
class narrow : public wsolo::adapt::zlib::compressor {
public:
    codec_step compress(const_bytes from, mutable_bytes to) noexcept {
        return compressor::compress(from, to.first(std::min<std::size_t>(to.size(), 16)));
    }
};
static_assert(wsolo::compressor<narrow>);

/// Counts what it is asked for.
struct counting : storing {
    static inline int compressed = 0;
    codec_step compress(const_bytes from, mutable_bytes to) noexcept {
        ++compressed;
        return storing::compress(from, to);
    }
};

struct without_flush : storing {
    void compress(const_bytes, mutable_bytes) noexcept {}
};
struct may_throw : storing {
    codec_step compress(const_bytes from, mutable_bytes to) { return storing::compress(from, to); }
};
static_assert(!wsolo::compressor<without_flush>);
static_assert(!wsolo::compressor<may_throw>);
static_assert(!wsolo::decompressor<storing>);
static_assert(wsolo::decompressor<wsolo::adapt::zlib::decompressor>);

} // namespace

TEST_CASE("any back end of the concept will do", "[deflate][backend]") {
    wsolo::message_deflater<narrow> out({15, true}, {.mode = wsolo::deflate_mode::own_stream, .min_size = 0});
    wsolo::message_deflater<storing> stores({15, true},
                                            {.mode = wsolo::deflate_mode::own_stream, .min_size = 0});
    wsolo::message_deflater<storing> never({15, false},
                                           {.mode = wsolo::deflate_mode::no_takeover, .min_size = 0});
    support::plain_inflater peer, other;
    for (const std::size_t size : std::initializer_list<std::size_t>{100, 125, 126, 1000, 65535, 65536}) {
        wsolo::byte_buffer to;
        const std::string text = support::compressible(size, size);
        REQUIRE(out.deflate(wsolo::bytes_of(text), to));
        CHECK(peer.message(support::text_of(to)) == text);
        CHECK_FALSE(never.deflate(wsolo::bytes_of(text), to)); // it only grows
        to.truncate(0);
        // A stream of one's own takes 5 bytes more for each 7, as long as that is not much.
        const bool is_little = size <= 126;
        REQUIRE(stores.deflate(wsolo::bytes_of(text), to) == is_little);
        if (is_little) CHECK(other.message(support::text_of(to)) == text);
    }
    CHECK(stores.memory() == 1);
}

TEST_CASE("nothing is compressed that is sent as it is", "[deflate][backend]") {
    counting::compressed = 0;
    wsolo::message_deflater<counting> out({15, true},
                                          {.mode = wsolo::deflate_mode::own_stream, .min_size = 100});
    wsolo::byte_buffer to;
    CHECK_FALSE(out.deflate({}, to));
    CHECK_FALSE(out.deflate(wsolo::bytes_of(support::chat(1).substr(0, 99)), to));
    wsolo::message_deflater<counting> tiny({8, true},
                                           {.mode = wsolo::deflate_mode::own_stream, .min_size = 0});
    CHECK_FALSE(tiny.deflate(wsolo::bytes_of(support::chat(1)), to)); // no compressor has a window of 8 bits
    CHECK(counting::compressed == 0);
    CHECK(out.memory() + tiny.memory() == 0);
    CHECK(out.deflate(wsolo::bytes_of(support::chat(1).substr(0, 100)), to));
    CHECK(counting::compressed > 0);
}
