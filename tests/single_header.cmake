# wsolo_forwarded: the single header in place of the library. Every <wsolo/ROOM/NAME.hpp> becomes a forwarding header,
# so that tests written for the separate headers run against single_include/ alone.

set(forward "${PROJECT_BINARY_DIR}/forward")
file(GLOB_RECURSE names CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/include/*.hpp")
foreach(name IN LISTS names)
    set(target "wsolo/wsolo.hpp")
    if(EXISTS "${PROJECT_SOURCE_DIR}/single_include/${name}") # an opt-in header
        set(target "${name}")
    endif()
    file(CONFIGURE OUTPUT "${forward}/${name}"
        CONTENT "#pragma once\n#include \"${PROJECT_SOURCE_DIR}/single_include/${target}\"\n" @ONLY)
endforeach()

add_library(wsolo_forwarded INTERFACE)
target_include_directories(wsolo_forwarded INTERFACE "${forward}")
target_compile_features(wsolo_forwarded INTERFACE cxx_std_20)
target_link_libraries(wsolo_forwarded INTERFACE Threads::Threads)
