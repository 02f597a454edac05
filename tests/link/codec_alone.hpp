#pragma once
// What the units of this program have that include wsolo.hpp as well: before codec.hpp, and after it.

bool works_before();
bool works_after();
