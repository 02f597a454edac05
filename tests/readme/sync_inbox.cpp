// The inbox of docs/sync.md.
#include <wsolo/sync/inbox.hpp>

using wsolo::errc;

struct message {
    int number;
};
struct {
    void post_drain() {}
    void resume_reading() {}
    void pause_reading() {}
} loop;
struct {
    void ended(errc) {}
} owner;

int main() {
    message received{1};
    const std::size_t size = sizeof received;
    int sum = 0;
    const auto handle = [&](const message& next) { return (sum += next.number) > 0; };
@BLOCK@
    return sum == 1 ? 0 : 1;
}
