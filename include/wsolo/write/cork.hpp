// SPDX-License-Identifier: MIT
#pragma once
// Holds a writer's schedule hook back for a scope, so that what one thread sends in the scope leaves in one system call.
//
// Laws of this file:
// - Sends of all threads are accepted meanwhile. If the writer was idle they wait, and leave when the last cork is destroyed.
// - A cork holds back only the hook: a thread that pumps, and a write that waits for the transport, go on.
// - A flush, a close, an abort, a gate that opens, and a sender that waits for room call the hook all the same.

#include "detail/outbox.hpp"

#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// Made by single_writer::corked(). Move-only, one thread at a time; the writer must outlive it. A writer counts 255 corks at a time; further ones
/// hold nothing back.
template <class Writer>
class [[nodiscard]] cork {
public:
    explicit cork(Writer& writer) noexcept : writer_(writer.drive_.box.cork() ? &writer : nullptr) {}
    cork(cork&& other) noexcept : writer_(std::exchange(other.writer_, nullptr)) {}
    cork& operator=(cork&&) = delete;
    ~cork() {
        if (writer_ != nullptr) writer_->drive_.rouse(writer_->drive_.box.uncork());
    }

private:
    Writer* writer_;
};

} // namespace wsolo::inline WSOLO_ABI
