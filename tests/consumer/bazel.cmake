# Bazel in module mode (7.1 or later), twice: wsolo beside the consumer by local_path_override, and an archive of this tree from
# packaging/bazel as a registry. BAZEL's caches stay in WORK. Debian's Bazel has its own copies of the modules that it needs, but
# not of all that it names: empty ones, in which nothing is looked up, stand for the rest, so that it works without the network.

set(at "${WORK}/bazel")
execute_process(COMMAND "${BAZEL}" --version OUTPUT_VARIABLE said OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "[0-9]+\\.[0-9.]+" version "${said}")
if(version VERSION_LESS 7.1) # or not told, as Debian's 4.2 does
    message(FATAL_ERROR "wsolo: skipped: \"${said}\" is not Bazel 7.1 or later")
endif()

set(options "")
if(version VERSION_LESS 8)
    set(options --noenable_workspace) # which later ones assume
endif()
set(rc /etc/bazel/bazelrc)
set(modules /usr/share/bazel/embedded_tools/MODULE.bazel)
if(EXISTS "${rc}" AND EXISTS "${modules}")
    file(STRINGS "${rc}" overridden REGEX "--override_module=")
    file(STRINGS "${modules}" named REGEX "^bazel_dep")
    foreach(line IN LISTS named)
        string(REGEX REPLACE "^bazel_dep\\(name = \"([a-z_]+)\".*" "\\1" name "${line}")
        if(overridden AND NOT overridden MATCHES "--override_module=${name}=")
            file(WRITE "${at}/unused/${name}/MODULE.bazel" "module(name = \"${name}\")\n")
            file(WRITE "${at}/unused/${name}/BUILD.bazel" "")
            list(APPEND options "--override_module=${name}=${at}/unused/${name}")
        endif()
    endforeach()
endif()

# Runs the consumer's test in FOLDER.
function(try folder)
    message(STATUS "bazel test in ${folder}")
    execute_process(COMMAND "${BAZEL}" --batch "--output_user_root=${at}/root" test --test_output=errors ${options} ${ARGN} //:consumer
        WORKING_DIRECTORY "${folder}" RESULT_VARIABLE code ERROR_VARIABLE said)
    message("${said}")
    if(said MATCHES "Error accessing registry")
        message(FATAL_ERROR "wsolo: skipped: Bazel does not reach its registry")
    elseif(NOT code EQUAL 0)
        message(FATAL_ERROR "bazel test: exit code ${code}")
    endif()
endfunction()

set(packages "${WORK}/packages/bazel")
foreach(name beside from_registry)
    file(REMOVE_RECURSE "${at}/${name}")
    file(COPY "${packages}/consumer/" DESTINATION "${at}/${name}")
    configure_file("${ROOT}/test_package/test_package.cpp" "${at}/${name}/main.cpp" COPYONLY)
endforeach()

file(COPY "${ROOT}/include" "${ROOT}/MODULE.bazel" "${ROOT}/BUILD.bazel" "${ROOT}/LICENSE" DESTINATION "${at}/beside/wsolo")
try("${at}/beside")

file(STRINGS "${packages}/consumer/MODULE.bazel" lines)
list(FILTER lines EXCLUDE REGEX "local_path_override")
list(JOIN lines "\n" module)
file(WRITE "${at}/from_registry/MODULE.bazel" "${module}\n")
try("${at}/from_registry" "--registry=file://${packages}" --registry=https://bcr.bazel.build)
