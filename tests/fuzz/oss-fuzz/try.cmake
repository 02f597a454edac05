# What OSS-Fuzz does with build.sh, outside of its container: builds, and runs each fuzzer over the seeds that were packed for it.

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/src" "${WORK}/out")
file(CREATE_LINK "${ROOT}" "${WORK}/src/wsolo" SYMBOLIC)
file(WRITE "${WORK}/engine.cpp" "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
set(flags -O1 -fsanitize=address)
set(CLANG "")
foreach(number "" -23 -22 -21 -20 -19 -18 -17 -16 -15 -14) # not each has its sanitizers beside it
    find_program(clang${number} clang++${number})
    if(clang${number} AND NOT CLANG)
        execute_process(COMMAND "${clang${number}}" ${flags},fuzzer "${WORK}/engine.cpp" -o "${WORK}/engine"
            RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
        if(code EQUAL 0)
            set(CLANG "${clang${number}}")
        endif()
    endif()
endforeach()
find_program(zip zip)
if(NOT CLANG OR NOT zip)
    message(FATAL_ERROR "wsolo: skipped: it needs a clang with libFuzzer, and zip")
endif()

string(JOIN " " words ${flags},fuzzer-no-link)
execute_process(COMMAND "${CMAKE_COMMAND}" -E env "SRC=${WORK}/src" "OUT=${WORK}/out" "WORK=${WORK}" "CXX=${CLANG}" "CXXFLAGS=${words}"
    LIB_FUZZING_ENGINE=-fsanitize=fuzzer bash -eu "${ROOT}/tests/fuzz/oss-fuzz/build.sh" COMMAND_ERROR_IS_FATAL ANY)

file(GLOB fuzzers RELATIVE "${ROOT}/tests/fuzz" "${ROOT}/tests/fuzz/*_fuzz.cpp")
foreach(source IN LISTS fuzzers)
    string(REPLACE "_fuzz.cpp" "" name "${source}")
    file(ARCHIVE_EXTRACT INPUT "${WORK}/out/fuzz_${name}_seed_corpus.zip" DESTINATION "${WORK}/seeds/${name}")
    execute_process(COMMAND "${WORK}/out/fuzz_${name}" -runs=0 "${WORK}/seeds/${name}" ERROR_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
    if(NOT said MATCHES "seed corpus: files: [1-9]")
        message(FATAL_ERROR "fuzz_${name} found no seeds:\n${said}")
    endif()
    message(STATUS "fuzz_${name}: ${CMAKE_MATCH_0}")
endforeach()
