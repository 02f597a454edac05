#pragma once
// What a scenario has to say: nothing when all went as it should.

#include <string>

namespace support {

/// Something that went wrong; the first one counts.
class complaint {
public:
    void unless(bool holds, const std::string& what) {
        if (!holds && words_.empty()) words_ = what;
    }
    [[nodiscard]] const std::string& words() const { return words_; }

private:
    std::string words_;
};

} // namespace support
