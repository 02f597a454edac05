// The sequence_barrier of docs/sync.md.
#include <wsolo/sync/sequence_barrier.hpp>

int main() {
@BLOCK@
    return error == wsolo::errc::none && mark == number ? 0 : 1;
}
