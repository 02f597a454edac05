# packaging/vcpkg as an overlay port of the vcpkg in VCPKG: an archive of this tree is installed into folders of WORK, then
# tests/consumer takes it by find_package and by pkg-config. Nothing of the user's own is written, and nothing fetched but what
# vcpkg itself lacks.

set(at "${WORK}/vcpkg")
file(REMOVE_RECURSE "${at}")
set(ENV{VCPKG_ROOT} "${VCPKG}")
set(ENV{VCPKG_DISABLE_METRICS} 1)
set(ENV{VCPKG_BINARY_SOURCES} clear)
find_program(ninja ninja)
if(ninja)
    set(ENV{VCPKG_FORCE_SYSTEM_BINARIES} 1) # this CMake and Ninja, and not what vcpkg would download
endif()
execute_process(COMMAND "${VCPKG}/vcpkg" install wsolo --enforce-port-checks "--overlay-ports=${WORK}/packages/vcpkg"
    "--x-install-root=${at}/installed" "--x-packages-root=${at}/packages" "--x-buildtrees-root=${at}/trees"
    "--downloads-root=${at}/downloads" COMMAND_ERROR_IS_FATAL ANY)

file(GLOB triplet "${at}/installed/*/lib/pkgconfig")
set(ENV{PKG_CONFIG_PATH} "${triplet}")
foreach(take find_package pkg_config)
    set(tree "${at}/${take}")
    foreach(step
            "-S;${CMAKE_CURRENT_LIST_DIR};-B;${tree};-DCMAKE_TOOLCHAIN_FILE=${VCPKG}/scripts/buildsystems/vcpkg.cmake;-DVCPKG_MANIFEST_MODE=OFF;-DVCPKG_INSTALLED_DIR=${at}/installed;-DTAKE=${take};-DASK=${VERSION};-DWSOLO_ROOT=${ROOT};-DWSOLO_VERSION=${VERSION}"
            "--build;${tree}")
        execute_process(COMMAND "${CMAKE_COMMAND}" ${step} COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
    execute_process(COMMAND "${tree}/consumer" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
