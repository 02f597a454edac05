// SPDX-License-Identifier: MIT
#pragma once
// A group of connections of any type, in any number of loops and threads: one call sends to all of them, or closes all of them.
//
//     wsolo::connection_group everyone;
//     const wsolo::errc joined = connection.join(everyone);        // in the connection's own loop; it leaves at its end
//     everyone.send_text("tick");                                  // any thread; one frame for all
//     everyone.close_all(wsolo::close_code::service_restart, "deploy", 30s, 15s);
//     const wsolo::errc how = everyone.wait(deadline);             // until the last one has left; then report()
//
// Laws of this file:
// - No call waits for a member. A message to all is queued with each member, or counted as refused by it. A member that is
//   slow, hung or about to end delays neither the sender nor the other members.
// - No member is kept alive, and none is called under a lock. A member that is destroyed leaves.
// - It starts no thread and sets no timer: closes that are spread over time are begun by each member's own loop, at the
//   deadline that its seat tells it. An endpoint does that itself. The owner of a member by join(handle) calls the seat's tick()
//   in each turn of its loop and at the seat's deadline(), and leave(how) at the end.
// - Once the group closes, no connection can join.

#include "../write/outbound.hpp"
#include "detail/group_roll.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What happens to a member whose queue has no room for a message to all. It is counted in either case.
enum class when_member_full : std::uint8_t {
    skip,       ///< it does not get this message
    disconnect, ///< it is aborted (errc::queue_full): a peer this slow is worse than none
};

/// A possible member: an endpoint, or a type that has these functions of it, callable by any thread. A server queues the
/// shared frame itself; a client sends its payload, masked by a key of its own.
template <class T>
concept group_member =
    requires(T& member, close_code code, std::string_view reason, duration within, errc why) {
        { member.close(code, reason, within) } -> std::same_as<errc>;
        { member.abort(why) };
        { member.ask_for_turn() }; // run() is to be called soon: the seat has news
        requires std::same_as<std::remove_cv_t<decltype(T::self)>, role>;
    } && (T::self == role::server ? requires(T& member, const shared_frame& frame) {
        { member.send(frame) } -> std::same_as<errc>;
    } : requires(T& member, std::string_view text, const_bytes bytes) {
        { member.send_text(text) } -> std::same_as<errc>;
        { member.send_binary(bytes) } -> std::same_as<errc>;
    });

/// The result of a message to all. Members that were already closing, or had ended, are not counted.
struct [[nodiscard]] sent_to_all {
    std::size_t accepted = 0; ///< queued
    std::size_t full = 0;     ///< had no room
    std::size_t refused = 0;  ///< did not take it for another reason
    /// Why there was no frame to send, or why the first of `refused` did not take it.
    errc error = errc::none;
};

namespace detail {

template <class T>
errc send_to_member(T& to, const shared_frame& frame) {
    if constexpr (T::self == role::server) {
        return to.send(frame);
    } else {
        const header_parse parsed = parse_header(frame.bytes());
        const frame_header& header = parsed.header;
        if (!is_one_whole_frame<role::server>(parsed, frame.bytes()) || header.rsv1 || is_control(header.op))
            return errc::raw_frame_malformed;
        const const_bytes payload = frame.bytes().subspan(parsed.size);
        return header.op == opcode::text ? to.send_text(text_of(payload)) : to.send_binary(payload);
    }
}

template <class T, class HandleTraits, class Lock>
struct calls_by {
    using handle = basic_weak_session<T, HandleTraits>;

    /// Takes a guard under the lock, and lets go of the lock: what is called is in no group's way.
    static auto use(const std::byte* to, Lock& held) noexcept {
        auto live = std::launder(reinterpret_cast<const handle*>(to))->try_use();
        held.unlock();
        return live;
    }
    static constexpr group_calls<Lock> table{
        [](const std::byte* to, Lock& held, const shared_frame& frame, bool is_cut_off) {
            const auto live = use(to, held);
            const errc answer = live ? send_to_member(*live, frame) : errc::closed;
            if (answer == errc::queue_full && is_cut_off) live->abort(answer);
            return answer;
        },
        [](const std::byte* to, Lock& held, const group_goodbye& words) {
            if (const auto live = use(to, held)) words.say(*live);
        },
        [](const std::byte* to, Lock& held, errc why) {
            if (const auto live = use(to, held)) live->abort(why);
        },
        [](const std::byte* to, Lock& held) {
            if (const auto live = use(to, held)) live->ask_for_turn();
        },
        [](std::byte* from, std::byte* to) noexcept {
            auto* const old = std::launder(reinterpret_cast<handle*>(from));
            ::new (static_cast<void*>(to)) handle(std::move(*old));
            std::destroy_at(old);
        },
        [](std::byte* old) noexcept { std::destroy_at(std::launder(reinterpret_cast<handle*>(old))); }};
};

} // namespace detail

template <class Traits>
class basic_connection_group;
template <class Traits>
class basic_group_invitation;

