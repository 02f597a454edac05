// Would catch: a function or variable in a header that is not inline (the link fails), and a function-local
// static that the two units do not share.

#include "two_units.hpp"

#include <wsolo/core/error_category.hpp>
#include <wsolo/wsolo.hpp>

int main() {
    const bool same_category = &wsolo::error_category() == category_of_other_unit();
    const bool same_bytes = std::string_view(text_of_other_unit()) == wsolo::to_string(wsolo::errc::closed);
    return same_category && same_bytes ? 0 : 1;
}
