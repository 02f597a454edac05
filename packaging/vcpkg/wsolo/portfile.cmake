# SPDX-License-Identifier: MIT
set(VCPKG_BUILD_TYPE release) # only headers: nothing differs, and nothing has an rpath
set(VCPKG_FIXUP_ELF_RPATH OFF)

vcpkg_download_distfile(archive
    URLS "@ARCHIVE@"
    FILENAME "wsolo-@VERSION@.tar.gz"
    SHA512 @SHA512@)
vcpkg_extract_source_archive(source ARCHIVE "${archive}")

vcpkg_cmake_configure(SOURCE_PATH "${source}"
    OPTIONS -DWSOLO_BUILD_TESTS=OFF -DWSOLO_BUILD_BENCH=OFF -DWSOLO_BUILD_EXAMPLES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/wsolo)
file(MAKE_DIRECTORY "${CURRENT_PACKAGES_DIR}/lib")
file(RENAME "${CURRENT_PACKAGES_DIR}/share/pkgconfig" "${CURRENT_PACKAGES_DIR}/lib/pkgconfig") # where vcpkg wants one with Libs
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/licenses")
vcpkg_install_copyright(FILE_LIST "${source}/LICENSE")
