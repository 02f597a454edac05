// The second translation unit of two_units.cpp: it includes the whole library again.

#include "two_units.hpp"

#include <wsolo/core/error_category.hpp>
#include <wsolo/wsolo.hpp>

const std::error_category* category_of_other_unit() { return &wsolo::error_category(); }

std::string text_of_other_unit() { return std::string(wsolo::to_string(wsolo::errc::closed)); }
