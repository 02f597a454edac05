# The repository's rules as tests, label check. Each tool says in its head what it refuses; check.teeth shows every one
# of them a house that breaks its rule. What has the label long as well finds little that the rest does not, in much of the
# time: scripts/test leaves it to --sanitize.

find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

set(wsolo_tools "${PROJECT_SOURCE_DIR}/tools")
set(wsolo_compile "${CMAKE_CXX_COMPILER}" -std=c++20 ${wsolo_warnings} "-I${PROJECT_SOURCE_DIR}/include")

function(wsolo_add_check name)
    add_test(NAME "${WSOLO_TEST_PREFIX}${name}" COMMAND ${ARGN})
    set_tests_properties("${WSOLO_TEST_PREFIX}${name}" PROPERTIES LABELS check TIMEOUT 300
        ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1;CXX=${CMAKE_CXX_COMPILER}")
endfunction()

foreach(rule language layers mirror length links version mutants spdx)
    wsolo_add_check(check.${rule} Python3::Interpreter "${wsolo_tools}/check_${rule}.py")
endforeach()
wsolo_add_check(check.backplane_teeth Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/backplane/wrong.py")
wsolo_add_check(check.documented Python3::Interpreter "${wsolo_tools}/check_documented.py")
set_tests_properties("${WSOLO_TEST_PREFIX}check.documented" PROPERTIES SKIP_RETURN_CODE 77) # where there is no Doxygen
wsolo_add_check(check.single_header Python3::Interpreter "${wsolo_tools}/amalgamate.py" --check)
find_path(WSOLO_QT QtNetwork/QTcpServer PATH_SUFFIXES qt6 qt5)
mark_as_advanced(WSOLO_QT)
set(wsolo_readme_flags "")
if(WSOLO_QT) # docs/hosts/qt.md; its headers ask for -fPIC
    set(wsolo_readme_flags -fPIC "-isystem${WSOLO_QT}" "-isystem${WSOLO_QT}/QtCore")
endif()
wsolo_add_check(check.readme Python3::Interpreter "${wsolo_tools}/check_readme.py"
    --work "${CMAKE_CURRENT_BINARY_DIR}/readme" -- ${wsolo_compile} ${wsolo_readme_flags})
# A compile for each block: minutes where others build beside it.
set_tests_properties("${WSOLO_TEST_PREFIX}check.readme" PROPERTIES TIMEOUT 900 COST 50)
wsolo_add_check(check.teeth Python3::Interpreter "${wsolo_tools}/selftest.py")

wsolo_add_check(check.first_screen Python3::Interpreter "${wsolo_tools}/check_first_screen.py"
    --work "${CMAKE_CURRENT_BINARY_DIR}/first_screen" -- "${CMAKE_CXX_COMPILER}" -std=c++20)
set_tests_properties("${WSOLO_TEST_PREFIX}check.first_screen" PROPERTIES LABELS "check;long")

# What a program around wsolo's headers may bring along, or lack.
set(headers "${CMAKE_CURRENT_SOURCE_DIR}/headers")
wsolo_add_check(check.hostile_macros ${wsolo_compile} -fsyntax-only "${headers}/hostile_macros.cpp")
find_program(WSOLO_WARNING_CLANG
    NAMES clang++ clang++-22 clang++-21 clang++-20 clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14)
mark_as_advanced(WSOLO_WARNING_CLANG)
if(WSOLO_WARNING_CLANG)
    wsolo_add_check(check.clang_warnings "${WSOLO_WARNING_CLANG}" -std=c++20 "-I${PROJECT_SOURCE_DIR}/include" -Wcomma
        -Wshadow -Wshadow-field -Wshadow-field-in-constructor -Wctad-maybe-unsupported -Werror -fsyntax-only
        "${headers}/clang_warnings.cpp")
endif()
foreach(form include single_include)
    wsolo_add_check(check.needs_cxx20_${form} "${CMAKE_CXX_COMPILER}" -std=gnu++17 "-I${PROJECT_SOURCE_DIR}/${form}"
        -fsyntax-only "${headers}/cxx17.cpp")
    set_tests_properties("${WSOLO_TEST_PREFIX}check.needs_cxx20_${form}" PROPERTIES
        PASS_REGULAR_EXPRESSION "wsolo needs C\\+\\+20" FAIL_REGULAR_EXPRESSION "error: [^#w'\"]")
endforeach()

# What gdb shows of wsolo's values.
add_executable(debugger_subject "${CMAKE_CURRENT_SOURCE_DIR}/debugger/subject.cpp")
target_link_libraries(debugger_subject PRIVATE wsolo::wsolo wsolo_strict)
target_compile_options(debugger_subject PRIVATE -g -O0)
wsolo_add_check(check.printers Python3::Interpreter "${wsolo_tools}/check_printers.py" $<TARGET_FILE:debugger_subject>)
set_tests_properties("${WSOLO_TEST_PREFIX}check.printers" PROPERTIES SKIP_RETURN_CODE 77)

# The programs that wait or ask what time it is, once more, on a clock that has just begun.
set(programs "")
foreach(name adapt endpoint session sync write scenarios)
    if(TARGET test_${name})
        list(APPEND programs $<TARGET_FILE:test_${name}>)
    endif()
endforeach()
wsolo_add_check(check.fresh_clock Python3::Interpreter "${wsolo_tools}/check_fresh_clock.py" ${programs})
set_tests_properties("${WSOLO_TEST_PREFIX}check.fresh_clock" PROPERTIES LABELS "check;long" PROCESSORS 2 TIMEOUT 1800
    SKIP_RETURN_CODE 77)

if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.24) # older ones do not know the target
    # Every header compiles alone, warnings as errors.
    wsolo_add_check(check.headers_alone
        "${CMAKE_COMMAND}" --build "${PROJECT_BINARY_DIR}" --parallel 2 --target all_verify_interface_header_sets)
    set_tests_properties("${WSOLO_TEST_PREFIX}check.headers_alone" PROPERTIES LABELS "check;long" PROCESSORS 2)
endif()

# Names, bugs, formatting: takes minutes, so under `ctest -C full` only.
add_test(NAME "${WSOLO_TEST_PREFIX}check.lint" CONFIGURATIONS full
    COMMAND "${PROJECT_SOURCE_DIR}/scripts/lint" --no-install)
set_tests_properties("${WSOLO_TEST_PREFIX}check.lint" PROPERTIES LABELS "check;full" TIMEOUT 1800 PROCESSORS 2)

# The Spin models with their mutants: less than a minute, the larger runs under full only. The mutants of the headers:
# minutes. scripts/test installs Spin; without it the plain check is missing here, and a failure under full.
find_program(WSOLO_SPIN spin)
if(WSOLO_SPIN)
    wsolo_add_check(check.models Python3::Interpreter "${PROJECT_SOURCE_DIR}/scripts/models" --no-install)
    set_tests_properties("${WSOLO_TEST_PREFIX}check.models" PROPERTIES TIMEOUT 600 PROCESSORS 2
        LABELS model)
endif()
add_test(NAME "${WSOLO_TEST_PREFIX}full.models" CONFIGURATIONS full
    COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/scripts/models" --full --no-install)
add_test(NAME "${WSOLO_TEST_PREFIX}full.mutants" CONFIGURATIONS full
    COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/scripts/mutants")
foreach(check models mutants)
    set_tests_properties("${WSOLO_TEST_PREFIX}full.${check}" PROPERTIES LABELS full TIMEOUT 3600 PROCESSORS 2)
endforeach()

# The site (Sphinx and Doxygen, installed where they are missing), and the demo's page in a headless Chromium.
add_test(NAME "${WSOLO_TEST_PREFIX}full.docs" CONFIGURATIONS full COMMAND "${PROJECT_SOURCE_DIR}/scripts/docs")
add_test(NAME "${WSOLO_TEST_PREFIX}full.demo_page" CONFIGURATIONS full
    COMMAND "${PROJECT_SOURCE_DIR}/scripts/demo" --check-page)
foreach(check docs demo_page)
    set_tests_properties("${WSOLO_TEST_PREFIX}full.${check}" PROPERTIES LABELS full TIMEOUT 1200 PROCESSORS 2)
endforeach()

file(GLOB cases CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/*.cpp")
foreach(case IN LISTS cases)
    cmake_path(GET case STEM name)
    wsolo_add_check(compile_fail.${name} Python3::Interpreter "${wsolo_tools}/check_compile_fail.py" "${case}"
        -- ${wsolo_compile})
endforeach()
