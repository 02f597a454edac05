#pragma once
// A writer whose writes end when the test says so, with a hook that counts.

#include <support/writer_fixture.hpp>

#include <wsolo/testing/completing_transport.hpp>

using wsolo::testing::completing_transport;
using wsolo::testing::completing_wire;

struct completing_fixture {
    struct hook {
        completing_fixture* self;
        bool operator()() const {
            ++self->scheduled;
            return !self->refuse;
        }
    };
    using writer_type = wsolo::single_writer<completing_transport, hook, server, recorder, manual_traits>;

    explicit completing_fixture(const wsolo::writer_options& options = {}) {
        out.emplace(completing_transport(wire), hook{this}, options, server{}, recorder{&told});
    }
    strict::stream parsed() const { return strict::parse(wire.bytes(), false); }

    completing_wire wire;
    heard told;
    int scheduled = 0;
    bool refuse = false;
    std::optional<writer_type> out;
};
