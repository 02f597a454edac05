#pragma once
// What a server is told on its command line, and what it says: one line for each thing that happened, a word and then name=value
// pairs, on standard output, for people and scripts alike.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

// Takes the value of an option, if it has one, from what is left.
inline bool take_value(std::span<char*>&, bool& into) { return into = true; }
inline bool take_value(std::span<char*>& left, std::integral auto& into) {
    if (left.empty()) return false;
    const std::string_view text = left.front();
    left = left.subspan(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc() && end == text.data() + text.size();
}
inline bool take_value(std::span<char*>& left, std::chrono::milliseconds& into) {
    std::uint32_t count = 0;
    const bool is_taken = take_value(left, count);
    into = std::chrono::milliseconds(count);
    return is_taken;
}

/// A name, and where the value after it goes. A bool becomes true by the name alone; a time is in milliseconds.
struct option {
    template <class T>
    option(const char* called, T* to)
        : name(called),
          into(to),
          take([](std::span<char*>& left, void* at) { return take_value(left, *static_cast<T*>(at)); }) {}

    std::string_view name;
    void* into;
    bool (*take)(std::span<char*>& left, void* into);
};

/// False: there was one that is not `known`, or has no fitting value, and the names were printed.
inline bool read_options(int count, char** given, std::initializer_list<option> known) {
    std::span<char*> left(given, static_cast<std::size_t>(count));
    for (left = left.subspan(1); !left.empty();) {
        const auto* const found = std::ranges::find(known, left.front(), &option::name);
        left = left.subspan(1);
        if (found != known.end() && found->take(left, found->into)) continue;
        std::fputs("options:", stderr);
        for (const option& each : known) std::fprintf(stderr, " %s", each.name.data());
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
