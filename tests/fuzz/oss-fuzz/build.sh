#!/bin/bash -eu
# Run by OSS-Fuzz in its container, with CXX, CXXFLAGS, LIB_FUZZING_ENGINE, SRC and OUT set: each fuzzer, its seeds, its
# dictionary. Needs the container's compiler only.

cd "$SRC/wsolo/tests/fuzz"
for source in *_fuzz.cpp; do
    name=${source%_fuzz.cpp}
    # shellcheck disable=SC2086
    $CXX $CXXFLAGS -std=c++20 -I.. -I../../include "$source" $LIB_FUZZING_ENGINE -o "$OUT/fuzz_$name"
    (cd "corpus/$name" && zip -q -r "$OUT/fuzz_${name}_seed_corpus.zip" .)
    if [ -f "$name.dict" ]; then cp "$name.dict" "$OUT/fuzz_$name.dict"; fi
done
