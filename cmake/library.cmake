# The target wsolo::wsolo: headers only. The adapters are a file set of their own, because each needs the library that
# it bridges to; who does not include one does not need it.

find_package(Threads REQUIRED)

file(GLOB_RECURSE wsolo_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/wsolo/*.hpp")
set(wsolo_adapters "${wsolo_headers}")
list(FILTER wsolo_headers EXCLUDE REGEX "/include/wsolo/adapt/")
list(FILTER wsolo_adapters INCLUDE REGEX "/include/wsolo/adapt/")

add_library(wsolo INTERFACE)
add_library(wsolo::wsolo ALIAS wsolo)
target_compile_features(wsolo INTERFACE cxx_std_20)
target_link_libraries(wsolo INTERFACE Threads::Threads)

# An adapter whose head says `// Needs: some/header.h` is compiled here only where that header exists.
set(wsolo_adapters_here "")
set(wsolo_adapters_elsewhere "")
foreach(adapter IN LISTS wsolo_adapters)
    file(STRINGS "${adapter}" needs REGEX "^// Needs: ")
    string(REGEX REPLACE "^// Needs: ([^ ]+).*" "\\1" needed "${needs}")
    set(found TRUE)
    if(needed AND PROJECT_IS_TOP_LEVEL)
        string(MAKE_C_IDENTIFIER "WSOLO_HEADER_${needed}" variable)
        find_path(${variable} "${needed}")
        mark_as_advanced(${variable})
        set(found ${${variable}})
    endif()
    if(found)
        list(APPEND wsolo_adapters_here "${adapter}")
    else()
        list(APPEND wsolo_adapters_elsewhere "${adapter}")
        cmake_path(GET adapter FILENAME name)
        message(STATUS "wsolo: adapt/${name} is not checked: ${needed} was not found")
    endif()
endforeach()
if(CMAKE_VERSION VERSION_LESS 3.23) # no file sets
    target_include_directories(wsolo INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>")
    return()
endif()
target_sources(wsolo INTERFACE
    FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${wsolo_headers}
    FILE_SET adapters TYPE HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${wsolo_adapters_here}
    FILE_SET adapters_unchecked TYPE HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${wsolo_adapters_elsewhere})
if(PROJECT_IS_TOP_LEVEL)
    # Every header compiles alone: the target all_verify_interface_header_sets.
    set_target_properties(wsolo PROPERTIES
        VERIFY_INTERFACE_HEADER_SETS ON
        INTERFACE_HEADER_SETS_TO_VERIFY "HEADERS;adapters")
endif()
