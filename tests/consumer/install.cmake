# Installs the build tree TREE into an empty PREFIX, and compares the headers with those of ROOT.

file(REMOVE_RECURSE "${PREFIX}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${TREE}" --prefix "${PREFIX}" COMMAND_ERROR_IS_FATAL ANY)

file(GLOB_RECURSE source RELATIVE "${ROOT}/include" "${ROOT}/include/*")
file(GLOB_RECURSE installed RELATIVE "${PREFIX}/include" "${PREFIX}/include/*")
if(NOT "${source}" STREQUAL "${installed}")
    message(FATAL_ERROR "installed: ${installed}\nexpected: ${source}")
endif()
