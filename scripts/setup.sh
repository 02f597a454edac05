# shellcheck shell=sh
# Shared by the scripts beside it: finds the tools, or installs them where apt-get is. Source it from the repository's
# root after setting `install` to yes or no. Nothing is installed twice.
#
#   want COMMAND PACKAGE     notes that PACKAGE brings COMMAND, if COMMAND is missing
#   want_header FILE PACKAGE the same for a header in the system's folders
#   want_compilers, want_catch, want_venv
#   install_wanted           installs what was noted, or prints the list and exits 1
#   install_optional         installs what was noted, or says what is missing and goes on
#   need_writable_tree       ends the script where build/ can't be written
#   make_venv REQUIREMENT..  a Python environment in build/venv that has these; false where it can't be had
#   make_npm NAME VERSION    a package of npm's in build/node; make_npm_ws for ws
#   make_autobahn            the conformance suite in build/autobahn/suite
#   make_boxes               nginx and haproxy where they are missing, unpacked into build/boxes; find_box NAME prints a path
#   build_examples TARGET..  builds these for Release, and sets `examples` to the folder of their folders
#   build_sanitized_examples address|thread TARGET..   the same under a sanitizer

: "${install:=yes}"
wanted=""
venv=build/venv

say() { printf '== %s\n' "$*"; }
die() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

want() {
    command -v "$1" >/dev/null 2>&1 || wanted="$wanted $2"
}

want_header() {
    [ -f "/usr/include/$1" ] || [ -f "/usr/local/include/$1" ] || wanted="$wanted $2"
}

