// expect-error: on_resume\(\) and on_finished\(const inbox_report&\)
// Would catch: a misspelt hook of an inbox that is never called, and so a reader that is never resumed.

#include <wsolo/sync/inbox.hpp>

struct hooks {
    void operator()() const {}
#ifdef WSOLO_TWIN
    void on_resume() {}
#else
    void on_resumed() {}
#endif
    void on_finished(const wsolo::inbox_report&) {}
};

int main() {
    wsolo::inbox<int, hooks> in(hooks{});
    return in.push(1, 1).pause ? 1 : 0;
}