/// A member's place in a group. It belongs to the member's loop, is kept beside the connection or in it, and is not
/// thread-safe. Move-only, 40 bytes, and nothing on the heap; its destructor leaves the group. It may outlive the group.
template <class Traits>
class [[nodiscard]] basic_group_seat {
public:
    /// In no group.
    basic_group_seat() = default;
    basic_group_seat(basic_group_seat&& other) noexcept { take_over(other); }
    basic_group_seat& operator=(basic_group_seat&& other) noexcept {
        if (this != &other) {
            leave();
            take_over(other);
        }
        return *this;
    }
    ~basic_group_seat() { leave(); }

    [[nodiscard]] explicit operator bool() const noexcept { return member_.is_in(); }

    /// Call it in each turn of the member's loop: closes the member if that is due. O(1): a load.
    void tick(time_point now) {
        if (now >= member_.close_at() && member_.is_in()) member_.roll().close_in_turn(member_, now);
    }
    /// When tick() has something to do; any thread's close_all() may change it, and asks for a turn then.
    [[nodiscard]] time_point deadline() const noexcept { return member_.close_at(); }

    /// The connection ended: its numbers are added to the group's. Does nothing if it has left before.
    void leave(const ending& how) noexcept { leave(&how); }
    /// Leaves before the connection ended. A message to all that is under way may still reach it; a later one does not.
    void leave() noexcept { leave(nullptr); }

private:
    friend basic_connection_group<Traits>;
    friend basic_group_invitation<Traits>;
    using roll = detail::group_roll<Traits>;

    template <group_member T, class HandleTraits>
    [[nodiscard]] static result<basic_group_seat>
    take(roll& in, basic_weak_session<T, HandleTraits> connection) noexcept {
        using calls = detail::calls_by<T, HandleTraits, typename roll::lock>;
        if (connection.is_expired()) return errc::closed;
        basic_group_seat fresh;
        const errc error = in.join(fresh.member_, std::move(connection), calls::table);
        if (error != errc::none) return error;
        return fresh;
    }
    void take_over(basic_group_seat& other) noexcept {
        if (other.member_.is_in()) other.member_.roll().move(other.member_, member_);
    }
    void leave(const ending* how) noexcept {
        if (member_.is_in()) member_.roll().leave(member_, how);
    }

    typename roll::member member_;
};

/// The right to join a group later, for a connection during its handshake. Until it joins, the group neither sends to it, nor
/// closes it, nor counts it. Not thread-safe; move-only, 8 bytes. It may outlive the group.
template <class Traits>
class [[nodiscard]] basic_group_invitation {
public:
    using seat = basic_group_seat<Traits>;

    /// An invitation to no group.
    basic_group_invitation() = default;
    basic_group_invitation(basic_group_invitation&& other) noexcept
        : roll_(std::exchange(other.roll_, nullptr)) {}
    basic_group_invitation& operator=(basic_group_invitation&& other) noexcept {
        std::swap(roll_, other.roll_);
        return *this;
    }
    ~basic_group_invitation() {
        if (roll_ != nullptr) roll_->drop();
    }

    [[nodiscard]] explicit operator bool() const noexcept { return roll_ != nullptr; }
    /// Whether the group closed: join() would say so.
    [[nodiscard]] bool is_void() const noexcept { return roll_ != nullptr && roll_->is_closing(); }

    /// Joins, with the errors of basic_connection_group::join(). Precondition: not empty.
    template <group_member T, class HandleTraits>
    [[nodiscard]] result<seat> join(basic_weak_session<T, HandleTraits> connection) const noexcept {
        return seat::take(*roll_, std::move(connection));
    }
    /// Closes a connection that came too late to join: with the group's Close, within the time that is left. Precondition:
    /// not empty.
    template <group_member T>
    void close(T& late, time_point now) const {
        roll_->close(late, now);
    }

private:
    friend basic_connection_group<Traits>;
    using roll = detail::group_roll<Traits>;

    explicit basic_group_invitation(roll& to) noexcept : roll_(&to) { to.retain(); }

    roll* roll_ = nullptr;
};

/// See the file's laws. Any thread may call any member function, also from within its members' callbacks; wait() not in a
/// loop that a member needs. Its members may outlive it. One allocation, and one for each type
/// of members; none for a member.
template <class Traits>
class basic_connection_group {
    using roll = detail::group_roll<Traits>;
    using member = typename roll::member;

public:
    using seat = basic_group_seat<Traits>;

    explicit basic_connection_group(when_member_full policy = when_member_full::skip) noexcept
        : roll_(roll::make()), policy_(policy) {}
    basic_connection_group(const basic_connection_group&) = delete;
    basic_connection_group& operator=(const basic_connection_group&) = delete;
    ~basic_connection_group() {
        if (roll_ != nullptr) roll_->drop();
    }

