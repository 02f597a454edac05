# xmake, without the network: packaging/xmake as a repository of its own, an archive of this tree, a program that takes it.

file(REMOVE_RECURSE "${WORK}/xmake")
file(COPY "${WORK}/packages/xmake/xmake.lua" DESTINATION "${WORK}/xmake/repository/packages/w/wsolo")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/xmake/xmake.lua" DESTINATION "${WORK}/xmake/project")
set(ENV{WSOLO_XMAKE_REPOSITORY} "${WORK}/xmake/repository")
set(ENV{WSOLO_ROOT} "${ROOT}")
set(ENV{WSOLO_VERSION} "${VERSION}")
set(ENV{XMAKE_GLOBALDIR} "${WORK}/xmake/global") # nothing of the user's own
unset(ENV{VCPKG_ROOT}) # which it would look into
set(ENV{XMAKE_ROOT} y) # it refuses root otherwise
foreach(step "global;--network=private" "config;-P;.;--yes" "build;-P;." "run;-P;.;consumer")
    execute_process(COMMAND "${XMAKE}" ${step} WORKING_DIRECTORY "${WORK}/xmake/project" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
