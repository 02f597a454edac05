#include "admin.hpp"

#include "session.hpp"

#include <algorithm>
#include <stop_token>
#include <string>

namespace echo {
namespace {

constexpr std::size_t said_size = 3000; // more than what is copied into each connection's queue

} // namespace

template <class Handle>
admin<Handle>::admin(const options& how) {
    const auto start = [this](std::chrono::milliseconds interval, void (admin::*act)(std::uint64_t)) {
        if (interval.count() == 0) return;
        threads_.emplace_back([this, interval, act](const std::stop_token& stop) {
            for (std::uint64_t number = 0; !stop.stop_requested(); ++number) {
                std::this_thread::sleep_for(interval);
                (this->*act)(number);
            }
        });
    };
    start(how.broadcast_interval, &admin::say);
    start(how.close_one_interval, &admin::close_one);
}

template <class Handle>
void admin<Handle>::add(Handle connection) {
    if (threads_.empty()) return;
    const std::scoped_lock hold(lock_);
    handles_.push_back(std::move(connection));
}

template <class Handle>
std::vector<Handle> admin<Handle>::present() {
    const std::scoped_lock hold(lock_);
    std::erase_if(handles_, [](const Handle& each) { return each.is_expired(); });
    return handles_;
}

template <class Handle>
void admin<Handle>::say(std::uint64_t number) {
    std::string text = "to everyone: " + std::to_string(number) + " ";
    text.resize(said_size, '.');
    const auto frame = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(text));
    if (!frame) return;
    for (const Handle& each : present()) {
        if (const auto live = each.try_use()) // one that has no room or is closing goes without
            static_cast<void>(live->handler().counts->count_sent(live->writer().send(*frame)));
    }
}

template <class Handle>
void admin<Handle>::close_one(std::uint64_t number) {
    const std::vector<Handle> all = present();
    if (all.empty()) return;
    if (const auto live = all[number % all.size()].try_use())
        static_cast<void>(live->close(wsolo::close_code::service_restart, "please come back"));
}

template class admin<session<wsolo::in_the_loop>::weak_handle>;
template class admin<session<in_a_pool>::weak_handle>;

} // namespace echo
