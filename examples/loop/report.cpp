#include "report.hpp"

#include <cstdio>

namespace loop {

report_line::~report_line() {
    text_ += '\n';
    std::fwrite(text_.data(), 1, text_.size(), stdout);
    std::fflush(stdout);
}

report_line& report_line::with(std::string_view name, std::string_view value) {
    text_.append(" ").append(name).append("=").append(value);
    return *this;
}

} // namespace loop
