// Would catch: wsolo.hpp and codec.hpp that can't stand in one unit, wsolo.hpp first.

#include "codec_alone.hpp"

#include <wsolo/wsolo.hpp>
//
#include <wsolo/codec.hpp>

bool works_before() {
    wsolo::server_reader in;
    for ([[maybe_unused]] const auto& event : in.read(wsolo::mutable_bytes())) return false;
    return wsolo::header_size(125, false) == 2;
}
