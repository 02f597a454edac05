// Would catch: a codec.hpp that lacks something, that brings wsolo.hpp along, or that can't be linked with units that have
// both.

#include "codec_alone.hpp"

#include <wsolo/codec.hpp>

#if defined(WSOLO_SINGLE_HEADER) || defined(_GLIBCXX_ATOMIC) || defined(_GLIBCXX_OPTIONAL)
#error "codec.hpp brings more than the codec"
#endif

#include <cstring>

namespace {

// One frame through the encoder, then through the header's parser, the mask and the UTF-8 check.
template <wsolo::role Role, class... Keys>
bool passes(std::string_view text, Keys... keys) {
    std::byte wire[64]{};
    const auto size = wsolo::encode_frame<Role>(wire, wsolo::opcode::text, wsolo::bytes_of(text), keys...);
    if (!size || *size != wsolo::encoded_size<Role>(text.size()) || wire[0] != std::byte{0x81}) return false;
    const wsolo::header_parse parsed = wsolo::parse_header(wsolo::const_bytes(wire, *size));
    if (parsed.status != wsolo::parse_status::complete) return false;
    const wsolo::mutable_bytes got = wsolo::mutable_bytes(wire).subspan(parsed.size, text.size());
    if (parsed.header.masked) wsolo::apply_mask(got, parsed.header.key);
    return parsed.header.masked == wsolo::masks(Role) && wsolo::is_valid_utf8(got) &&
           std::memcmp(got.data(), text.data(), got.size()) == 0;
}

} // namespace

int main() {
    const wsolo::masking_key key{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    const bool passed = passes<wsolo::role::client>("w\u00f6solo", wsolo::one_key(key)) &&
                        passes<wsolo::role::server>("wsolo");
    return passed && works_before() && works_after() ? 0 : 1;
}
