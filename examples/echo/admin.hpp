#pragma once
// Threads that do to connections what an administrator would: a message to everyone, a Close to someone.
//
// Laws of this file:
// - They know connections by weak handles alone: one that is over is found out, and forgotten, when it is used.

#include "options.hpp"

#include <wsolo/core/bytes.hpp>
#include <wsolo/frame/shared_frame.hpp>

#include <mutex>
#include <thread>
#include <vector>

namespace echo {

/// `Handle` is a session's weak_handle.
template <class Handle>
class admin {
public:
    explicit admin(const options& how);

    /// Any thread.
    void add(Handle connection);

private:
    void say(std::uint64_t number);
    void close_one(std::uint64_t number);
    /// Those that are not over.
    [[nodiscard]] std::vector<Handle> present();

    std::mutex lock_;
    std::vector<Handle> handles_;
    std::vector<std::jthread> threads_; ///< the last, so that they end before what they use
};

} // namespace echo
