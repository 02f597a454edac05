// SPDX-License-Identifier: MIT
#pragma once
// Holds a writer's schedule hook back for a scope, so that what a lone sender sends in it leaves in one system call.
//
// Laws of this file:
// - The sends of all threads are accepted meanwhile, and wait, if the writer was idle: they leave when the last cork goes.
// - It holds back the hook, nothing else: a thread that pumps, and a write that waits for the transport, go on.
// - A flush, a close, an abort, a gate that opens, and a sender that waits for room call the hook all the same.

#include "detail/outbox.hpp"

#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// Made by single_writer::corked(). Move-only; the writer must outlive it. Beyond 255 at a time a cork holds nothing back.
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
