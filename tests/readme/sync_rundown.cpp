// The rundown of docs/sync.md.
#include <wsolo/sync/rundown.hpp>

int main() {
    int thing = 0;
    const auto use = [](int& used) { ++used; };
@BLOCK@
    return drained == wsolo::errc::none && thing == 1 ? 0 : 1;
}
