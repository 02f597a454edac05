# A prefix TO that has of FROM the headers and the CPS file only, so that find_package() has nothing else to find.

file(REMOVE_RECURSE "${TO}")
file(COPY "${FROM}/include" DESTINATION "${TO}")
file(COPY "${FROM}/share/cps" DESTINATION "${TO}/share")
