// SPDX-License-Identifier: MIT
#pragma once
// An endpoint's transport, with a count of what it took: how the endpoint knows that the peer takes what is sent to it.
//
// Laws of this file:
// - The count is for progress. Of a completion_transport a write counts when the next one begins: it took something.
// - Everything belongs to the thread that pumps.

#include "../../write/transport.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI::detail {

template <any_transport Transport>
class metered_transport {
public:
    explicit metered_transport(Transport to) noexcept(std::is_nothrow_move_constructible_v<Transport>)
        : to_(std::move(to)) {}

    io_result write(std::span<const const_bytes> parts, time_point deadline)
        requires transport<Transport>
    {
        const io_result how = to_.write(parts, deadline);
        transferred_ += how.transferred;
        return how;
    }
    [[nodiscard]] bool wait_writable(time_point deadline)
        requires waitable_transport<Transport>
    {
        return to_.wait_writable(deadline);
    }
    void start_write(std::span<const const_bytes> parts, time_point deadline, write_done done)
        requires completion_transport<Transport>
    {
        transferred_ += last_.bytes;
        last_ = {};
        for (const const_bytes part : parts) last_.bytes += part.size();
        to_.start_write(parts, deadline, std::move(done));
    }
    void cancel_write()
        requires completion_transport<Transport>
    {
        last_.is_cancelled = true;
        to_.cancel_write();
    }
    /// Whether the last write that was started was cancelled: it may have ended since.
    [[nodiscard]] bool is_cancelled() const noexcept
        requires completion_transport<Transport>
    {
        return last_.is_cancelled;
    }
    void finish(end_of_write why) { to_.finish(why); }

    void end_output() { to_.end_output(); }
    void disconnect() { to_.disconnect(); }

    /// Bytes that the peer has taken, as far as this side can know. Only ever compared with an earlier answer.
    [[nodiscard]] std::uint64_t taken() {
        if constexpr (requires {
                          { to_.unsent() } -> std::convertible_to<std::uint64_t>;
                      }) {
            return transferred_ - to_.unsent();
        } else {
            return transferred_;
        }
    }
    [[nodiscard]] Transport& transport_itself() noexcept { return to_; }

private:
    struct started {
        std::uint64_t bytes = 0;
        bool is_cancelled = false;
    };
    struct nothing {};

    [[no_unique_address]] Transport to_;
    std::uint64_t transferred_ = 0;
    [[no_unique_address]] std::conditional_t<completion_transport<Transport>, started, nothing> last_{};
};

} // namespace wsolo::inline WSOLO_ABI::detail
