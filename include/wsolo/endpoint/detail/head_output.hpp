// SPDX-License-Identifier: MIT
#pragma once
// Bytes of HTTP that leave before a WebSocket, or instead of one: a request, a 101, a page. Over both kinds of transport.
//
// Laws of this file:
// - It is the loop's. Only a completion comes in another thread: it leaves its mark and asks the owner for a turn.
// - The bytes of a started write outlive their owner, because the transport may still read them.

#include "../../core/byte_buffer.hpp"
#include "../../sync/traits.hpp"
#include "../../write/transport.hpp"
#include "../hooks.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI::detail {

enum class head_status : std::uint8_t { written, blocked, failed };

/// Of a transport whose writes are over when they return. `Owner` is not asked for turns.
template <any_transport Transport, class Owner, class Traits>
class head_output {
public:
    /// What is to leave. Filled once, before the first step().
    [[nodiscard]] byte_buffer& bytes() noexcept { return bytes_; }
    /// How many of them have left.
    [[nodiscard]] std::size_t taken() const noexcept { return at_; }

    head_status step(Transport& to, time_point by, Owner&) {
        while (at_ < bytes_.size()) {
            const const_bytes rest = std::as_const(bytes_).view().subspan(at_);
            io_result how;
            if (!call_hook([&] { return how = to.write({&rest, 1}, by); })) how = {};
            at_ += how.transferred;
            if (how.status == io_status::would_block) return head_status::blocked;
            if (how.status != io_status::ok) return head_status::failed;
        }
        return head_status::written;
    }

private:
    byte_buffer bytes_;
    std::size_t at_ = 0;
};

/// Of a transport that says later what it took. `Owner` has handle() and ask().
template <completion_transport Transport, class Owner, class Traits>
    requires(!transport<Transport>)
class head_output<Transport, Owner, Traits> {
    /// Two references: ours, and the write's.
    struct flight final : write_target {
        explicit flight(byte_buffer what) noexcept : write_target{&on_over}, bytes(std::move(what)) {}

        static void on_over(write_target& self, const io_result& how) noexcept {
            auto& ended = static_cast<flight&>(self);
            ended.how = how;
            ended.is_over.store(true, std::memory_order_release);
            if (const auto live = ended.owner.try_use()) live->ask();
            ended.drop();
        }
        void drop() noexcept {
            if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
        }

        byte_buffer bytes;
        std::size_t at = 0;
        io_result how{io_status::ok, 0, 0};
        typename Owner::weak_handle owner;
        typename Traits::template atomic<bool> is_over{true};
        typename Traits::template atomic<int> references{1};
    };

public:
    head_output() = default;
    head_output(const head_output&) = delete;
    head_output& operator=(const head_output&) = delete;
    ~head_output() {
        if (flight_ != nullptr) flight_->drop();
    }

    [[nodiscard]] byte_buffer& bytes() noexcept { return bytes_; }
    [[nodiscard]] std::size_t taken() const noexcept { return flight_ == nullptr ? 0 : flight_->at; }

    head_status step(Transport& to, time_point by, Owner& owner) {
        if (flight_ == nullptr) {
            if (bytes_.empty()) return head_status::written;
            flight_ = new (std::nothrow) flight(std::move(bytes_));
            if (flight_ == nullptr) return head_status::failed;
            flight_->owner = owner.handle();
        }
        while (flight_->is_over.load(std::memory_order_acquire)) {
            const io_result how = flight_->how;
            if (how.status != io_status::ok) return head_status::failed;
            flight_->how.transferred = 0;
            flight_->at += how.transferred;
            const const_bytes rest = std::as_const(flight_->bytes).view().subspan(flight_->at);
            if (rest.empty()) return head_status::written;
            flight_->is_over.store(false, std::memory_order_relaxed);
            flight_->references.fetch_add(1, std::memory_order_relaxed);
            // A write_done that is destroyed on the way out of a throw says that it failed.
            static_cast<void>(call_hook([&] { to.start_write({&rest, 1}, by, write_done(*flight_)); }));
        }
        return head_status::blocked;
    }

private:
    byte_buffer bytes_;
    flight* flight_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
