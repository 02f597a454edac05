# Other people's peers at the other end of a socket, label peer: the Autobahn suite without its section 9, the clients that
# are quickly had, and the exam of the hosts. Under `ctest -C full` all of Autobahn, every client, middle boxes (alone: `ctest -C full -L boxes`),
# hostile peers and the soak.
#
# Each takes what scripts/test has installed and is skipped where something is missing, and runs alone: a suite whose timers
# are short is on the other side.

function(wsolo_add_peer_test name configuration timeout)
    add_test(NAME "${WSOLO_TEST_PREFIX}${name}" CONFIGURATIONS ${configuration} COMMAND ${ARGN})
    string(REGEX REPLACE "\\..*" "" label "${name}")
    set_tests_properties("${WSOLO_TEST_PREFIX}${name}" PROPERTIES LABELS ${label} TIMEOUT ${timeout}
        RUN_SERIAL ON SKIP_RETURN_CODE 77 ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1;CXX=${CMAKE_CXX_COMPILER}")
endfunction()

set(scripts "${PROJECT_SOURCE_DIR}/scripts")
set(built_here --examples "${PROJECT_BINARY_DIR}/examples")
foreach(side server client)
    if(WSOLO_BUILD_EXAMPLES)
        wsolo_add_peer_test(peer.autobahn_${side} "" 300 "${scripts}/autobahn" ${side} --fast --no-install ${built_here})
    endif()
    wsolo_add_peer_test(full.autobahn_${side} full 1800 "${scripts}/autobahn" ${side} --no-install)
endforeach()
if(WSOLO_BUILD_EXAMPLES AND WSOLO_HEADER_zlib_h)
    wsolo_add_peer_test(peer.autobahn_compressed "" 300 "${scripts}/autobahn" compressed --fast --no-install ${built_here})
    wsolo_add_peer_test(full.autobahn_compressed full 3600 "${scripts}/autobahn" compressed --no-install ${built_here})
endif()
if(WSOLO_BUILD_EXAMPLES)
    wsolo_add_peer_test(peer.clients "" 300 "${scripts}/clients" --no-install ${built_here} websockets ws)
endif()
wsolo_add_peer_test(full.clients full 1800 "${scripts}/clients" --no-install)
wsolo_add_peer_test(full.boxes full 900 "${scripts}/boxes" --no-install)
set_tests_properties("${WSOLO_TEST_PREFIX}full.boxes" PROPERTIES LABELS "full;boxes")
if(WSOLO_BUILD_EXAMPLES)
    wsolo_add_peer_test(peer.hosts "" 300 "${scripts}/hosts" --no-install --build "${PROJECT_BINARY_DIR}")
endif()
wsolo_add_peer_test(full.hosts_address full 1800 "${scripts}/hosts" --no-install --sanitize address)
wsolo_add_peer_test(full.hosts_thread full 1800 "${scripts}/hosts" --no-install --sanitize thread)
wsolo_add_peer_test(full.hosts_tls full 900 "${scripts}/hosts" --no-install --tls)
wsolo_add_peer_test(full.hosts_self_test full 900 "${scripts}/hosts" --no-install --self-test)
if(WSOLO_BUILD_EXAMPLES)
    wsolo_add_peer_test(peer.backplane full 300 "${scripts}/backplane" --no-install --build "${PROJECT_BINARY_DIR}")
endif()
wsolo_add_peer_test(full.backplane_self_test full 900 "${scripts}/backplane" --no-install --self-test)
wsolo_add_peer_test(full.hostile full 1800 "${scripts}/hostile" --no-install)
wsolo_add_peer_test(full.hostile_threads full 1800 "${scripts}/hostile" --no-install --threads 3)
wsolo_add_peer_test(full.soak full 1800 "${scripts}/soak" --no-install --minutes 2)
