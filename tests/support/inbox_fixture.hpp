#pragma once
// An inbox of texts, and a note of everything that it calls.

#include <support/catch.hpp>

#include <wsolo/sync/inbox.hpp>

#include <string>
#include <utility>
#include <vector>

namespace support {

/// What an inbox called.
struct inbox_notes {
    int scheduled = 0;
    int resumed = 0;
    std::vector<wsolo::inbox_report> reports;
    bool refuses = false; ///< the hook's answer

    struct hook {
        inbox_notes* to;
        bool operator()() const {
            ++to->scheduled;
            return !to->refuses;
        }
        void on_resume() const { ++to->resumed; }
        void on_finished(const wsolo::inbox_report& report) const { to->reports.push_back(report); }
    };
};

template <class Message>
struct basic_inbox_fixture : inbox_notes {
    using inbox = wsolo::inbox<Message, inbox_notes::hook>;

    explicit basic_inbox_fixture(const wsolo::inbox_limits& limits = {})
        : in(inbox_notes::hook{this}, limits) {}

    inbox in;
};

struct inbox_fixture : basic_inbox_fixture<std::string> {
    using basic_inbox_fixture::basic_inbox_fixture;

    std::vector<std::string> handled;

    /// Pushes `text` as 10 bytes.
    wsolo::inbox_push push(std::string text) { return in.push(std::move(text), 10); }
    /// Handles what is queued.
    wsolo::inbox_drain drain(std::size_t quantum = inbox::no_quantum) {
        return in.drain([this](std::string&& text) { handled.push_back(std::move(text)); }, quantum);
    }
    /// The same; the handler answers `error` to the text `of`.
    wsolo::inbox_drain drain_until(const std::string& of, wsolo::errc error) {
        return in.drain([&](std::string&& text) {
            handled.push_back(text);
            return text == of ? error : wsolo::errc::none;
        });
    }
};

} // namespace support
