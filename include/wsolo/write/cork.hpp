#pragma once
// Holds a writer's schedule hook back for a scope, so that what a lone sender sends in it leaves in one
// system call.
//
// Laws of this file:
// - Everybody's sends are accepted meanwhile, and wait, if the writer was idle: what they find leaves when the
//   last cork has gone.
// - It holds back the hook, nothing else: whoever is pumping, and whatever waits for the transport, goes on and
//   takes what is there.
// - A flush, an abort, and a sender who waits for room call the hook all the same: a thread may wait under
//   its own cork.

#include <utility>

#include "../core/config.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Made by single_writer::corked(). Move-only; the writer must outlive it. Beyond 255 at a time a cork holds
/// nothing back.
template <class Writer>
class [[nodiscard]] cork {
public:
    explicit cork(Writer& writer) noexcept : writer_(writer.box_.cork() ? &writer : nullptr) {}
    cork(cork&& other) noexcept : writer_(std::exchange(other.writer_, nullptr)) {}
    cork& operator=(cork&&) = delete;
    ~cork() {
        if (writer_ != nullptr && writer_->box_.uncork()) writer_->schedule();
    }

private:
    Writer* writer_;
};

} // namespace wsolo::inline WSOLO_ABI
