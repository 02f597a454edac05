#!/bin/bash -eu
# Run by OSS-Fuzz in its container, with CC, CFLAGS, CXX, CXXFLAGS, LIB_FUZZING_ENGINE, SRC, WORK and OUT set: each fuzzer, its
# seeds, its dictionary. zlib is built from $SRC/zlib, sanitized as well; where that is not, the system's is taken.

zlib=-lz
if [ -d "$SRC/zlib" ]; then
    zlib="-I$SRC/zlib $WORK/libz.a"
    mkdir -p "$WORK/zlib"
    cd "$WORK/zlib"
    for unit in adler32 crc32 deflate inffast inflate inftrees trees zutil; do
        # shellcheck disable=SC2086
        $CC $CFLAGS -c "$SRC/zlib/$unit.c"
    done
    ar rcs "$WORK/libz.a" ./*.o
fi

cd "$SRC/wsolo/tests/fuzz"
for source in *_fuzz.cpp; do
    name=${source%_fuzz.cpp}
    # shellcheck disable=SC2086
    $CXX $CXXFLAGS -std=c++20 -I.. -I../../include "$source" $LIB_FUZZING_ENGINE $zlib -o "$OUT/fuzz_$name"
    (cd "corpus/$name" && zip -q -r "$OUT/fuzz_${name}_seed_corpus.zip" .)
    if [ -f "$name.dict" ]; then cp "$name.dict" "$OUT/fuzz_$name.dict"; fi
done
