#pragma once
// One deadline per peer, the earliest first.

#include "peer_id.hpp"

#include <wsolo/core/time.hpp>

#include <set>
#include <unordered_map>
#include <vector>

namespace loop {

/// For one thread. O(log n).
class timers {
public:
    /// Replaces the peer's deadline; no_deadline: it has none.
    void set(peer_id id, wsolo::time_point at) {
        const auto known = of_peer_.find(id);
        if (known != of_peer_.end()) {
            if (known->second == at) return;
            by_time_.erase({known->second, id});
            of_peer_.erase(known);
        }
        if (at == wsolo::no_deadline) return;
        by_time_.emplace(at, id);
        of_peer_.emplace(id, at);
    }

    /// no_deadline when there is none.
    [[nodiscard]] wsolo::time_point next() const noexcept {
        return by_time_.empty() ? wsolo::no_deadline : by_time_.begin()->first;
    }

    /// Those whose deadline has passed; they have none from here on.
    void take_expired(wsolo::time_point now, std::vector<peer_id>& into) {
        into.clear();
        while (next() <= now) {
            into.push_back(by_time_.begin()->second);
            set(into.back(), wsolo::no_deadline);
        }
    }

private:
    std::set<std::pair<wsolo::time_point, peer_id>> by_time_;
    std::unordered_map<peer_id, wsolo::time_point> of_peer_;
};

} // namespace loop
