#!/usr/bin/env python3
"""Prints the version that include/wsolo/version.hpp holds, for build files that can't read it themselves."""

from house import repository_root, version_of

print(version_of(repository_root()))
