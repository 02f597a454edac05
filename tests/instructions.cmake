# Instructions of hot paths under valgrind (instructions/run.py), label instructions. Noise can't move them, but a compiler
# and its options can: the program is optimized in every tree, and the table has a column for each compiler. Skipped where
# that is another one; missing where valgrind is, or a sanitizer, or another processor.

find_program(WSOLO_VALGRIND valgrind)
find_path(WSOLO_VALGRIND_INCLUDE valgrind/callgrind.h)
mark_as_advanced(WSOLO_VALGRIND WSOLO_VALGRIND_INCLUDE)
if(NOT WSOLO_VALGRIND OR NOT WSOLO_VALGRIND_INCLUDE OR WSOLO_SANITIZE OR WSOLO_TEST_SINGLE_HEADER
   OR NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    message(STATUS "wsolo: no instruction counts: they need valgrind on x86-64, and no sanitizer")
    return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

add_executable(instructions instructions/paths.cpp instructions/cut_off.cpp)
target_link_libraries(instructions PRIVATE wsolo::wsolo wsolo_strict)
target_include_directories(instructions SYSTEM PRIVATE "${WSOLO_VALGRIND_INCLUDE}")
target_compile_options(instructions PRIVATE -O2 -g0)
target_compile_definitions(instructions PRIVATE NDEBUG)
string(REGEX MATCH "^[0-9]+" major "${CMAKE_CXX_COMPILER_VERSION}")
add_test(NAME "${WSOLO_TEST_PREFIX}instructions.paths" COMMAND Python3::Interpreter
    "${CMAKE_CURRENT_SOURCE_DIR}/instructions/run.py" --program $<TARGET_FILE:instructions>
    --table "${CMAKE_CURRENT_SOURCE_DIR}/instructions/allowed.txt" --compiler "${CMAKE_CXX_COMPILER_ID}-${major}")
set_tests_properties("${WSOLO_TEST_PREFIX}instructions.paths" PROPERTIES LABELS instructions TIMEOUT 300
    SKIP_RETURN_CODE 77)
