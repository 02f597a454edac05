# wsolo_launcher: what to put before a test's command. Empty, except under ThreadSanitizer where the kernel randomizes
# addresses more widely than the sanitizer's runtime was built for: then `setarch -R`, if that helps.

set(wsolo_launcher "")
if(WSOLO_SANITIZE MATCHES "thread" AND NOT DEFINED WSOLO_SETARCH_NEEDED)
    set(probe "${PROJECT_BINARY_DIR}/probe.cpp")
    file(WRITE "${probe}" "int main() {}\n")
    try_compile(probe_built "${PROJECT_BINARY_DIR}/probe" "${probe}"
        LINK_OPTIONS -fsanitize=thread CMAKE_FLAGS "-DCMAKE_CXX_FLAGS=-fsanitize=thread -fPIE"
        COPY_FILE "${PROJECT_BINARY_DIR}/probe.run")
    set(failures 0)
    foreach(attempt RANGE 1 8) # the address layout differs from run to run
        execute_process(COMMAND "${PROJECT_BINARY_DIR}/probe.run" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
        if(failed)
            math(EXPR failures "${failures} + 1")
        endif()
    endforeach()
    set(WSOLO_SETARCH_NEEDED ${failures} CACHE INTERNAL "runs of eight in which ThreadSanitizer could not start")
endif()
if(WSOLO_SETARCH_NEEDED)
    find_program(WSOLO_SETARCH setarch REQUIRED)
    set(wsolo_launcher "${WSOLO_SETARCH}" "${CMAKE_HOST_SYSTEM_PROCESSOR}" -R)
    message(STATUS "wsolo: tests start without address randomization (${wsolo_launcher})")
endif()
