// Would catch: a setting that changes code but is not part of the inline namespace. Two vendored copies with
// different settings would then share functions, and the linker would pick one of them for both.

#define WSOLO_ENABLE_ASSERTS 1
#include "two_units.hpp"

#include <wsolo/core/error_category.hpp>
#include <wsolo/wsolo.hpp>

#include <typeinfo>

const char* buffer_type_of_other_unit();

int main() {
    const bool own_category = &wsolo::error_category() != category_of_other_unit();
    const bool own_type = std::string_view(typeid(wsolo::byte_buffer).name()) != buffer_type_of_other_unit();
    return own_category && own_type ? 0 : 1;
}
