// expect-error: constraint|does not satisfy|no matching
// Would catch: a key source whose next_key() may throw in the middle of a half-written frame.

#include <wsolo/core/random.hpp>

struct own_keys {
#ifdef WSOLO_TWIN
    wsolo::masking_key next_key() noexcept;
#else
    wsolo::masking_key next_key();
#endif
};

template <wsolo::key_source Keys>
void mask_with(Keys& keys);

void use(own_keys& keys) { mask_with(keys); }