    /// Adds a member, of any type. It gets every message to all from now on, until its seat leaves. Errors: closed once the
    /// group closes, or when the connection is gone; out_of_memory. O(1).
    template <group_member T, class HandleTraits>
    [[nodiscard]] result<seat> join(basic_weak_session<T, HandleTraits> connection) noexcept {
        if (roll_ == nullptr) return errc::out_of_memory;
        return seat::take(*roll_, std::move(connection));
    }
    /// For a connection that is to join when its handshake is over. Errors: closed, out_of_memory.
    [[nodiscard]] result<basic_group_invitation<Traits>> invite() noexcept {
        if (roll_ == nullptr) return errc::out_of_memory;
        if (roll_->is_closing()) return errc::closed;
        return basic_group_invitation<Traits>(*roll_);
    }

    /// How many members there are. The number may be out of date at once.
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(report().present); }
    /// Sums so far; complete when wait() said errc::none.
    [[nodiscard]] group_report report() const noexcept {
        return roll_ == nullptr ? group_report{} : roll_->report();
    }

    /// Queues one message with every member. It is encoded once; above 512 bytes servers share the bytes without a copy. Each
    /// member gets the messages of one sending thread in order. The caller vouches that a text is UTF-8. O(members).
    sent_to_all send_text(std::string_view payload) {
        WSOLO_ASSERT(is_valid_utf8(bytes_of(payload)), "a text message is UTF-8 (RFC 6455 §5.6)");
        return send_message(opcode::text, bytes_of(payload));
    }
    sent_to_all send_binary(const_bytes payload) { return send_message(opcode::binary, payload); }
    sent_to_all send(const shared_frame& frame) {
        sent_to_all sum;
        if (!frame) return {.error = errc::raw_frame_malformed};
        if (roll_ == nullptr) return sum;
        roll_->for_each([&](member& each) {
            const errc answer = each.send(frame, policy_ == when_member_full::disconnect);
            if (answer == errc::none) {
                ++sum.accepted;
            } else if (answer == errc::queue_full) {
                ++sum.full;
            } else if (answer != errc::closed && sum.refused++ == 0) {
                sum.error = answer;
            }
        });
        roll_->count_full(sum.full);
        return sum;
    }

    /// Closes the group and all of its members: each with this Close, after what was queued for it, within `within` from now
    /// (0: no bound), and then by its own times (the peer's answer, the stream's end). The closes begin evenly spread over
    /// `spread`, but over half of `within` at most, so that not all peers reconnect at once. errc::closed: the group was
    /// closed before; then the closes that have yet to begin do so now, and within the shorter of the two times. Errors after
    /// which nothing was done: invalid_close_code, invalid_close_reason. A reason that is too long is cut at a code point.
    /// O(members).
    [[nodiscard]] errc close_all(close_code code, std::string_view reason, duration within,
                                 duration spread = duration::zero()) {
        reason = fit_close_reason(reason);
        if (!may_be_sent(code)) return errc::invalid_close_code;
        if (!is_valid_utf8(bytes_of(reason))) return errc::invalid_close_reason;
        if (roll_ == nullptr) return errc::none;
        const time_point now = Traits::clock::now();
        const auto begun = roll_->begin_close(code, reason, deadline_after(now, bound_of(within)));
        if (!begun.is_first) {
            roll_->for_each([&](member& each) { each.close_if_put_off(now); });
            return errc::closed;
        }
        if (within != duration::zero() && spread > within / 2) spread = within / 2;
        close_spread(now, begun.members == 0 ? spread : spread / static_cast<duration::rep>(begun.members));
        return errc::none;
    }

    /// Ends every member without a Close: for the members that are left when an orderly end took too long. Further connections
    /// may join, unless the group was closed. O(members).
    void abort_all(errc why = errc::aborted) {
        if (roll_ != nullptr) roll_->for_each([&](member& each) { each.abort(why); });
    }

    /// Waits until the group closed and the last member has left: errc::none. Otherwise timed_out or cancelled.
    template <stop_token_like StopToken = never_stop>
    [[nodiscard]] errc wait(time_point deadline = no_deadline, const StopToken& stop = {}) noexcept {
        return roll_ == nullptr ? errc::none : roll_->wait(deadline, stop);
    }

private:
    sent_to_all send_message(opcode op, const_bytes payload) {
        const auto frame = make_shared_frame(op, payload);
        if (!frame) return {.error = frame.error()};
        return send(*frame);
    }

    /// The first begins now, each other one a `step` after the one before it.
    void close_spread(time_point now, duration step) {
        time_point begin = now;
        roll_->for_each([&](member& each) {
            if (begin <= now) {
                each.close(now);
            } else {
                each.close_later(begin, now);
            }
            if (step > duration::zero()) begin = deadline_after(begin, step);
        });
    }

    roll* const roll_;
    const when_member_full policy_;
};

using connection_group = basic_connection_group<std_blocking_traits>;
using group_seat = basic_group_seat<std_blocking_traits>;

} // namespace wsolo::inline WSOLO_ABI
