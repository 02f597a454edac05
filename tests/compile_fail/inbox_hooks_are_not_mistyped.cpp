// expect-error: on_resume\(\) and on_finished\(const inbox_report&\)
// Would catch: hooks of an inbox that have the right names and can't be called as the inbox would, and so are never called.

#include <wsolo/sync/inbox.hpp>

struct hooks {
    void operator()() const {}
#ifdef WSOLO_TWIN
    void on_resume() {}
    void on_finished(const wsolo::inbox_report&) {}
#else
    void on_resume(int) {}
    void on_finished(wsolo::inbox_report&) {}
#endif
};

int main() {
    wsolo::inbox<int, hooks> in(hooks{});
    return in.push(1, 1).pause ? 1 : 0;
}
