// expect-error: inbox_observer
// Would catch: an observer of a threaded_inbox with one hook missing, or with another type than the inbox calls it by.

#include <wsolo/sync/threaded_inbox.hpp>

struct observer {
    void on_resume() {}
#ifdef WSOLO_TWIN
    void on_finished(const wsolo::inbox_report&) {}
#else
    void on_finished() {}
#endif
};

int main() {
    wsolo::threaded_inbox<int, void (*)(int&&), observer> in(+[](int&&) {});
    return in.push(1, 1).pause ? 1 : 0;
}
