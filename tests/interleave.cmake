# The interleaving checker of tests/support/interleave. Optimized in every build: a search runs its operations millions
# of times. Who links it is compiled so that every access to plain memory is reported to it (hooks.cpp), unless a
# sanitizer has that place.

file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/support/interleave/*.cpp")
set(hooks ${sources})
list(FILTER hooks INCLUDE REGEX "/(hooks|plain_memory)\\.cpp$")
list(REMOVE_ITEM sources ${hooks})

add_library(wsolo_interleave STATIC ${sources})
target_link_libraries(wsolo_interleave PRIVATE wsolo_strict)
target_compile_options(wsolo_interleave PRIVATE -O2)

if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT WSOLO_SANITIZE)
    target_sources(wsolo_interleave PRIVATE ${hooks})
    target_compile_definitions(wsolo_interleave PRIVATE INTERLEAVE_HOOKS)
    target_compile_options(wsolo_interleave INTERFACE -O1 -fsanitize=thread)
    foreach(name memcpy memmove memset memcmp)
        target_compile_options(wsolo_interleave INTERFACE -fno-builtin-${name}) # an inline copy would go unseen
        target_link_options(wsolo_interleave INTERFACE "LINKER:--wrap=${name}")
    endforeach()
    foreach(name malloc realloc free __cxa_allocate_exception)
        target_link_options(wsolo_interleave INTERFACE "LINKER:--wrap=${name}")
    endforeach()
endif()
