// SPDX-License-Identifier: MIT
#pragma once
// Whole-text UTF-8 validation by the automaton, with words of ASCII skipped: for machines without vectors,
// and for texts too short for them. See utf8_blocks.hpp for the contract.

#include "../../core/detail/xor_narrow.hpp"
#include "utf8_scalar.hpp"

#include <type_traits>

namespace wsolo::inline WSOLO_ABI::detail {

struct utf8_plain {
    template <class Byte>
    static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if constexpr (!std::is_const_v<Byte>) xor_narrow(at, at, size, key);
        utf8_state state = utf8_state::boundary;
        return utf8_scan_scalar({at, size}, state) == size;
    }
};

} // namespace wsolo::inline WSOLO_ABI::detail
