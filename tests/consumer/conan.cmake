# conan create from a copy of the recipe's files (it builds test_package beside them), with a home of its own and without
# any remote.

set(source "${WORK}/conan_source")
file(REMOVE_RECURSE "${source}")
file(COPY "${ROOT}/packaging/HOMEPAGE" DESTINATION "${source}/packaging")
file(COPY "${ROOT}/conanfile.py" "${ROOT}/LICENSE" "${ROOT}/include" "${ROOT}/test_package" DESTINATION "${source}")

set(ENV{CONAN_HOME} "${WORK}/conan_home")
foreach(arguments
        "profile;detect;--force"
        "remote;disable;*"
        "create;${source};--settings;compiler.cppstd=20;--no-remote")
    message(STATUS "conan ${arguments}")
    execute_process(COMMAND "${CONAN}" ${arguments} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
