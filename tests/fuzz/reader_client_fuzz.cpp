// libFuzzer entry for session/reader.hpp in the client's role. reader_fuzz.hpp says what it checks.

#include "reader_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::fuzz_reader<wsolo::role::client>(data, size);
    return 0;
}
