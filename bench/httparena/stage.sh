#!/bin/sh
# Copies the entry into a checkout of HttpArena: its frameworks/wsolo is complete then, with the headers in it.
#
#   bench/httparena/stage.sh HTTPARENA
set -eu
[ $# -eq 1 ] && [ -d "$1/frameworks" ] || { echo "usage: $0 HTTPARENA (a checkout, with its folder frameworks)" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
to=$1/frameworks/wsolo
mkdir -p "$to"
rm -rf "$to/include"
cp -R "$here/../../include" "$to/include"
cp "$here/Dockerfile" "$here/main.cpp" "$here/meta.json" "$to/"
echo "$to"
