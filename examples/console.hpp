#pragma once
// What a server is told on its command line, and what it says: one line for each thing that happened, a word and then name=value
// pairs, on standard output, for people and scripts alike.

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

/// A name, and where the value after it goes. A bool becomes true by the name alone; a time is in milliseconds.
struct option {
    std::string_view name;
    std::variant<bool*, std::uint16_t*, std::uint32_t*, std::size_t*, std::chrono::milliseconds*> into;
};

inline bool read_value(std::string_view text, std::integral auto& into) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc() && end == text.data() + text.size();
}
inline bool read_value(std::string_view text, std::chrono::milliseconds& into) {
    std::uint32_t count = 0;
    if (!read_value(text, count)) return false;
    into = std::chrono::milliseconds(count);
    return true;
}

/// False: there was one that is not `known`, or has no fitting value, and the names were printed.
inline bool read_options(int count, char** given, std::initializer_list<option> known) {
    const auto read = [&](const option& which, int& at) {
        if (auto* const* flag = std::get_if<bool*>(&which.into)) return **flag = true;
        const auto value = [&](auto* into) {
            if constexpr (std::same_as<decltype(into), bool*>)
                return false;
            else
                return ++at < count && read_value(given[at], *into);
        };
        return std::visit(value, which.into);
    };
    for (int at = 1; at < count; ++at) {
        bool is_read = false;
        for (const option& each : known)
            if (each.name == given[at]) {
                is_read = read(each, at);
                break;
            }
        if (is_read) continue;
        std::fputs("options:", stderr);
        for (const option& each : known)
            std::fprintf(stderr, " %.*s%s", static_cast<int>(each.name.size()), each.name.data(),
                         std::holds_alternative<bool*>(each.into) ? "" : " N");
        std::fputc('\n', stderr);
        return false;
    }
    return true;
}

/// Printed whole when it is destroyed.
class report_line {
public:
    explicit report_line(std::string_view what) : text_(what) {}
    report_line(const report_line&) = delete;
    report_line& operator=(const report_line&) = delete;
    ~report_line() {
        text_ += '\n';
        std::fwrite(text_.data(), 1, text_.size(), stdout);
        std::fflush(stdout);
    }

    report_line& with(std::string_view name, std::string_view value) {
        text_.append(" ").append(name).append("=").append(value);
        return *this;
    }
    report_line& with(std::string_view name, std::integral auto value) {
        return with(name, std::string_view(std::to_string(value)));
    }

private:
    std::string text_;
};
