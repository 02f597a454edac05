#pragma once
// The open connections, by number: the loop adds, finds and removes them, the workers copy the list.
//
// Laws of this file:
// - Shared ownership: a worker that copied the list may go on using a connection that the loop has removed;
//   what it then sends is refused by the connection's writer.
// - Nothing of a connection is called under the lock.

#include "peer_id.hpp"

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace loop {

template <class Connection>
class roster {
public:
    using pointer = std::shared_ptr<Connection>;

    void add(peer_id id, pointer connection) {
        const std::scoped_lock hold(lock_);
        connections_.emplace(id, std::move(connection));
    }

    void remove(peer_id id) {
        pointer last; // destroyed after the lock is released
        const std::scoped_lock hold(lock_);
        const auto found = connections_.find(id);
        if (found == connections_.end()) return;
        last = std::move(found->second);
        connections_.erase(found);
    }

    /// nullptr when there is no such connection.
    [[nodiscard]] pointer find(peer_id id) const {
        const std::scoped_lock hold(lock_);
        const auto found = connections_.find(id);
        return found == connections_.end() ? nullptr : found->second;
    }

    void copy_to(std::vector<pointer>& list) const {
        const std::scoped_lock hold(lock_);
        list.reserve(connections_.size());
        for (const auto& [id, connection] : connections_) list.push_back(connection);
    }

    [[nodiscard]] bool empty() const {
        const std::scoped_lock hold(lock_);
        return connections_.empty();
    }

private:
    mutable std::mutex lock_;
    std::unordered_map<peer_id, pointer> connections_;
};

} // namespace loop
