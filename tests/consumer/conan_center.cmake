# The recipe of packaging/conan-center, filled for an archive of this tree, as conan-center would build it.

set(source "${WORK}/conan_center")
file(REMOVE_RECURSE "${source}")
file(COPY "${WORK}/packages/conan-center/all/" DESTINATION "${source}")
file(COPY "${ROOT}/test_package/" DESTINATION "${source}/test_package")

set(ENV{CONAN_HOME} "${WORK}/conan_center_home")
foreach(arguments
        "profile;detect;--force"
        "remote;disable;*"
        "create;${source};--version;${VERSION};--settings;compiler.cppstd=20;--no-remote")
    message(STATUS "conan ${arguments}")
    execute_process(COMMAND "${CONAN}" ${arguments} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
