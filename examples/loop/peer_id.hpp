#pragma once
// What the loop knows a connection by.

#include <cstdint>

namespace loop {

/// Never used twice, so one that comes late finds nobody.
using peer_id = std::uint64_t;

} // namespace loop
