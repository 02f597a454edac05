#include "engine.hpp"

// Atomics: which stores a load may read, where in modification order a store may go, and what synchronizes.

namespace interleave::detail {
namespace {

bool acquires(std::memory_order order) noexcept {
    return order != std::memory_order_relaxed && order != std::memory_order_release;
}
bool releases(std::memory_order order) noexcept {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}
bool sequential(std::memory_order order) noexcept { return order == std::memory_order_seq_cst; }

} // namespace

// The first store that this thread may still read: none that is older than one it knows of, and for seq_cst
// none that is older than what the single order has come to.
std::size_t engine::oldest_readable(const location& at, bool is_sequential) {
    const std::size_t newest = at.stores.size() - 1;
    if (!may_deviate(stale_reads_, bounds_.stale_reads)) return newest;
    const place known = self().known.floor(at.index);
    const place floor = is_sequential ? std::max(known, at.sequential_floor) : known;
    std::size_t oldest = newest;
    while (oldest > 0 && at.stores[oldest - 1].where >= floor) --oldest;
    return oldest;
}

void engine::read_store(location& at, std::size_t which, std::memory_order order) {
    virtual_thread& me = self();
    const message& read = at.stores[which];
    if (which + 1 < at.stores.size()) deviate(stale_reads_);
    me.known.observe(at.index, read.where);
    if (acquires(order) && read.released != nothing_released) me.known.join(released_[read.released]);
    me.hash = mix(me.hash, at.key ^ read.hash);
    look(at.index, read.value);
}

void engine::look(std::size_t index, bits value) {
    virtual_thread& me = self();
    if (me.looked.size() <= index) me.looked.resize(index + 1);
    me.looked[index] = {value, me.round};
}

void engine::raise_sequential(location& at, const message& to) noexcept {
    if (to.where <= at.sequential_floor) return;
    at.sequential_floor = to.where;
    at.sequential_hash = to.hash;
    commit(at);
}

// The stores after which a new one may go, newest first.
void engine::list_places(const location& at, place floor) {
    places_.clear();
    places_.push_back(at.stores.size() - 1);
    if (!may_deviate(stale_reads_, bounds_.stale_reads)) return;
    for (std::size_t i = at.stores.size() - 1; i-- > 0 && at.stores[i].where >= floor;)
        if (!at.stores[i].extended && at.stores[i + 1].where - at.stores[i].where > 1) places_.push_back(i);
}

void engine::put_store(location& at, std::size_t behind, bits value, std::memory_order order, bool extends) {
    virtual_thread& me = self();
    message& before = at.stores[behind];
    const bool newest = behind + 1 == at.stores.size();
    message made;
    made.value = value;
    made.where =
        newest ? before.where + place_step : before.where + (at.stores[behind + 1].where - before.where) / 2;
    me.hash = mix(me.hash, at.key ^ before.hash ^ (extends ? 5U : 3U));
    made.hash = me.hash;
    if (value != before.value) me.idle_pauses = 0;
    me.known.observe(at.index, made.where);
    // A release sequence goes on through read-modify-writes, whatever their own order.
    made.released = extends ? before.released : nothing_released;
    if (releases(order)) {
        if (released_count_ == released_.size()) released_.emplace_back();
        knowledge& handed = released_[released_count_];
        handed = me.known;
        if (made.released != nothing_released) handed.join(released_[made.released]);
        made.released = released_count_++;
    }
    before.extended = before.extended || extends;
    at.stores.insert(at.stores.begin() + static_cast<std::ptrdiff_t>(behind) + 1, made);
    if (newest) {
        at.hash = mix(at.hash, made.hash);
    } else {
        at.hash = at.key;
        for (std::size_t i = 1; i < at.stores.size(); ++i) at.hash = mix(at.hash, at.stores[i].hash);
    }
    if (sequential(order)) raise_sequential(at, made);
    commit(at);
    look(at.index, value);
}

bits engine::load(cell what, std::memory_order order) {
    if (order == std::memory_order_release || order == std::memory_order_acq_rel)
        fail("a load can't release");
    point();
    location& at = use(what, kind::atomic, "load");
    const std::size_t oldest = oldest_readable(at, sequential(order));
    const std::size_t which = at.stores.size() - 1 - choices_.choose(at.stores.size() - oldest);
    read_store(at, which, order);
    if (sequential(order)) raise_sequential(at, at.stores[which]);
    if (tracing_) trace_read("load", at, which, order);
    return at.stores[which].value;
}

void engine::store(cell what, bits value, std::memory_order order) {
    if (order != std::memory_order_relaxed && !releases(order)) fail("a store can't acquire");
    if (order == std::memory_order_acq_rel) fail("a store can't acquire");
    point();
    location& at = use(what, kind::atomic, "store");
    const place known = self().known.floor(at.index);
    list_places(at, sequential(order) ? std::max(known, at.sequential_floor) : known);
    const std::size_t behind = places_[choices_.choose(places_.size())];
    if (behind + 1 < at.stores.size()) deviate(stale_reads_);
    put_store(at, behind, value, order, false);
    if (tracing_) trace_write("store", at, behind + 1, order);
}

bits engine::modify(cell what, transform how, bits operand, std::memory_order order, const char* verb) {
    point();
    location& at = use(what, kind::atomic, verb);
    const place known = self().known.floor(at.index);
    list_places(at, sequential(order) ? std::max(known, at.sequential_floor) : known);
    const std::size_t which = places_[choices_.choose(places_.size())];
    const bits old = at.stores[which].value;
    read_store(at, which, order);
    put_store(at, which, how(old, operand), order, true);
    if (tracing_) trace_write(verb, at, which + 1, order);
    return old;
}

bool engine::compare_exchange(cell what, bits& expected, bits desired, std::memory_order success,
                              std::memory_order failure, bool weak) {
    if (failure == std::memory_order_release || failure == std::memory_order_acq_rel)
        fail("a compare_exchange that fails can't release");
    point();
    const char* verb = weak ? "compare_exchange_weak" : "compare_exchange";
    location& at = use(what, kind::atomic, verb);
    virtual_thread& me = self();
    const std::size_t newest = at.stores.size() - 1;
    const place floor = std::max(me.known.floor(at.index), sequential(success) ? at.sequential_floor : 0);
    const std::size_t oldest = oldest_readable(at, sequential(failure));
    list_places(at, floor);
    // Each way is a store to read: one of the expected value, to succeed after it, or one of another, to
    // fail.
    ways_.clear();
    for (std::size_t i = newest + 1; i-- > 0;) {
        const bool equal = at.stores[i].value == expected;
        const bool free = std::find(places_.begin(), places_.end(), i) != places_.end();
        if (equal ? free : i >= oldest) ways_.push_back(i);
    }
    const bool may_fail = weak && at.stores[newest].value == expected &&
                          may_deviate(spurious_failures_, bounds_.spurious_failures);
    const std::size_t way = choices_.choose(ways_.size() + (may_fail ? 1 : 0));
    if (way == ways_.size()) {
        deviate(spurious_failures_);
        me.restless = true;
        read_store(at, newest, failure);
        me.hash = mix(me.hash, 7);
        if (tracing_) trace_read("compare_exchange_weak fails spuriously:", at, newest, failure);
        return false;
    }
    const std::size_t which = ways_[way];
    if (at.stores[which].value == expected) {
        read_store(at, which, success);
        put_store(at, which, desired, success, true);
        if (tracing_) trace_write(verb, at, which + 1, success);
        return true;
    }
    read_store(at, which, failure);
    if (sequential(failure)) raise_sequential(at, at.stores[which]);
    expected = at.stores[which].value;
    if (tracing_)
        trace_read(weak ? "compare_exchange_weak fails:" : "compare_exchange fails:", at, which, failure);
    return false;
}

} // namespace interleave::detail
