#include "engine.hpp"

#include <cstring>

// Where objects live: their birth, every use, their end. An object is used only between its two ends, and
// both ends are ordered with every use by happens-before; that one thread happened to come later is not
// enough.

namespace interleave::detail {
namespace {

const char* noun(kind what) noexcept {
    switch (what) {
    case kind::atomic: return "atomic";
    case kind::mutex: return "mutex";
    case kind::condition: return "condition";
    case kind::plain: return "var";
    }
    return "object";
}

} // namespace

location& engine::add(const void* address, kind what, bits initial) {
    if (location_count_ == locations_.size()) locations_.emplace_back();
    location& at = locations_[location_count_];
    at.address = address;
    at.what = what;
    at.alive = true;
    at.index = location_count_++;
    at.share = 0;
    at.born_by = 0;
    at.born_at = 0;
    at.used.fill(0);
    at.stores.clear();
    at.sequential_floor = 0;
    at.sequential_hash = 0;
    at.owner = -1;
    at.released.clear();
    at.wrote_by = 0;
    at.wrote_at = 0;
    at.key = mix(reinterpret_cast<std::uintptr_t>(address), static_cast<bits>(what));
    at.hash = at.key;
    if (what == kind::atomic) at.stores.push_back({initial, place_step, at.key, nothing_released, false});
    addresses_.set(address, static_cast<std::uint32_t>(at.index));
    return at;
}

void engine::born(const void* address, kind what, bits initial) {
    location& at = add(address, what, initial);
    virtual_thread& me = self();
    // An address may differ between executions with one history; the history doesn't.
    at.key = at.hash = me.hash = mix(me.hash, static_cast<bits>(what) + 0x100);
    at.born_by = at.wrote_by = current_;
    tick(at);
    at.born_at = at.wrote_at = at.used[current_];
    if (what == kind::atomic) {
        at.stores.back().hash = at.key;
        me.known.observe(at.index, at.stores.back().where);
    }
    commit(at);
}

void engine::gone(const void* address, kind what) {
    const std::uint32_t index = addresses_.find(address);
    if (index == address_book::none) return; // made before the execution
    location& at = locations_[index];
    if (!at.alive) fail(label(at) + " is destroyed twice");
    if (at.what == kind::mutex && at.owner >= 0) fail(label(at) + " is destroyed while it is locked");
    if (what == kind::condition)
        for (std::size_t i = 1; i <= thread_count_; ++i)
            if (threads_[i].state == waiting::signal && threads_[i].target == index)
                fail(label(at) + " is destroyed while " + threads_[i].name + " waits on it");
    destroyed_by_self(at);
}

void engine::destroyed_by_self(location& at) {
    virtual_thread& me = self();
    for (std::size_t i = 0; i <= thread_count_; ++i)
        if (at.used[i] > me.known.clock[i])
            fail(label(at) + " is destroyed by " + me.name + " while " + threads_[i].name +
                 " uses it: nothing orders that use before the end");
    at.alive = false;
    me.hash = mix(me.hash, at.key + 1);
    at.hash = mix(at.hash, me.hash);
    commit(at);
    if (tracing_) trace("destroys " + label(at));
}

// An atomic that was made before the execution starts from the value it was left with.
location& engine::use(cell object, kind what, const char* verb) {
    const std::uint32_t index = addresses_.find(object.address);
    if (index == address_book::none) {
        bits left = 0;
        std::memcpy(&left, object.address, object.size);
        location& adopted = add(object.address, what, left);
        tick(adopted);
        return adopted;
    }
    location& at = locations_[index];
    if (!at.alive) fail(self().name + " uses " + label(at) + " after its end (" + verb + ")");
    if (at.what != what) fail(self().name + " takes " + label(at) + " for something else (" + verb + ")");
    if (at.born_at > self().known.clock[at.born_by])
        fail(self().name + " uses " + label(at) + " (" + verb +
             ") though nothing orders its construction before that");
    tick(at);
    return at;
}

void engine::tick(location& at) noexcept { at.used[current_] = ++self().known.clock[current_]; }

void engine::commit(location& at) noexcept {
    memory_hash_ -= at.share;
    at.share = mix(mix(at.key, at.hash), at.sequential_hash);
    memory_hash_ += at.share;
}

void engine::name(const void* address, const char* called) {
    if (tracing_) stage_.props.push_back({nullptr, address, 1, called});
}

std::string engine::label(const location& at) const {
    const std::string named = region(at.address);
    return named.empty() ? std::string(noun(at.what)) + '#' + std::to_string(at.index) : named;
}

// "name+offset" inside an object that has a name, or empty.
std::string engine::region(const void* address) const {
    for (std::size_t i = stage_.props.size(); i-- > 0;) {
        const stage::prop& each = stage_.props[i];
        const auto offset = static_cast<const char*>(address) - static_cast<const char*>(each.address);
        if (offset < 0 || static_cast<std::size_t>(offset) >= each.size) continue;
        return offset == 0 ? each.name : std::string(each.name) + '+' + std::to_string(offset);
    }
    return {};
}

void engine::plain_read(const void* address) {
    location& at = use({address, 0}, kind::plain, "read");
    if (at.wrote_at > self().known.clock[at.wrote_by])
        fail("data race on " + label(at) + ": " + self().name + " reads what " + threads_[at.wrote_by].name +
             " writes");
}

void engine::plain_write(const void* address) {
    location& at = use({address, 0}, kind::plain, "write");
    for (std::size_t i = 0; i <= thread_count_; ++i)
        if (at.used[i] > self().known.clock[i])
            fail("data race on " + label(at) + ": " + self().name + " writes while " + threads_[i].name +
                 " uses it");
    at.wrote_by = current_;
    at.wrote_at = at.used[current_];
}

} // namespace interleave::detail
