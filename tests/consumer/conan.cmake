# conan create, with a home of its own and without any remote.

foreach(arguments
        "profile;detect;--force"
        "remote;disable;*"
        "create;${ROOT};--settings;compiler.cppstd=20;--no-remote")
    message(STATUS "conan ${arguments}")
    execute_process(COMMAND "${CONAN}" ${arguments} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
