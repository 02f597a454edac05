// Written by tools/amalgamate.py from include/wsolo/deflate/backend.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// What permessage-deflate needs of a library that compresses: two concepts, each with its state held on demand.
//
// Laws of this file:
// - The format is raw DEFLATE (RFC 1951). Every compress() that says `done` ends on a byte boundary, with the empty block
//   whose last four bytes are 00 00 FF FF (RFC 7692 §7.2.1).
// - A back end that was only made, or closed, holds no memory. No memory is an answer, never an exception.
// - One thread at a time uses an object. They are movable, also while they are open.

#include "../wsolo.hpp"

#include <concepts>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// How hard a compressor tries, and how much memory it may hold.
struct compressor_settings {
    /// It refers to what lies at most 2^window_bits bytes back: 9 to 15.
    std::uint8_t window_bits = 15;
    /// 1 is fast, 9 is small.
    std::uint8_t level = 6;
    /// 1 is little memory, 9 is fast: zlib's memLevel.
    std::uint8_t memory_level = 8;
    friend bool operator==(const compressor_settings&, const compressor_settings&) = default;
};

/// done: all was taken, nothing is held back. more: `to` is full, call again with the rest. last_block: a decompressor has
/// read a block with BFINAL set to its end (RFC 1951 §3.2.3), and takes nothing more until it is restarted.
enum class codec_status : std::uint8_t { done, more, last_block, invalid, out_of_memory };

/// What one call did.
struct codec_step {
    std::size_t taken = 0; ///< of the input, from its front
    std::size_t made = 0;  ///< at the front of the output
    /// Why it returned.
    codec_status status = codec_status::done;
    /// Of a decompressor that took or made something: what it took ends a block on a byte boundary.
    bool is_between_blocks = false;
};

/// - `open(settings)`: makes it ready, with nothing remembered. False without memory, and for settings it can't have.
/// - `reset()`: forgets what was compressed, keeps the memory. Precondition of this and the next two: open.
/// - `set_dictionary(text)`: right after open() or reset(); refers to `text` as if it had just compressed it.
/// - `compress(from, to)`: compresses all of `from`, and flushes. Called with 16 bytes of room it makes progress.
/// - `close()`: gives everything back. `memory()`: bytes that it holds.
template <class T>
concept compressor =
    std::movable<T> && std::default_initializable<T> &&
    requires(T& one, const T& seen, const compressor_settings& settings, const_bytes from, mutable_bytes to) {
        { one.open(settings) } noexcept -> std::same_as<bool>;
        { one.reset() } noexcept -> std::same_as<void>;
        { one.set_dictionary(from) } noexcept -> std::same_as<void>;
        { one.compress(from, to) } noexcept -> std::same_as<codec_step>;
        { one.close() } noexcept -> std::same_as<void>;
        { seen.is_open() } noexcept -> std::same_as<bool>;
        { seen.memory() } noexcept -> std::same_as<std::size_t>;
    };

/// - `open(window_bits)`: ready for a stream whose sender refers at most 2^window_bits bytes back: 8 to 15.
/// - `restart()`: after last_block: the next block follows, and may refer to what came before.
/// - `set_dictionary(text)`: right after open(): what came before, its end at least.
/// - `dictionary(to)`: copies the end of what came before into `to`, which has 2^window_bits bytes; returns how many.
/// - `decompress(from, to)`: what `from` gives, as far as `to` has room. `to` is not empty.
/// - `close()`, `is_open()`, `memory()`: as a compressor's.
template <class T>
concept decompressor = std::movable<T> && std::default_initializable<T> &&
                       requires(T& one, const T& seen, int window_bits, const_bytes from, mutable_bytes to) {
                           { one.open(window_bits) } noexcept -> std::same_as<bool>;
                           { one.restart() } noexcept -> std::same_as<void>;
                           { one.set_dictionary(from) } noexcept -> std::same_as<void>;
                           { one.dictionary(to) } noexcept -> std::same_as<std::size_t>;
                           { one.decompress(from, to) } noexcept -> std::same_as<codec_step>;
                           { one.close() } noexcept -> std::same_as<void>;
                           { seen.is_open() } noexcept -> std::same_as<bool>;
                           { seen.memory() } noexcept -> std::same_as<std::size_t>;
                       };

} // namespace wsolo::inline WSOLO_ABI
