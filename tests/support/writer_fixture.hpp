#pragma once
// A writer on a scripted wire, with a hook that counts, and the sentence that every writer test ends with:
// whatever reached the wire parses strictly, and what was accepted was written or dropped.

#include <support/catch.hpp>
#include <support/manual_clock.hpp>
#include <support/strict_parser.hpp>

#include <wsolo/testing/scripted_transport.hpp>
#include <wsolo/write/wait.hpp>

#include <deque>
#include <functional>
#include <optional>

using wsolo::errc;
using wsolo::io_status;
using wsolo::pump_status;
using namespace std::chrono_literals;

/// Keys that repeat from run to run; not zero, so that a missing or doubled mask shows.
struct test_keys {
    unsigned state = 0x1234'5678U;
    wsolo::masking_key next_key() noexcept {
        state = state * 1664525U + 1013904223U;
        wsolo::masking_key key;
        for (unsigned i = 0; i < 4; ++i) key.bytes[i] = static_cast<std::byte>((state >> (8 * i)) | 1U);
        return key;
    }
};

using server = wsolo::server_side;
using client = wsolo::client_side<test_keys>;

struct heard {
    std::vector<wsolo::drain_report> reports;
    int high = 0, low = 0;
};

struct recorder {
    heard* told;
    void on_finished(const wsolo::drain_report& report) const { told->reports.push_back(report); }
    void on_high_water() const { ++told->high; }
    void on_low_water() const { ++told->low; }
};

/// Collects outcomes, in the order in which they were told.
struct outcome_log {
    wsolo::on_outcome next() {
        entries.push_back({this, static_cast<int>(entries.size())});
        return {[](void* context, errc outcome) noexcept {
                    auto* entry = static_cast<entry_type*>(context);
                    entry->log->told.emplace_back(entry->number, outcome);
                },
                &entries.back()};
    }
    struct entry_type {
        outcome_log* log;
        int number;
    };
    std::deque<entry_type> entries;
    std::vector<std::pair<int, errc>> told; // (number of next() call, outcome)
};

template <class Side, class Encoder = wsolo::never_encoded>
struct writer_fixture {
    struct hook {
        writer_fixture* self;
        bool operator()() const {
            ++self->scheduled;
            return !self->refuse;
        }
    };
    using writer_type = wsolo::single_writer<wsolo::testing::scripted_transport, hook, Side, recorder,
                                             manual_traits, Encoder>;

    explicit writer_fixture(const wsolo::writer_options& options = {}, Encoder encoder = {}) {
        make(options, std::move(encoder));
    }

    void make(const wsolo::writer_options& options, Encoder encoder = {}) {
        out.emplace(wsolo::testing::scripted_transport(wire), hook{this}, options, Side{}, recorder{&told},
                    std::move(encoder));
    }

    wsolo::control_frame pong(std::string_view payload) {
        if constexpr (Side::self == wsolo::role::client) {
            return *wsolo::make_pong<wsolo::role::client>(wsolo::bytes_of(payload), keys);
        } else {
            return *wsolo::make_pong<wsolo::role::server>(wsolo::bytes_of(payload));
        }
    }
    wsolo::control_frame ping(std::string_view payload) {
        if constexpr (Side::self == wsolo::role::client) {
            return *wsolo::make_ping<wsolo::role::client>(wsolo::bytes_of(payload), keys);
        } else {
            return *wsolo::make_ping<wsolo::role::server>(wsolo::bytes_of(payload));
        }
    }

    /// The wire so far, strictly.
    strict::stream parsed() const { return strict::parse(wire.bytes(), wsolo::masks(Side::self)); }

    /// The payloads of one opcode, in wire order. The wire parses without error.
    std::vector<std::string> payloads(int opcode) const {
        std::vector<std::string> found;
        const strict::stream all = parsed();
        CHECK(all.error == "");
        for (const strict::frame& frame : all.frames) {
            if (frame.opcode == opcode) found.push_back(frame.payload);
        }
        return found;
    }

    /// Pumps until there is nothing left to do without the clock moving; blocked counts as "try again".
    pump_status pump_all() {
        for (int guard = 0; guard < 1'000'000; ++guard) {
            const pump_status status = out->pump().status;
            if (status == pump_status::idle || status == pump_status::finished) return status;
        }
        return pump_status::blocked;
    }

    wsolo::testing::scripted_wire wire;
    test_keys keys;
    heard told;
    std::vector<wsolo::drain_report>& reports = told.reports;
    int scheduled = 0;
    bool refuse = false;
    std::optional<writer_type> out;
};
