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

# Each option requires its library, in a version that the recipe's range takes, and nothing is required without one. Recipes of
# these names stand for the real ones.
set(libraries asio/1.30.2 boost/1.83.0 libuv/1.48.0 openssl/3.2.1)
set(names "")
foreach(library IN LISTS libraries)
    string(REPLACE "/" ";" parts "${library}")
    list(GET parts 0 name)
    list(GET parts 1 version)
    list(APPEND names ${name})
    file(WRITE "${WORK}/conan_${name}/conanfile.py"
        "from conan import ConanFile\n\n\nclass Stand(ConanFile):\n    name = \"${name}\"\n    version = \"${version}\"\n")
    execute_process(COMMAND "${CONAN}" export "${WORK}/conan_${name}" OUTPUT_QUIET ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
endforeach()
foreach(wanted IN LISTS names ITEMS none)
    set(option "")
    if(NOT wanted STREQUAL "none")
        set(option --options "&:with_${wanted}=True")
    endif()
    execute_process(COMMAND "${CONAN}" graph info "${source}" ${option} --settings compiler.cppstd=20 --no-remote --format json
        OUTPUT_VARIABLE graph ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
    foreach(library name IN ZIP_LISTS libraries names)
        string(FIND "${graph}" "\"ref\": \"${library}#" at)
        if(name STREQUAL wanted AND at EQUAL -1)
            message(FATAL_ERROR "with_${wanted} does not require ${library}")
        elseif(NOT name STREQUAL wanted AND NOT at EQUAL -1)
            message(FATAL_ERROR "with ${wanted} ${library} is required")
        endif()
    endforeach()
    message(STATUS "conan: with ${wanted}: as it should be")
endforeach()
