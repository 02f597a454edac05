// The threads of docs/hosts/threads.md, and where they report.
#include <string_view>

void log(std::string_view line);
void accept_from(int listening, wsolo::connection_group& everyone);
void stop(int listening, wsolo::connection_group& everyone);

@BLOCK@
