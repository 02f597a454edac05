// expect-error: nodiscard|unused-result|ignoring return
// Would catch: a result<T> whose error can be dropped without a word.

#include <wsolo/core/result.hpp>

wsolo::result<int> half(int value);

int main() {
#ifdef WSOLO_TWIN
    return half(4).has_value() ? 0 : 1;
#else
    half(4);
#endif
}
