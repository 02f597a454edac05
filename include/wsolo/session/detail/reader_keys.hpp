#pragma once
// A reader's key source: owned, referred to, or none for a server.

#include "../../core/random.hpp"
#include "../../core/role.hpp"

#include <type_traits>
#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

/// What a server's reader has in a key source's place.
struct no_keys {};

template <role Role>
using default_keys = std::conditional_t<masks(Role), random_keys, no_keys>;

/// Keys may be a reference: the source is then the caller's and outlives the reader.
template <class Keys>
class reader_keys {
    static_assert(key_source<std::remove_reference_t<Keys>>,
                  "a client's replies are masked: give the reader a key source (core/random.hpp)");

public:
    template <class... Arguments>
        requires std::constructible_from<Keys, Arguments...>
    explicit reader_keys(Arguments&&... arguments) noexcept : keys_(std::forward<Arguments>(arguments)...) {}

    template <class Use>
    void with_keys(Use use) noexcept {
        use(keys_);
    }

private:
    Keys keys_;
};

template <>
class reader_keys<no_keys> {
public:
    template <class Use>
    void with_keys(Use use) noexcept {
        use();
    }
};

} // namespace wsolo::inline WSOLO_ABI::detail
