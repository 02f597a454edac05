#pragma once
// What the server says: one line per thing that happened, a word and then name=value pairs, to standard
// output, for people and scripts alike.

#include <concepts>
#include <string>
#include <string_view>

namespace loop {

/// Printed whole when it is destroyed.
class report_line {
public:
    explicit report_line(std::string_view what) : text_(what) {}
    report_line(const report_line&) = delete;
    report_line& operator=(const report_line&) = delete;
    ~report_line();

    report_line& with(std::string_view name, std::string_view value);
    report_line& with(std::string_view name, std::integral auto value) {
        return with(name, std::string_view(std::to_string(value)));
    }

private:
    std::string text_;
};

} // namespace loop
