# cmake --install: the headers, a package for find_package(wsolo CONFIG), one for pkg-config, one in CPS. Headers only, so one
# version file serves every architecture.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(wsolo_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/wsolo")

if(CMAKE_VERSION VERSION_LESS 3.23) # no file sets
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/wsolo" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp")
else()
    set(wsolo_file_sets
        FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILE_SET adapters DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILE_SET adapters_unchecked DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# INCLUDES DESTINATION is for consumers older than CMake 3.23, which do not read file sets.
install(TARGETS wsolo EXPORT wsoloTargets ${wsolo_file_sets} INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT wsoloTargets NAMESPACE wsolo:: DESTINATION "${wsolo_package_dir}")

write_basic_package_version_file("${PROJECT_BINARY_DIR}/wsoloConfigVersion.cmake"
    VERSION "${PROJECT_VERSION}" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_SOURCE_DIR}/cmake/wsoloConfig.cmake" "${PROJECT_BINARY_DIR}/wsoloConfigVersion.cmake"
    DESTINATION "${wsolo_package_dir}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/wsolo.pc.in" "${PROJECT_BINARY_DIR}/wsolo.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/wsolo.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
# A CPS file, which CMake 4.3 and others find. Written here, because CMake's own would ask for a CPS of its threads.
set(prefix "@prefix@")
configure_file("${PROJECT_SOURCE_DIR}/cmake/wsolo.cps.in" "${PROJECT_BINARY_DIR}/wsolo.cps" @ONLY)
unset(prefix)
install(FILES "${PROJECT_BINARY_DIR}/wsolo.cps" DESTINATION "${CMAKE_INSTALL_DATADIR}/cps/wsolo")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/wsolo")
