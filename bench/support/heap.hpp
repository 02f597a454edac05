#pragma once
// Bytes of heap in use, in all of malloc's arenas (glibc; its mallinfo sees the main one only).

#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <string>
#include <string_view>

namespace bench {

/// The number after `attribute="` in the last element of that beginning, or 0.
inline double last_number(std::string_view text, std::string_view element, std::string_view attribute) {
    const std::size_t at = text.rfind(element);
    if (at == std::string_view::npos) return 0;
    const std::size_t value = text.find(attribute, at);
    return value == std::string_view::npos ? 0 : std::strtod(text.data() + value + attribute.size(), nullptr);
}

/// What was taken from the system, less what is free, plus the blocks that were mapped by themselves.
/// Fragments count as free; malloc's own headers count.
inline double heap_bytes() {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* stream = ::open_memstream(&text, &size);
    if (stream == nullptr || ::malloc_info(0, stream) != 0) std::abort();
    std::fclose(stream);
    const std::string info(text, size);
    std::free(text);
    return last_number(info, "<system type=\"current\"", "size=\"") -
           last_number(info, "<total type=\"fast\"", "size=\"") -
           last_number(info, "<total type=\"rest\"", "size=\"") +
           last_number(info, "<total type=\"mmap\"", "size=\"");
}

} // namespace bench
