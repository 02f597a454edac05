// The second translation unit of two_settings.cpp, without assertions.

#define WSOLO_ENABLE_ASSERTS 0
#include "two_units.hpp"

#include <wsolo/core/error_category.hpp>
#include <wsolo/wsolo.hpp>

#include <typeinfo>

const char* buffer_type_of_other_unit();

const std::error_category* category_of_other_unit() { return &wsolo::error_category(); }

const char* buffer_type_of_other_unit() { return typeid(wsolo::byte_buffer).name(); }
