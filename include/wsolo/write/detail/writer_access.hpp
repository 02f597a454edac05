// SPDX-License-Identifier: MIT
#pragma once
// The functions that waiting threads (write/wait.hpp) and coroutines (endpoint/conversation.hpp) need of a writer besides its
// public ones. Not part of wsolo.hpp, as these two headers are not.
//
// Laws of this file:
// - Each function runs what the outbox decided before it returns, with no lock held.

#include "../single_writer.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

struct writer_access {
    template <class Writer>
    static auto& drive(Writer& writer) noexcept {
        return writer.drive_;
    }
    /// A flush that a full queue does not refuse.
    template <class Writer>
    static errc queue_mark(Writer& writer, on_outcome on_done) {
        return writer.queue_mark(on_done, true);
    }
    /// errc::queue_full: `waiter`, if there is one, waits for room now.
    template <class Writer>
    static errc send(Writer& writer, opcode op, const_bytes payload, on_outcome on_done,
                     room_waiter* waiter) {
        return writer.send_waiting(op, payload, on_done, waiter);
    }

    /// Withdraws a flush. True: it will have no outcome. False: it has its outcome, or is about to have it.
    template <class Driver>
    [[nodiscard]] static bool withdraw_mark(Driver& drive, const void* context) noexcept {
        return settle(
            [&](errands& todo, queue*& idle) { return drive.box.withdraw_mark(context, todo, idle); });
    }
    /// Withdraws a sender that waits. False: it was granted room, or the writer ended, and it is being woken.
    template <class Driver>
    [[nodiscard]] static bool withdraw(Driver& drive, room_waiter& waiter) noexcept {
        return settle([&](errands& todo, queue*& idle) { return drive.box.withdraw(waiter, todo, idle); });
    }
    /// A sender does not come for the room that it was granted, if it was.
    template <class Driver>
    static void decline(Driver& drive, room_waiter& waiter) noexcept {
        settle([&](errands& todo, queue*& idle) { return drive.box.decline(waiter, todo, idle), true; });
    }

private:
    template <class Decide>
    static bool settle(Decide decide) noexcept {
        errands todo;
        queue* idle = nullptr;
        const bool answer = decide(todo, idle);
        todo.run();
        queue::destroy(idle);
        return answer;
    }
};

} // namespace wsolo::inline WSOLO_ABI::detail
