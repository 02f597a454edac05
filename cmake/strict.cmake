# How this project's own programs are built: warnings are errors, and a sanitizer where the preset asks for one. Link
# wsolo_strict privately; consumers never see it.

option(WSOLO_WERROR "Treat warnings in wsolo's own programs as errors" ON)
set(WSOLO_SANITIZE "" CACHE STRING "Sanitizers for wsolo's own programs: empty, 'address,undefined' or 'thread'")

set(wsolo_warnings
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
    -Woverloaded-virtual -Wdouble-promotion -Wcast-align -Wcast-qual -Wformat=2 -Wundef -Wunused
    -Wimplicit-fallthrough -Wextra-semi)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND wsolo_warnings -Wduplicated-cond -Wduplicated-branches -Wredundant-decls)
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    list(APPEND wsolo_warnings -Wmissing-prototypes -Wshorten-64-to-32 -Wnewline-eof -Wthread-safety)
endif()
if(WSOLO_WERROR)
    list(APPEND wsolo_warnings -Werror)
endif()

add_library(wsolo_strict INTERFACE)
target_compile_options(wsolo_strict INTERFACE ${wsolo_warnings})
target_compile_features(wsolo_strict INTERFACE cxx_std_20)

if(WSOLO_SANITIZE)
    set(sanitize "-fsanitize=${WSOLO_SANITIZE}" -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_compile_options(wsolo_strict INTERFACE ${sanitize})
    target_link_options(wsolo_strict INTERFACE ${sanitize})
    # Asio uses a fence, which ThreadSanitizer does not see. g++ warns of each use, also in a system header.
    if(WSOLO_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(wsolo_strict INTERFACE -Wno-tsan)
    endif()
endif()

set(CMAKE_CXX_EXTENSIONS OFF)
