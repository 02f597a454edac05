// SPDX-License-Identifier: MIT
#pragma once
// The one place that holds the version. CMake, Conan, the single header and the inline namespace read it
// here. Both copies of a process may differ: the inline namespace of core/config.hpp keeps their symbols
// apart.

#define WSOLO_VERSION_MAJOR 0
#define WSOLO_VERSION_MINOR 1
#define WSOLO_VERSION_PATCH 0
