# The module by itself, then a program that imports it. CLANG is the newest that was found.

file(MAKE_DIRECTORY "${WORK}/module")
set(clang "${CLANG}" -std=c++20 -pthread -Wall -Wextra -Werror)
foreach(arguments
        "--precompile;${ROOT}/single_include/wsolo.cppm;-o;${WORK}/module/wsolo.pcm"
        "-fmodule-file=wsolo=${WORK}/module/wsolo.pcm;${CMAKE_CURRENT_LIST_DIR}/module.cpp;${WORK}/module/wsolo.pcm;-o;${WORK}/module/run")
    execute_process(COMMAND ${clang} ${arguments} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND "${WORK}/module/run" COMMAND_ERROR_IS_FATAL ANY)
