#pragma once
// The schedule hook of a loop under the interleaving checker.
//
// Law of this file: the bell only rings; a loop for which no thread rings waits for ever, which the checker
// reports. So a wake-up that is lost fails the execution, without a Close to rescue it.

#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>

namespace checked {

/// The hook of a loop.
struct bell {
    interleave::atomic<int> rung{0};
    struct hook {
        bell* to;
        void operator()() const { to->rung.fetch_add(1); }
    };
    void wait() {
        while (rung.load() == 0) interleave::traits::pause(); // looks only, so that the search sees it wait
        rung.exchange(0);
    }
};

} // namespace checked
