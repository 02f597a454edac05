# Sets WSOLO_VERSION from include/wsolo/version.hpp, the one place that holds it.

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../include/wsolo/version.hpp" lines REGEX "^#define WSOLO_VERSION_")
foreach(part MAJOR MINOR PATCH)
    if(NOT lines MATCHES "WSOLO_VERSION_${part} ([0-9]+)")
        message(FATAL_ERROR "include/wsolo/version.hpp: WSOLO_VERSION_${part} is missing")
    endif()
    set(WSOLO_VERSION_${part} ${CMAKE_MATCH_1})
endforeach()
set(WSOLO_VERSION "${WSOLO_VERSION_MAJOR}.${WSOLO_VERSION_MINOR}.${WSOLO_VERSION_PATCH}")
unset(lines)

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/../include/wsolo/version.hpp")
