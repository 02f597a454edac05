#pragma once
// Holds a writer's schedule hook back for a scope, so that what a lone sender sends in it leaves in one
// system call.
//
// Laws of this file:
// - Everybody's sends are accepted meanwhile as ever; they leave when the last cork has gone.
// - A writer that is busy already is not slowed: its pump takes what is there.

#include <utility>

#include "../core/config.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Made by single_writer::corked(). Move-only; the writer must outlive it. Up to 255 corks at a time.
template <class Writer>
class [[nodiscard]] cork {
public:
    explicit cork(Writer& writer) noexcept : writer_(&writer) { writer.box_.cork(); }
    cork(cork&& other) noexcept : writer_(std::exchange(other.writer_, nullptr)) {}
    cork& operator=(cork&&) = delete;
    ~cork() {
        if (writer_ != nullptr && writer_->box_.uncork()) writer_->schedule();
    }

private:
    Writer* writer_;
};

} // namespace wsolo::inline WSOLO_ABI
