// libFuzzer entry for text/utf8.hpp. Input: two bytes that choose the chunking, four of a key, then the text.
//
// Oracle: in one part, in chunks, and masked in chunks, the verdict and the first bad byte are those of an
// independent check by arithmetic; what was masked is unmasked to the last byte.

#include "fuzz.hpp"

#include <wsolo/text/utf8.hpp>

#include <algorithm>

using fuzz::require;

namespace {

struct judged {
    std::uint64_t valid = 0;
    bool failed = false;
    bool complete = false;
};

judged verdict_of(const wsolo::utf8_validator& text) {
    return {text.valid_up_to(), text.failed(), text.complete()};
}

judged in_one(wsolo::const_bytes input) {
    wsolo::utf8_validator text;
    const auto whole = fuzz::copy_of(input);
    require(text.write(whole) != text.failed(), "write() and failed() say different things");
    return verdict_of(text);
}

judged in_parts(wsolo::const_bytes input, fuzz::chunking chunks) {
    wsolo::utf8_validator text;
    fuzz::in_chunks(input, chunks, [&](wsolo::mutable_bytes part) { return text.write(part); });
    return verdict_of(text);
}

judged masked_in_parts(wsolo::const_bytes input, fuzz::chunking chunks, wsolo::masking_key key) {
    wsolo::utf8_validator text;
    std::size_t offset = 0;
    fuzz::in_chunks(input, chunks, [&](wsolo::mutable_bytes part) {
        const wsolo::const_bytes clear = input.subspan(offset, part.size());
        for (std::size_t i = 0; i < part.size(); ++i) part[i] ^= key.bytes[(offset + i) % 4];
        const bool good = text.write_masked(part, key, offset);
        require(std::equal(part.begin(), part.end(), clear.begin()), "the text was not unmasked");
        offset += part.size();
        return good;
    });
    return verdict_of(text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::source input(data, size);
    const std::uint8_t largest = input.byte();
    const fuzz::chunking chunks(largest, input.byte());
    wsolo::masking_key key;
    for (std::byte& byte : key.bytes) byte = static_cast<std::byte>(input.byte());

    const fuzz::utf8_verdict truth = fuzz::utf8_by_arithmetic(input.rest());
    const bool bad = truth.first_bad != std::string_view::npos;
    const judged all[] = {in_one(input.rest()), in_parts(input.rest(), chunks),
                          masked_in_parts(input.rest(), chunks, key)};
    for (const judged& each : all) {
        require(each.failed == bad, "the verdict is wrong");
        require(each.complete == (!bad && !truth.cut_off), "the end is judged wrongly");
        require(each.valid == (bad ? truth.first_bad : input.rest().size()),
                "the first bad byte is another one");
    }
    require(wsolo::is_valid_utf8(input.rest()) == (!bad && !truth.cut_off),
            "is_valid_utf8() says something else");
    return 0;
}