# Prints the first of the commands that exists.
first_of() {
    for candidate in "$@"; do
        if command -v "$candidate" >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

clangs="clang++ clang++-14 clang++-15 clang++-16 clang++-17 clang++-18 clang++-19 clang++-20 clang++-21"

want_clang() {
    # shellcheck disable=SC2086
    first_of $clangs >/dev/null || wanted="$wanted clang"
}

# CMake 3.25 reads the presets; an older one is replaced by the package index's in build/venv.
cmake_is_new() {
    command -v cmake >/dev/null 2>&1 || return 1
    cmake --version | awk 'NR == 1 { split($3, v, "."); exit !(v[1] > 3 || (v[1] == 3 && v[2] >= 25)) }'
}

want_build_tools() {
    want "${CXX:-g++}" g++
    want cmake cmake
    want ninja ninja-build
    want python3 python3
}

want_catch() {
    for prefix in /usr /usr/local "${CMAKE_PREFIX_PATH:-/usr}"; do
        if [ -d "$prefix/include/catch2" ]; then return 0; fi
    done
    wanted="$wanted catch2"
}

want_venv() {
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || wanted="$wanted python3-venv"
}

# make_npm NAME VERSION: a package of npm's, into build/node; false where there is no Node.js to run it.
make_npm() {
    command -v node >/dev/null 2>&1 || return 1
    if [ -d "build/node/node_modules/$1" ]; then return 0; fi
    if [ "$install" = no ] || ! command -v npm >/dev/null 2>&1; then return 1; fi
    say "installing into build/node: $1"
    mkdir -p build/node
    npm install --prefix build/node --silent --no-audit --no-fund "$1@$2" >/dev/null
}

make_npm_ws() { make_npm ws 8; }

# What the conformance suite runs on, and the suite itself (tools/autobahn), into build/autobahn; false where it may not
# be installed.
make_autobahn() {
    if [ -x build/autobahn/suite/wstest ]; then return 0; fi
    if [ "$install" = no ]; then return 1; fi
    ( # in steps tied by &&: `set -e` does nothing in a function that is asked for its success
        venv=build/autobahn/venv # apart from the other tools' packages
        make_venv -r tools/autobahn/requirements.txt &&
            { "$venv/bin/python" -W ignore -c 'import lib2to3' 2>/dev/null || make_venv fissix; } &&
            say "turning the Autobahn suite to Python 3, into build/autobahn/suite" &&
            cd build/autobahn &&
            venv/bin/python -m pip download --quiet --no-deps --no-binary :all: autobahntestsuite==25.10.1 &&
            tar -xf autobahntestsuite-25.10.1.tar.gz &&
            PYTHON=$PWD/venv/bin/python ../../tools/autobahn/port.sh autobahntestsuite-25.10.1 suite >/dev/null
    )
}

# Unpacked, not installed: a package that is installed starts its server as a service. Each by itself, with what it
# depends on; false where one of them can't be had.
make_boxes() {
    for box in nginx haproxy; do
        if find_box "$box" >/dev/null; then continue; fi
        if [ "$install" = no ] || ! command -v apt-get >/dev/null 2>&1; then return 1; fi
        say "unpacking into build/boxes: $box"
        mkdir -p build/boxes/debs/partial
        fetch_box "$box" || { update_packages && fetch_box "$box"; } || return 1
        for package in build/boxes/debs/*.deb; do dpkg-deb -x "$package" build/boxes/root || return 1; done
    done
}

fetch_box() {
    apt-get install -y -qq --no-install-recommends --download-only -o Debug::NoLocking=1 \
        -o Dir::Cache::archives="$PWD/build/boxes/debs" "$1" >/dev/null
}

find_box() { first_of "$1" "/usr/sbin/$1" "$PWD/build/boxes/root/usr/sbin/$1"; }

install_wanted() {
    [ -n "$wanted" ] || return 0
    if [ "$install" = no ] || ! command -v apt-get >/dev/null 2>&1; then
        die "please install these first (names as in Debian):$wanted"
    fi
    find_root || die "neither root nor sudo; please install:$wanted"
    say "installing$wanted"
    mkdir -p build
    # shellcheck disable=SC2086
    { update_packages && $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $wanted; } >build/install.log 2>&1 ||
        die "apt-get could not install these (build/install.log says why; is the network there?):$wanted"
    wanted=""
}

# Sets what a command is run by that needs to be root's.
find_root() {
    as_root=""
    [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null 2>&1 && as_root="sudo"; }
}

update_packages() { find_root && $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq; }

# Each by itself: a release of Debian's that lacks one may have the others.
install_optional() {
    missing=""
    for package in $wanted; do
        if ! (wanted=" $package" && install_wanted) 2>/dev/null; then missing="$missing $package"; fi
    done
    wanted=""
    [ -z "$missing" ] || say "going on without$missing"
}

# False where they may not be installed, or can't be: build/install.log says why.
make_venv() {
    mkdir -p build
    [ -x "$venv/bin/python" ] || [ "$install" = no ] || python3 -m venv "$venv" >build/install.log 2>&1
    [ -x "$venv/bin/python" ] || return 1
    # Asked first, because an environment that has everything needs no network.
    if "$venv/bin/python" -m pip install --quiet --no-index "$@" >/dev/null 2>&1; then return 0; fi
    [ "$install" = yes ] || return 1
    say "installing into $venv: $*"
    "$venv/bin/python" -m pip install --quiet --retries 1 "$@" >build/install.log 2>&1
}

# Every build is made below build/.
need_writable_tree() {
    (mkdir -p build && : >build/.writable) 2>/dev/null ||
        die "can't write into build/ here; please copy the sources to a folder that can be written"
    rm -f build/.writable
}

# After install_wanted: a compiler and a CMake that are new enough.
check_build_tools() {
    CXX=${CXX:-$(first_of g++ g++-12 g++-13 g++-14)}
    if "$CXX" --version | grep -qi 'free software' && [ "$("$CXX" -dumpversion | cut -d. -f1)" -lt 11 ]; then
        CXX=$(first_of g++-14 g++-13 g++-12 g++-11) || die "needs g++ 11 or later (or set CXX)"
    fi
    export CXX
    if ! cmake_is_new; then
        [ "$install" = yes ] || die "needs CMake 3.25 or later"
        make_venv "cmake>=3.25,<4" || die "could not install CMake 3.25 (build/install.log says why)"
        PATH="$PWD/$venv/bin:$PATH"
        export PATH
    fi
}

# After check_build_tools, as the next one.
build_examples() {
    say "building the examples: $*"
    cmake --no-warn-unused-cli --preset release -B build/demo -DWSOLO_BUILD_TESTS=OFF -DWSOLO_BUILD_BENCH=OFF >/dev/null
    cmake --build build/demo --target "$@" -- --quiet
    # shellcheck disable=SC2034
    examples=build/demo/examples
}

build_sanitized_examples() {
    sanitizer=$1
    shift
    case $sanitizer in
        address) preset=asan ;;
        thread) preset=tsan ;;
    esac
    say "building the examples with -fsanitize=$sanitizer: $*"
    cmake --no-warn-unused-cli --preset "$preset" -B "build/demo-$preset" -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1" \
        -DWSOLO_BUILD_TESTS=OFF -DWSOLO_BUILD_EXAMPLES=ON >/dev/null
    cmake --build "build/demo-$preset" --target "$@" -- --quiet
    examples=build/demo-$preset/examples
}
