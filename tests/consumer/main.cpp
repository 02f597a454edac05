// Would catch: a package without its headers, with those of another version, or that needs a flag which it
// does not bring.

#include <wsolo/wsolo.hpp>

#include <string>

int main() {
    const std::string version = std::to_string(wsolo::version_major) + "." +
                                std::to_string(wsolo::version_minor) + "." +
                                std::to_string(wsolo::version_patch);
    wsolo::byte_buffer buffer;
    const bool works = buffer.append(wsolo::bytes_of(version));
    return works && wsolo::text_of(buffer.view()) == EXPECTED_VERSION ? 0 : 1;
}
