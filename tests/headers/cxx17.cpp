// Compiled as C++17 by check.needs_cxx20: must say what is missing, and then stop.
#include <wsolo/wsolo.hpp>
int main() {}
