// Another server's answer, as it might look.

#include <wsolo/wsolo.hpp>

#include <vector>

struct other_server {
    void set(std::string_view name, std::string_view value);
    void send(int status, std::string_view body);
};

@BLOCK@

template bool upgrade(other_server&, const std::vector<wsolo::header_field>&, std::string_view);
