#include "engine.hpp"

#include <cstdio>

// The failing execution in words, one operation a line. Written only while a schedule is replayed.

namespace interleave::detail {
namespace {

const char* word(std::memory_order order) noexcept {
    switch (order) {
    case std::memory_order_relaxed: return "relaxed";
    case std::memory_order_consume: return "consume";
    case std::memory_order_acquire: return "acquire";
    case std::memory_order_release: return "release";
    case std::memory_order_acq_rel: return "acq_rel";
    case std::memory_order_seq_cst: return "seq_cst";
    }
    return "?";
}

std::string shown(bits value) {
    char text[24];
    std::snprintf(text, sizeof text, value < 100'000 ? "%llu" : "0x%llx",
                  static_cast<unsigned long long>(value));
    return text;
}

} // namespace

void engine::trace(const std::string& line) {
    char head[64];
    std::snprintf(head, sizeof head, "%4llu  %-14s ", static_cast<unsigned long long>(steps_),
                  self().name.c_str());
    trace_ += head;
    trace_ += line;
    trace_ += '\n';
}

void engine::trace_read(const char* verb, const location& at, std::size_t which, std::memory_order order) {
    std::string line =
        std::string(verb) + ' ' + label(at) + " = " + shown(at.stores[which].value) + ' ' + word(order);
    if (which + 1 != at.stores.size())
        line += " (stale; the newest is " + shown(at.stores.back().value) + ')';
    trace(line);
}

void engine::trace_write(const char* verb, const location& at, std::size_t which, std::memory_order order) {
    std::string line = std::string(verb) + ' ' + label(at) + ' ';
    if (at.stores[which - 1].extended) line += shown(at.stores[which - 1].value) + " -> ";
    line += shown(at.stores[which].value) + ' ' + word(order);
    if (which + 1 != at.stores.size()) line += " (comes before " + shown(at.stores[which + 1].value) + ')';
    trace(line);
}

} // namespace interleave::detail
