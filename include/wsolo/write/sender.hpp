// SPDX-License-Identifier: MIT
#pragma once
// A handle to any writer under one name: for worker threads, queues and interfaces that must not be templates.
//
// Laws of this file:
// - As a writer_handle it is weak: after the writer is gone it answers errc::closed, and it can't dangle.
// - Two words, no allocation, one indirect call.

#include "../frame/close_code.hpp"
#include "handle.hpp"
#include "outbound.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI {

/// Made from a writer_handle: `wsolo::sender to = out.handle();`. Copyable; different copies may be used by different
/// threads. The functions are single_writer's of the same names.
class sender {
public:
    /// A handle to no writer.
    sender() noexcept = default;
    template <class Writer>
    sender(writer_handle<Writer>
               handle) noexcept // NOLINT(google-explicit-constructor): the same thing, less precise
        : calls_(&calls_of<writer_handle<Writer>>) {
        static_assert(sizeof handle == sizeof storage_ && alignof(writer_handle<Writer>) <= alignof(void*));
        ::new (static_cast<void*>(storage_)) writer_handle<Writer>(std::move(handle));
    }
    sender(const sender& other) noexcept : calls_(other.calls_) {
        if (calls_ != nullptr) calls_->copy(other.storage_, storage_);
    }
    sender(sender&& other) noexcept : sender() { swap(other); }
    sender& operator=(const sender& other) noexcept { return *this = sender(other); }
    // Not by value: clang 14 does not destroy a parameter that was made of {} in a template.
    sender& operator=(sender&& other) noexcept {
        sender fresh(std::move(other));
        swap(fresh);
        return *this;
    }
    ~sender() {
        if (calls_ != nullptr) calls_->destroy(storage_);
    }

    /// See single_writer's functions of these names; errc::closed when there is no writer any more. Any thread.
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome on_done = {}) const {
        return calls_ == nullptr ? errc::closed : calls_->send_text(storage_, payload, on_done);
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome on_done = {}) const {
        return calls_ == nullptr ? errc::closed : calls_->send_binary(storage_, payload, on_done);
    }
    [[nodiscard]] errc send(const outbound& item, on_outcome on_done = {}) const {
        return calls_ == nullptr ? errc::closed : calls_->send(storage_, item, on_done);
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason = {}) const {
        return calls_ == nullptr ? errc::closed : calls_->close(storage_, code, reason);
    }
    /// Whether the writer is gone.
    [[nodiscard]] bool is_expired() const noexcept {
        return calls_ == nullptr || calls_->is_expired(storage_);
    }

private:
    struct calls {
        errc (*send_text)(const std::byte*, std::string_view, on_outcome);
        errc (*send_binary)(const std::byte*, const_bytes, on_outcome);
        errc (*send)(const std::byte*, const outbound&, on_outcome);
        errc (*close)(const std::byte*, close_code, std::string_view);
        bool (*is_expired)(const std::byte*) noexcept;
        void (*copy)(const std::byte* from, std::byte* to) noexcept;
        void (*destroy)(std::byte*) noexcept;
    };

    template <class Handle>
    static const Handle& as(const std::byte* storage) noexcept {
        return *std::launder(reinterpret_cast<const Handle*>(storage));
    }
    template <class Handle>
    static constexpr calls calls_of{
        [](const std::byte* to, std::string_view payload, on_outcome on_done) {
            return as<Handle>(to).send_text(payload, on_done);
        },
        [](const std::byte* to, const_bytes payload, on_outcome on_done) {
            return as<Handle>(to).send_binary(payload, on_done);
        },
        [](const std::byte* to, const outbound& item, on_outcome on_done) {
            return as<Handle>(to).send(item, on_done);
        },
        [](const std::byte* to, close_code code, std::string_view reason) {
            return as<Handle>(to).close(code, reason);
        },
        [](const std::byte* to) noexcept { return as<Handle>(to).is_expired(); },
        [](const std::byte* from, std::byte* to) noexcept {
            ::new (static_cast<void*>(to)) Handle(as<Handle>(from));
        },
        [](std::byte* old) noexcept { std::launder(reinterpret_cast<Handle*>(old))->~Handle(); }};

    void swap(sender& other) noexcept { // a handle is one pointer: it may be moved by its bytes
        std::swap(calls_, other.calls_);
        std::swap(storage_, other.storage_);
    }

    const calls* calls_ = nullptr;
    alignas(void*) std::byte storage_[sizeof(void*)] = {};
};

} // namespace wsolo::inline WSOLO_ABI
