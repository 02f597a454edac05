#pragma once
// What a history did, in order, in memory that is there when the program crashes; and a watchdog: a history
// that stands still, or crashes, says its seed and its operations.

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <string>

namespace histories::journal {

/// Begins a history.
void begin(const char* runner, std::uint64_t seed);
void end();

/// One line. `depth`: how many callbacks deep. Any thread.
[[gnu::format(printf, 2, 3)]] void line(unsigned depth, const char* format, ...);
[[gnu::format(printf, 2, 0)]] void line_of(unsigned depth, const char* format, std::va_list values);

/// The lines so far.
[[nodiscard]] std::string text();

/// The first rule that was broken, in one line; "" as long as there is none.
void break_rule(const std::string& rule, const std::string& how);
[[nodiscard]] bool is_broken();
[[nodiscard]] std::string broken_rule();
[[nodiscard]] std::string broken_how();

} // namespace histories::journal
