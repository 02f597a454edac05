#pragma once
// What the second translation unit says, to be compared with what the first one sees.

#include <string>
#include <system_error>

const std::error_category* category_of_other_unit();
std::string text_of_other_unit();
