// The threads of docs/hosts/threads.md.
#include <atomic>

void accept_from(int listening, wsolo::connection_group& everyone, const std::atomic<bool>& stops);
void stop(int listening, wsolo::connection_group& everyone, std::atomic<bool>& stops);

@BLOCK@
