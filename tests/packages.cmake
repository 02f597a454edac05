# Every way to take wsolo in, tried from outside, label package: find_package after an install (and a version that must be
# refused), pkg-config, CPS, add_subdirectory, FetchContent, the single header alone, a C++20 module, Meson, Conan, and what
# packaging/ has for others: parsed, and run where its tool is found.

set(consumer "${CMAKE_CURRENT_SOURCE_DIR}/consumer")
set(work "${CMAKE_CURRENT_BINARY_DIR}/packages")
set(prefix "${work}/prefix")

function(wsolo_add_package_test name)
    add_test(NAME "${WSOLO_TEST_PREFIX}package.${name}" COMMAND ${ARGN})
    set_tests_properties("${WSOLO_TEST_PREFIX}package.${name}" PROPERTIES LABELS package TIMEOUT 600)
endfunction()

# Configures, builds and runs tests/consumer, which takes wsolo in the given way.
function(wsolo_add_consumer name)
    wsolo_add_package_test(${name} "${CMAKE_CTEST_COMMAND}"
        --build-and-test "${consumer}" "${work}/${name}"
        --build-generator "${CMAKE_GENERATOR}" --build-makeprogram "${CMAKE_MAKE_PROGRAM}"
        --build-options "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" "-DWSOLO_ROOT=${PROJECT_SOURCE_DIR}"
        "-DWSOLO_VERSION=${PROJECT_VERSION}" "-DCMAKE_PREFIX_PATH=${prefix}" ${ARGN}
        --test-command consumer)
endfunction()

wsolo_add_package_test(install "${CMAKE_COMMAND}" "-DTREE=${PROJECT_BINARY_DIR}" "-DPREFIX=${prefix}"
    "-DROOT=${PROJECT_SOURCE_DIR}" -P "${consumer}/install.cmake")
set_tests_properties("${WSOLO_TEST_PREFIX}package.install" PROPERTIES FIXTURES_SETUP wsolo_installed)

wsolo_add_consumer(find_package -DTAKE=find_package "-DASK=${PROJECT_VERSION}")
wsolo_add_consumer(refuses_version_99 -DTAKE=find_package -DASK=99)
if(CMAKE_VERSION VERSION_GREATER_EQUAL 4.3) # by its CPS file alone
    wsolo_add_package_test(cps_alone "${CMAKE_COMMAND}" "-DFROM=${prefix}" "-DTO=${work}/cps" -P "${consumer}/cps.cmake")
    wsolo_add_consumer(cps -DTAKE=find_package "-DASK=${PROJECT_VERSION}" "-DCMAKE_PREFIX_PATH=${work}/cps")
    set_tests_properties("${WSOLO_TEST_PREFIX}package.cps_alone" PROPERTIES FIXTURES_REQUIRED wsolo_installed
        FIXTURES_SETUP wsolo_cps)
    set_tests_properties("${WSOLO_TEST_PREFIX}package.cps" PROPERTIES FIXTURES_REQUIRED wsolo_cps)
endif()
find_package(PkgConfig QUIET)
if(PKG_CONFIG_FOUND)
    wsolo_add_consumer(pkg_config -DTAKE=pkg_config "-DASK=${PROJECT_VERSION}")
    set_tests_properties("${WSOLO_TEST_PREFIX}package.pkg_config" PROPERTIES FIXTURES_REQUIRED wsolo_installed
        ENVIRONMENT "PKG_CONFIG_PATH=${prefix}/share/pkgconfig")
endif()
set_tests_properties("${WSOLO_TEST_PREFIX}package.find_package" "${WSOLO_TEST_PREFIX}package.refuses_version_99"
    PROPERTIES FIXTURES_REQUIRED wsolo_installed)
set_tests_properties("${WSOLO_TEST_PREFIX}package.refuses_version_99" PROPERTIES
    PASS_REGULAR_EXPRESSION "compatible[ \n]+with requested version \"99\"")

wsolo_add_consumer(add_subdirectory -DTAKE=add_subdirectory)
wsolo_add_consumer(fetch_content -DTAKE=fetch_content)
wsolo_add_consumer(single_header -DTAKE=single_header)

# The module, by the newest clang that is here: opt-in, because compilers and CMake differ most in it.
option(WSOLO_TEST_MODULE "Build the C++20 module and a program that imports it" OFF)
if(WSOLO_TEST_MODULE)
    find_program(WSOLO_MODULE_CLANG NAMES clang++-23 clang++-22 clang++-21 clang++-20 clang++-19 clang++-18 clang++-17 REQUIRED)
    wsolo_add_package_test(module "${CMAKE_COMMAND}" "-DCLANG=${WSOLO_MODULE_CLANG}" "-DROOT=${PROJECT_SOURCE_DIR}"
        "-DWORK=${work}" -P "${consumer}/module.cmake")
endif()

