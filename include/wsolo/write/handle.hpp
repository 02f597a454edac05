// SPDX-License-Identifier: MIT
#pragma once
// A way to a writer for other threads that does not keep it alive: after the writer is gone it answers
// errc::closed.
//
// Laws of this file:
// - While a call is in progress the writer's destructor waits for it. None of the calls here waits for room
//   or for the transport, except in an inline drive's write. try_use() reaches all functions of the writer; calls
//   that wait for room or for an outcome are ended by the writer's destructor.

#include "../frame/encode.hpp"
#include "../sync/weak_session.hpp"
#include "outcome.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Made by single_writer::handle(). Copyable; different copies may be used by different threads. 8 bytes.
/// The functions are single_writer's of the same names, with errc::closed when there is no writer any more.
template <class Writer>
class writer_handle {
public:
    /// A handle to no writer.
    writer_handle() = default;

    /// See single_writer's functions of these names; errc::closed when there is no writer any more. Any thread.
    [[nodiscard]] errc send_text(std::string_view payload) const {
        return use([&](Writer& writer) { return writer.send_text(payload); });
    }
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome on_done) const {
        return use([&](Writer& writer) { return writer.send_text(payload, on_done); });
    }
    [[nodiscard]] errc send_binary(const_bytes payload) const {
        return use([&](Writer& writer) { return writer.send_binary(payload); });
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome on_done) const {
        return use([&](Writer& writer) { return writer.send_binary(payload, on_done); });
    }
    template <class Item>
    [[nodiscard]] errc send(const Item& item, on_outcome on_done = {}) const {
        return use([&](Writer& writer) { return writer.send(item, on_done); });
    }
    template <class... Arguments>
    [[nodiscard]] errc close(const Arguments&... arguments) const {
        return use([&](Writer& writer) { return writer.close(arguments...); });
    }
    void abort(errc why = errc::aborted) const {
        static_cast<void>(use([&](Writer& writer) {
            writer.abort(why);
            return errc::none;
        }));
    }

    /// The writer, for the life of the guard: for the functions that a handle does not have. Empty when the writer is gone.
    /// Keep the guard for a short time: the writer's destructor waits for it.
    [[nodiscard]] auto try_use() const noexcept { return session_.try_use(); }
    /// Whether the writer is gone.
    [[nodiscard]] bool is_expired() const noexcept { return session_.is_expired(); }

private:
    friend Writer;
    using session = typename Writer::weak_type;

    explicit writer_handle(session weak) noexcept : session_(std::move(weak)) {}

    template <class Use>
    errc use(Use call) const {
        const auto guard = session_.try_use();
        return guard ? call(*guard) : errc::closed;
    }

    session session_;
};

} // namespace wsolo::inline WSOLO_ABI
