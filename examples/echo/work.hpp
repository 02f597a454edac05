#pragma once
// Where messages are handled: in the loop (wsolo::in_the_loop), or by the threads of a pool.

#include "loop/thread_pool.hpp"

#include <wsolo/endpoint/endpoint.hpp>

namespace echo {

/// An endpoint's `Work` hook. The pool must outlive the endpoint.
struct in_a_pool {
    loop::thread_pool* pool;

    bool operator()(auto whom) const {
        return pool->post([whom = std::move(whom)] {
            if (const auto live = whom.try_use()) live->work();
        });
    }
};

} // namespace echo