find_program(WSOLO_MESON meson HINTS "${PROJECT_SOURCE_DIR}/build/venv/bin")
if(WSOLO_MESON)
    wsolo_add_package_test(meson "${CMAKE_COMMAND}" -E env "CXX=${CMAKE_CXX_COMPILER}"
        "${CMAKE_COMMAND}" "-DMESON=${WSOLO_MESON}" "-DROOT=${PROJECT_SOURCE_DIR}" "-DWORK=${work}"
        -P "${consumer}/meson.cmake")
else()
    message(STATUS "wsolo: meson was not found, the test package.meson is left out")
endif()

find_program(WSOLO_CONAN conan HINTS "${PROJECT_SOURCE_DIR}/build/venv/bin")
if(WSOLO_CONAN)
    wsolo_add_package_test(conan "${CMAKE_COMMAND}" -E env "CXX=${CMAKE_CXX_COMPILER}"
        "${CMAKE_COMMAND}" "-DCONAN=${WSOLO_CONAN}" "-DROOT=${PROJECT_SOURCE_DIR}" "-DWORK=${work}"
        -P "${consumer}/conan.cmake")
else()
    message(STATUS "wsolo: conan was not found, the test package.conan is left out")
endif()

# packaging/, filled for an archive of this tree.
wsolo_add_package_test(filled Python3::Interpreter "${PROJECT_SOURCE_DIR}/tools/make_packages.py"
    --pack "${work}/wsolo-${PROJECT_VERSION}.tar.gz" --out "${work}/packages")
set_tests_properties("${WSOLO_TEST_PREFIX}package.filled" PROPERTIES FIXTURES_SETUP wsolo_filled
    ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
wsolo_add_consumer(fetch_archive -DTAKE=fetch_archive "-DARCHIVE=${work}/wsolo-${PROJECT_VERSION}.tar.gz")
set_tests_properties("${WSOLO_TEST_PREFIX}package.fetch_archive" PROPERTIES FIXTURES_REQUIRED wsolo_filled)
if(WSOLO_CONAN)
    wsolo_add_package_test(conan_center "${CMAKE_COMMAND}" -E env "CXX=${CMAKE_CXX_COMPILER}"
        "${CMAKE_COMMAND}" "-DCONAN=${WSOLO_CONAN}" "-DROOT=${PROJECT_SOURCE_DIR}" "-DWORK=${work}"
        "-DVERSION=${PROJECT_VERSION}" -P "${consumer}/conan_center.cmake")
    set_tests_properties("${WSOLO_TEST_PREFIX}package.conan_center" PROPERTIES FIXTURES_REQUIRED wsolo_filled)
endif()
find_program(WSOLO_XMAKE xmake)
mark_as_advanced(WSOLO_XMAKE)
if(WSOLO_XMAKE)
    wsolo_add_package_test(xmake "${CMAKE_COMMAND}" "-DXMAKE=${WSOLO_XMAKE}" "-DROOT=${PROJECT_SOURCE_DIR}" "-DWORK=${work}"
        "-DVERSION=${PROJECT_VERSION}" -P "${consumer}/xmake.cmake")
    set_tests_properties("${WSOLO_TEST_PREFIX}package.xmake" PROPERTIES FIXTURES_REQUIRED wsolo_filled)
else()
    message(STATUS "wsolo: xmake was not found, the test package.xmake is left out")
endif()
find_program(WSOLO_BAZEL bazel)
mark_as_advanced(WSOLO_BAZEL)
if(WSOLO_BAZEL)
    wsolo_add_package_test(bazel "${CMAKE_COMMAND}" "-DBAZEL=${WSOLO_BAZEL}" "-DROOT=${PROJECT_SOURCE_DIR}" "-DWORK=${work}"
        -P "${consumer}/bazel.cmake")
    set_tests_properties("${WSOLO_TEST_PREFIX}package.bazel" PROPERTIES FIXTURES_REQUIRED wsolo_filled
        SKIP_REGULAR_EXPRESSION "wsolo: skipped: ")
else()
    message(STATUS "wsolo: bazel was not found, the test package.bazel is left out")
endif()
set(WSOLO_VCPKG "$ENV{VCPKG_ROOT}" CACHE PATH "A vcpkg, for the test package.vcpkg")
mark_as_advanced(WSOLO_VCPKG)
if(EXISTS "${WSOLO_VCPKG}/vcpkg")
    wsolo_add_package_test(vcpkg "${CMAKE_COMMAND}" -E env "CXX=${CMAKE_CXX_COMPILER}"
        "${CMAKE_COMMAND}" "-DVCPKG=${WSOLO_VCPKG}" "-DROOT=${PROJECT_SOURCE_DIR}" "-DWORK=${work}"
        "-DVERSION=${PROJECT_VERSION}" -P "${consumer}/vcpkg.cmake")
    set_tests_properties("${WSOLO_TEST_PREFIX}package.vcpkg" PROPERTIES FIXTURES_REQUIRED wsolo_filled)
else()
    message(STATUS "wsolo: VCPKG_ROOT names no vcpkg, the test package.vcpkg is left out")
endif()
