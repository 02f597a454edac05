# A stranger's project for Meson, made of copies: Meson takes a subproject from below the project only.

set(project "${WORK}/meson_project")
file(REMOVE_RECURSE "${project}" "${WORK}/meson")
file(COPY "${ROOT}/meson.build" "${ROOT}/include" "${ROOT}/tools" DESTINATION "${project}/subprojects/wsolo")
configure_file("${ROOT}/test_package/test_package.cpp" "${project}/main.cpp" COPYONLY)
configure_file("${CMAKE_CURRENT_LIST_DIR}/meson/meson.build" "${project}/meson.build" COPYONLY)
foreach(arguments "setup;${WORK}/meson;${project}" "test;-C;${WORK}/meson")
    execute_process(COMMAND "${MESON}" ${arguments} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
