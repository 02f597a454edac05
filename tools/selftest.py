#!/usr/bin/env python3
"""The teeth of the checks: each is shown a small house that breaks its rule, and must say so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import types
import unittest
from pathlib import Path
from typing import Dict, List
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))
import amalgamate
import check_compile_fail
import check_documented
import check_fresh_clock
import check_language
import check_layers
import check_length
import check_links
import check_mirror
import check_mutants
import check_readme
import check_spdx
import check_version
import doxygen_filter
import join_tests
import make_packages
import release

VERSION = "#pragma once\n#define WSOLO_VERSION_MAJOR 1\n#define WSOLO_VERSION_MINOR 2\n#define WSOLO_VERSION_PATCH 3\n"
HEAD = "// Would catch: a wrong value, an inverted condition.\n"
CASES = 'TEST_CASE("b is a") {}\nTEMPLATE_TEST_CASE("b is a " "\\"type\\"", "[b]", int, char) {}\n'
MUTANT = """For people.

== b_is_b
why: b is something else.
killer: test_frame "b is a"
in: include/wsolo/frame/header.hpp
-using b = a;
+using b = int;
"""
COMPILER = [os.environ.get("CXX", "c++"), "-std=c++20"]


def sound_house() -> Dict[str, str]:
    """Every rule is kept here; each test breaks one."""
    library = {
        "version.hpp": VERSION,
        "core/config.hpp": '#pragma once\n#include "../version.hpp"\n#include <cstddef>\n'
                           "#ifdef NOWHERE\n#include <random>\n#endif\nusing a = std::size_t;\n",
        "frame/header.hpp": '#pragma once\n#include "../core/config.hpp"\nusing b = a;\n',
        "write/outbox.hpp": '#pragma once\n#include "../frame/header.hpp"\n#include <cstdint>\nusing c = b;\n',
        "session/reader.hpp": '#pragma once\n#include "../frame/header.hpp"\nusing d = b;\n',
        "adapt/posix.hpp": '#pragma once\n#include "../core/config.hpp"\n#include "../write/outbox.hpp"\nusing e = c;\n',
    }
    files = {f"include/wsolo/{name}": text for name, text in library.items()}
    for test in ["core/config", "frame/header", "write/outbox", "session/reader", "adapt/posix"]:
        files[f"tests/unit/{test}_test.cpp"] = HEAD
    files["tests/unit/frame/header_test.cpp"] += CASES
    files["tests/mutants/frame.mutants"] = MUTANT
    files["LICENSE"] = "MIT\n"
    files["CHANGELOG.md"] = "# Changes\n\n## 1.2.3\n"
    files["README.md"] = "Take `wsolo/1.2.3`.\n\n<!-- compile: main -->\n```cpp\nint main() { return 0; }\n```\n"
    return files


class House(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        brings = mock.patch.object(check_layers, "BRINGS", {"core": "cstddef", "write": "cstdint"})
        self.brings = brings.start()
        self.addCleanup(brings.stop)
        for name, text in sound_house().items():
            self.write(name, text)
        self.regenerate()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def add_line(self, name: str, line: str) -> None:
        self.write(name, (self.root / name).read_text(encoding="utf-8") + line + "\n")

    def regenerate(self) -> None:
        for path, text in amalgamate.generate(self.root).items():
            self.write(path.as_posix(), text)

    def one(self, problems: List[str], *words: str) -> None:
        self.assertEqual(len(problems), 1, problems)
        for word in words:
            self.assertIn(word, problems[0])


class Sound(House):
    def test_passes_every_check(self) -> None:
        self.assertEqual(check_layers.problems_of(self.root), [])
        self.assertEqual(check_mirror.problems_of(self.root), [])
        self.assertEqual(check_mutants.problems_of(self.root), ([], 1))
        self.assertEqual(check_version.problems_of(self.root), [])
        self.assertEqual(check_length.judge(self.root), ([], []))
        self.assertEqual(amalgamate.stale_files(self.root, amalgamate.generate(self.root)), [])
        self.assertEqual(check_readme.problems_of(self.root, self.root / "work", COMPILER), ([], 1))
        self.assertEqual(check_links.problems_of(self.root)[0], [])


class Layers(House):
    def test_session_may_not_see_write(self) -> None:
        self.add_line("include/wsolo/session/reader.hpp", '#include "../write/outbox.hpp"')
        self.one(check_layers.problems_of(self.root), "reader.hpp:4", "session/ may not see write/")

    def test_nobody_sees_an_adapter(self) -> None:
        self.write("include/wsolo/write/outbox.hpp", '#pragma once\n#include "../adapt/posix.hpp"\n')
        problems = check_layers.problems_of(self.root)
        self.assertTrue(any("write/ may not see adapt/" in problem for problem in problems), problems)
        self.assertTrue(any("circle" in problem for problem in problems), problems)

    def test_version_is_for_core(self) -> None:
        self.add_line("include/wsolo/frame/header.hpp", '#include "../version.hpp"')
        self.one(check_layers.problems_of(self.root), "only core/ includes version.hpp")

    def test_own_headers_by_angle_brackets(self) -> None:
        self.add_line("include/wsolo/frame/header.hpp", "#include <wsolo/core/config.hpp>")
        self.one(check_layers.problems_of(self.root), "relative path")

    def test_dear_header(self) -> None:
        self.brings["frame"] = "functional"
        self.add_line("include/wsolo/frame/header.hpp", "#include <functional>")
        self.one(check_layers.problems_of(self.root), "<functional> is too dear for frame/")

    def test_standard_header_that_its_room_does_not_list(self) -> None:
        self.add_line("include/wsolo/frame/header.hpp", "#include <memory>")
        self.one(check_layers.problems_of(self.root), "frame/ brings <memory>")

    def test_standard_header_that_is_listed_for_nothing(self) -> None:
        self.brings["frame"] = "memory"
        self.one(check_layers.problems_of(self.root), "frame/ brings <memory> no more")

    def test_umbrella_reaches_no_opt_in_header(self) -> None:
        self.write("include/wsolo/write/wait.hpp", "#pragma once\n// Not part of wsolo.hpp: it brings <mutex>.\n#include <mutex>\n")
        self.add_line("include/wsolo/write/outbox.hpp", '#include "wait.hpp"')
        self.one(check_layers.problems_of(self.root), "write/wait.hpp: it is opt-in, and wsolo.hpp reaches it")

    def test_umbrella_brings_no_threads(self) -> None:
        self.brings["write"] += " thread"
        self.add_line("include/wsolo/write/outbox.hpp", "#include <thread>")
        self.one(check_layers.problems_of(self.root), "outbox.hpp:", "wsolo.hpp must not bring <thread>")

    def test_unknown_room_and_missing_header(self) -> None:
        self.write("include/wsolo/attic/old.hpp", "#pragma once\n")
        self.add_line("include/wsolo/frame/header.hpp", '#include "gone.hpp"')
        problems = "\n".join(check_layers.problems_of(self.root))
        self.assertIn("no room is called 'attic'", problems)
        self.assertIn("gone.hpp does not exist", problems)

    def test_umbrella_is_complete_and_only_includes(self) -> None:
        self.write("include/wsolo/frame/mask.hpp", "#pragma once\n")
        self.one(check_layers.problems_of(self.root), "mask.hpp", "wsolo.hpp does not reach it")
        self.regenerate()
        self.add_line("include/wsolo/wsolo.hpp", "int x;")
        self.one(check_layers.problems_of(self.root), "includes only")


class Mirror(House):
    def test_header_without_test(self) -> None:
        (self.root / "tests/unit/frame/header_test.cpp").unlink()
        self.one(check_mirror.problems_of(self.root), "tests/unit/frame/header_test.cpp is missing")

    def test_test_without_header(self) -> None:
        self.write("tests/unit/frame/masks_test.cpp", HEAD)
        self.one(check_mirror.problems_of(self.root), "masks_test.cpp")

    def test_second_test_and_detail_are_fine(self) -> None:
        self.write("tests/unit/frame/header_split_test.cpp", HEAD)
        self.write("include/wsolo/frame/detail/words.hpp", "#pragma once\nint word();\n")
        self.write("include/wsolo/frame/all.hpp", '#pragma once\n#include "header.hpp"\n')
        self.assertEqual(check_mirror.problems_of(self.root), [])

    def test_head_says_what_it_catches(self) -> None:
        self.write("tests/unit/frame/header_test.cpp", "#include <cstddef>\n" + HEAD)
        self.one(check_mirror.problems_of(self.root), "header_test.cpp:1")


class Length(House):
    def test_long_files(self) -> None:
        self.write("include/wsolo/frame/header.hpp", "\n" * 800)
        self.write("tests/unit/frame/header_test.cpp", "\n" * 801)
        errors, warnings = check_length.judge(self.root)
        self.one(errors, "header_test.cpp: 801")
        self.one(warnings, "header.hpp: 800")


class Mutants(House):
    def judge(self, old: str, new: str) -> List[str]:
        self.assertIn(old, MUTANT)
        self.write("tests/mutants/frame.mutants", MUTANT.replace(old, new))
        return check_mutants.problems_of(self.root)[0]

    def test_old_text_stands_once(self) -> None:
        self.one(self.judge("-using b = a;", "-using b = c;"), "frame.mutants:3", "b_is_b", "0 times", "using b = c;")
        self.one(self.judge("-using b = a;", "-sing b = a;"), "0 times")  # whole lines
        self.add_line("include/wsolo/frame/header.hpp", "using b = a;")
        self.one(self.judge("For people.", ""), "2 times")
        include = ' #include "../core/config.hpp"\n'
        self.assertEqual(self.judge("-using b = a;", include + "-using b = a;"), [])

    def test_edits_follow_each_other(self) -> None:
        again = "+using b = int;\nin: include/wsolo/frame/header.hpp\n-using b = {};\n+\n+using b = long;\n\n"
        self.assertEqual(self.judge("+using b = int;\n", again.format("int")), [])
        self.one(self.judge("+using b = int;\n", again.format("a")), "0 times")

    def test_killer_exists(self) -> None:
        self.one(self.judge('"b is a"', '"b is c"'), "frame.mutants:3", 'test_frame has no test case "b is c"')
        self.one(self.judge("test_frame", "test_session"), "test_session has no test case")
        self.assertEqual(self.judge('"b is a"', '"b is a "type" - char"'), [])
        self.one(self.judge('"b is a"', '"b is a "type""'), "has no test case")
        self.one(self.judge('"b is a"', '"b is a - char"'), "has no test case")
        self.write("tests/unit/frame/header_test.cpp", HEAD + "// " + CASES)
        self.one(self.judge("For people.", ""), "has no test case")

    def test_form(self) -> None:
        self.one(self.judge("int;", "a;"), "the same")
        self.one(self.judge("-using b = a;\n", ""), "no old text")
        self.one(self.judge("-using", "using"), "begins with none of")
        self.one(self.judge("header.hpp", "gone.hpp"), "gone.hpp is missing")
        self.one(self.judge("killer", "killed"), "killed")
        self.one(self.judge("why: b is something else.\n", ""), "why:")
        self.one(self.judge("For people.", MUTANT), "frame.mutants:11", "taken")
        self.one(self.judge("== ", ""), "no mutant")


class FreshClock(House):
    def judge(self, body: str, limit: float = 60) -> List[str]:
        self.write("program", f"#!{sys.executable}\nimport time\n{body}\n")
        (self.root / "program").chmod(0o755)
        return check_fresh_clock.problems_of([self.root / "program"], limit)

    def test_verdicts(self) -> None:
        reason = check_fresh_clock.why_not()
        if reason is not None:
            self.skipTest(reason)
        self.assertEqual(self.judge("assert 0 <= time.monotonic() < 30"), [])
        self.one(self.judge("assert time.monotonic() > 30"), "program fails", "assert")
        self.one(self.judge("print('begun', flush=True)\ntime.sleep(60)", 0.5), "begun", "not over after 0.5 s")


class Version(House):
    def test_each_place_agrees(self) -> None:
        self.write("CHANGELOG.md", "# Changes\n\n## 1.2.2\n")
        self.one(check_version.problems_of(self.root), "CHANGELOG.md", "1.2.2")
        self.write("CHANGELOG.md", "# Changes\n\n## 1.2.3\n")
        self.write("docs/use.md", "Take wsolo/1.2.4 from Conan.\n")
        self.one(check_version.problems_of(self.root), "docs/use.md:1", "1.2.4")
        self.write("docs/use.md", "")
        self.write("conanfile.py", 'class C:\n    version = "1.2.3"\n')
        self.one(check_version.problems_of(self.root), "conanfile.py")


class Spdx(House):
    def test_each_header_says_its_licence(self) -> None:
        self.write("REUSE.toml", 'path = "**"\nSPDX-License-Identifier = "MIT"\n')
        self.assertIn("frame/header.hpp", "\n".join(check_spdx.problems_of(self.root)))
        check_spdx.write(self.root)
        self.regenerate()
        self.assertEqual(check_spdx.problems_of(self.root), [])
        self.assertEqual((self.root / "single_include/wsolo/wsolo.hpp").read_text(encoding="utf-8").count("SPDX"), 1)
        self.write("REUSE.toml", "")
        self.one(check_spdx.problems_of(self.root), "REUSE.toml")


class Release(House):
    def test_a_tag_agrees_with_everything(self) -> None:
        self.write("packaging/HOMEPAGE", "https://wsolo.example.org/\n")
        self.write("CHANGELOG.md", "# Changes\n\n## 1.2.3 - 2026-01-31\n")
        self.assertEqual(release.problems_of(self.root, "v1.2.3"), [])
        self.one(release.problems_of(self.root, "v1.2.4"), "the tag is v1.2.4", "v1.2.3")
        self.one(release.problems_of(self.root, "1.2.3"), "the tag is 1.2.3")
        self.write("CHANGELOG.md", "# Changes\n\n## 1.2.3 - unreleased\n")
        self.one(release.problems_of(self.root, "v1.2.3"), "dated heading")
        self.write("CHANGELOG.md", "# Changes\n\n## 1.2.3 - 2026-01-31\n")
        self.write("packaging/HOMEPAGE", "https://example.invalid/wsolo\n")
        self.one(release.problems_of(self.root, "v1.2.3"), "HOMEPAGE")
        self.write("packaging/HOMEPAGE", "https://wsolo.example.org/\n")
        self.add_line("include/wsolo/session/reader.hpp", "using z = b;")
        self.one(release.problems_of(self.root, "v1.2.3"), "wsolo.hpp is stale")

    def test_the_address_stands_in_one_place(self) -> None:
        self.write("packaging/HOMEPAGE", "https://wsolo.example.org/\n")
        self.write("packaging/a/port.json", '{"homepage": "@HOMEPAGE@"}')
        self.write("conanfile.py", "url = \"https://github.com/conan-io/conan-center-index\"\n")
        self.assertEqual(make_packages.fixed_addresses(self.root), [])
        self.write("packaging/a/port.json", '{"homepage": "https://wsolo.example.org/"}')
        self.one(make_packages.fixed_addresses(self.root), "packaging/a/port.json", "packaging/HOMEPAGE")
        self.write("packaging/a/port.json", "{}")
        self.write("conanfile.py", "url = 'https://wsolo.example.org/'\n")
        self.one(make_packages.fixed_addresses(self.root), "conanfile.py: take https://wsolo.example.org/ from")

    def test_templates_are_filled_and_parsed(self) -> None:
        self.write("packaging/HOMEPAGE", "https://wsolo.example.org/\n")
        self.write("packaging/a/port.json", '{"version": "@VERSION@", "sha": "@SHA256@"}')
        self.write("archive", "bytes")
        values = make_packages.values_for(self.root, self.root / "archive", "https://where")
        (filled,) = make_packages.fill(self.root, values, self.root / "out")
        self.assertEqual(make_packages.problems_in(filled), [])
        self.assertIn('"1.2.3"', filled.read_text(encoding="utf-8"))
        for name, text in [("a/x.json", '{"a": }'), ("a/x.py", "def"), ("a/x.lua", "f("), ("a/x.yml", "@NOWHERE@")]:
            self.write(f"out/{name}", text)
            self.assertEqual(len(make_packages.problems_in(self.root / "out" / name)), 1, name)

    def test_a_module_in_a_registry_has_the_version(self) -> None:
        self.write("packaging/HOMEPAGE", "https://wsolo.example.org/\n")
        self.write("packaging/bazel/modules/wsolo/@VERSION@/source.json", '{"integrity": "@INTEGRITY@"}')
        self.write("MODULE.bazel", 'module(name = "wsolo")\n')
        self.write("archive", "bytes")
        values = make_packages.values_for(self.root, self.root / "archive", "https://where")
        written = make_packages.fill(self.root, values, self.root / "out")
        self.assertEqual({path.parent for path in written}, {self.root / "out/bazel/modules/wsolo/1.2.3"})
        self.assertIn('module(name = "wsolo", version = "1.2.3")', written[-1].read_text(encoding="utf-8"))
        self.write("MODULE.bazel", 'module(name = "else")\n')
        with self.assertRaises(SystemExit):
            make_packages.fill(self.root, values, self.root / "out")


class Matrix(unittest.TestCase):
    """scripts/matrix --releases, where debootstrap and apt only say what they were asked for."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.releases = Path(folder.name, "matrix", "releases")
        self.said = Path(folder.name, "said")
        tools = Path(folder.name, "tools")
        tools.mkdir()
        for name, body in {
                "debootstrap": 'mkdir -p "$3/usr/bin" "$3/etc/apt/apt.conf.d" && touch "$3/usr/bin/apt-get"',
                "chroot": 'case "$*" in *"${REFUSED:-nothing at all}"*) exit 100; esac',
                "apt-get": "echo mirror:/debian",
                "apt-config": "printf '%s\\n' 'Acquire::Check-Valid-Until \"false\";' 'Acquire::IndexTargets \"\";'",
                "unshare": ""}.items():
            (tools / name).write_text(f'#!/bin/sh\necho "$(basename "$0") $*" >> "{self.said}"\n{body}\n', encoding="utf-8")
            (tools / name).chmod(0o755)
        self.tools = tools
        self.matrix = types.ModuleType("matrix")
        script = Path(__file__).resolve().parent.parent / "scripts" / "matrix"
        self.matrix.__dict__["__file__"] = str(script)
        exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), self.matrix.__dict__)  # it has no .py to import by
        for change in (mock.patch.dict(os.environ, PATH=f"{tools}{os.pathsep}{os.environ['PATH']}"),
                       mock.patch.object(self.matrix, "WORK", self.releases.parent), mock.patch.object(os, "geteuid", lambda: 0)):
            change.start()
            self.addCleanup(change.stop)

    def asked(self, *words: str) -> List[str]:
        lines = self.said.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if all(word in line for word in words)]

    def test_each_release_is_fetched_with_this_machine_s_mirror_and_settings(self) -> None:
        self.matrix.fetch_releases()
        for release in self.matrix.RELEASES:
            self.assertEqual(len(self.asked("debootstrap", f" {release} ", "mirror:/debian")), 1)
            settings = (self.releases / release / "etc/apt/apt.conf.d/00wsolo").read_text(encoding="utf-8")
            self.assertEqual(settings, 'Acquire::Check-Valid-Until "false";\n')

    def test_a_second_run_fetches_what_the_first_did_not(self) -> None:
        with mock.patch.dict(os.environ, REFUSED="trixie apt-get update"), self.assertRaisesRegex(self.matrix.Failed, "trixie.*100"):
            self.matrix.fetch_releases()
        self.matrix.fetch_releases()
        self.assertEqual(len(self.asked("chroot", "trixie apt-get update")), 2)  # before anything is installed by old lists
        self.assertEqual(len(self.asked("chroot", "trixie apt-get install")), 1)
        self.assertEqual(len(self.asked("debootstrap", " trixie ")), 1)

    def test_what_debootstrap_left_unfinished_is_made_anew(self) -> None:
        self.matrix.fetch_releases()
        (self.releases / "sid" / "debootstrap").mkdir()
        (self.releases / "sid" / "half").touch()
        self.matrix.fetch_releases()
        self.assertEqual(len(self.asked("debootstrap", " sid ")), 2)
        self.assertFalse((self.releases / "sid" / "half").exists())

    def test_releases_are_places_for_root_only(self) -> None:
        self.matrix.fetch_releases()
        self.assertEqual([place.release for place in self.matrix.places()], ["", *self.matrix.RELEASES])
        with mock.patch.object(os, "geteuid", lambda: 1000):
            self.assertEqual([place.release for place in self.matrix.places()], [""])

    def test_the_page_keeps_other_rows_and_sections(self) -> None:
        page = self.releases.parent.parent / "page.md"
        page.write_text("# Platforms\n\n## Measured by hand\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", encoding="utf-8")
        with mock.patch.object(self.matrix, "PAGE", page):
            for name in ("g++ 12", "g++ 11", "g++ 12"):
                self.matrix.write_page({**self.matrix.read_page(), name: ["1.2.3", "it | all".replace("|", "\\|"), "today"]})
            self.assertEqual(list(self.matrix.read_page()), ["g++ 11", "g++ 12"])
        text = page.read_text(encoding="utf-8")
        self.assertTrue(text.endswith("\n\n## Measured by hand\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"), text)

    def test_a_row_that_lacks_a_library_is_not_here(self) -> None:
        place = self.matrix.Place()
        place.root = self.releases / "empty"
        rows = {row.name: row for row in self.matrix.rows()}
        with mock.patch.object(place, "has", lambda tool: True):
            for name, lacks in (("g++ 12 -m32", "g++-12-multilib"), ("clang 16 libc++", "libc++ 16"),
                                ("Windows x86-64 (MinGW)", "Catch2 2.13")):
                self.assertEqual(self.matrix.missing(rows[name], place), [lacks])

    def test_says_what_it_needs(self) -> None:
        with mock.patch.object(os, "geteuid", lambda: 1000), self.assertRaisesRegex(self.matrix.Failed, "for root"):
            self.matrix.fetch_releases()
        with mock.patch.dict(os.environ, PATH=str(self.tools)):
            (self.tools / "debootstrap").unlink()
            with self.assertRaisesRegex(self.matrix.Failed, "debootstrap is not here"):
                self.matrix.fetch_releases()


class Amalgamation(House):
    def single(self) -> str:
        return amalgamate.generate(self.root)[amalgamate.SINGLE / "wsolo.hpp"]

    def test_order_and_hoisting(self) -> None:
        text = self.single()
        places = [text.index(part) for part in
                  ["#include <cstddef>\n#include <cstdint>\n", "using a", "using b", "using d", "using c"]]
        self.assertEqual(places, sorted(places))
        self.assertEqual(text.count("using a"), 1)
        self.assertIn("#ifdef NOWHERE\n#include <random>\n#endif\n", text)
        self.assertNotIn("using e", text)
        self.assertNotIn('#include "', text)
        self.assertEqual(text, self.single())

    def test_include_at_the_bottom(self) -> None:
        self.write("include/wsolo/write/a.hpp", '#pragma once\n#include "b.hpp"\nstruct a : b {};\n')
        self.write("include/wsolo/write/b.hpp", '#pragma once\nstruct b {};\n\n#include "a.hpp"\n')
        text = self.single()
        self.assertLess(text.index("struct b {}"), text.index("struct a : b {}"))
        self.assertEqual(text.count("struct a"), 1)
        self.assertFalse(any("circle" in problem for problem in check_layers.problems_of(self.root)))
        self.write("include/wsolo/write/b.hpp", '#pragma once\n#include "a.hpp"\nstruct b {};\n')
        self.assertTrue(any("circle" in problem for problem in check_layers.problems_of(self.root)))

    def test_adapter_stands_beside(self) -> None:
        text = (self.root / "single_include/wsolo/adapt/posix.hpp").read_text(encoding="utf-8")
        self.assertEqual(text.count('#include "../wsolo.hpp"'), 1)
        self.assertNotIn("../core", text)

    def test_stale_missing_and_left_over(self) -> None:
        self.add_line("include/wsolo/adapt/posix.hpp", "using f = e;")
        (self.root / amalgamate.SINGLE / "wsolo.hpp").unlink()
        self.write("single_include/wsolo/adapt/gone.hpp", "")
        problems = "\n".join(amalgamate.stale_files(self.root, amalgamate.generate(self.root)))
        for line in ["wsolo.hpp is missing", "posix.hpp is stale", "gone.hpp has no source"]:
            self.assertIn(line, problems)

    def test_two_versions_and_both_forms_are_refused(self) -> None:
        one = self.root / "single_include/wsolo/wsolo.hpp"
        two = self.root / "two.hpp"
        two.write_text(one.read_text(encoding="utf-8").replace("PATCH 3", "PATCH 4").replace("PATCH != 3", "PATCH != 4"),
                       encoding="utf-8")
        split = self.root / "include/wsolo/wsolo.hpp"
        codec = self.root / "single_include/wsolo/codec.hpp"
        for first, second, words in [(one, two, "two versions"), (two, one, "two versions"),
                                     (split, one, "separate headers"), (one, one, None),
                                     (codec, one, None), (one, codec, None), (codec, two, "two versions"),
                                     (two, codec, "two versions"), (split, codec, "separate headers")]:
            source = self.root / "unit.cpp"
            source.write_text(f'#include "{first}"\n#include "{second}"\n', encoding="utf-8")
            result = check_compile_fail.compile_only(COMPILER, source)
            self.assertEqual(result.returncode != 0, words is not None, result.stdout)
            self.assertIn(words or "", result.stdout)


class CompileFail(House):
    def judge(self, text: str) -> List[str]:
        self.write("case.cpp", text)
        return check_compile_fail.problems_of(self.root / "case.cpp", COMPILER)

    def test_verdicts(self) -> None:
        wrong = "#ifdef WSOLO_TWIN\nint a = 1;\n#else\nint a = b;\n#endif\n"
        self.assertEqual(self.judge("// expect-error: not declared|undeclared\n" + wrong), [])
        self.one(self.judge("// expect-error: deleted function\n" + wrong), "another reason")
        self.one(self.judge("// expect-error: x\n#ifdef WSOLO_TWIN\n#endif\nint a;\n"), "compiles, but must not")
        self.one(self.judge("// expect-error: x\n#ifdef WSOLO_TWIN\n#endif\nint a = b;\n"), "twin")
        self.one(self.judge("// expect-error: x\nint a = b;\n"), "no #ifdef WSOLO_TWIN")
        self.one(self.judge("int a;\n"), "first line")


class Readme(House):
    def judge(self, text: str) -> List[str]:
        self.write("README.md", text)
        return check_readme.problems_of(self.root, self.root / "work", COMPILER)[0]

    def test_verdicts(self) -> None:
        block = "```cpp\n#include <cstddef>\nreturn sizeof(std::size_t) + one;\n```\n"
        self.one(self.judge(block), "README.md:1", "put <!-- compile")
        self.assertEqual(self.judge("<!-- not compiled: a sketch -->\n" + block), [])
        self.one(self.judge("<!-- compile: part -->\n" + block), "does not compile")
        self.write("tests/readme/part.cpp", "std::size_t f(int one) {\n@BLOCK@\n}\n")
        self.assertEqual(self.judge("<!-- compile: part -->\n" + block), [])
        self.one(self.judge(""), "no block of that name")
        whole = "<!-- compile: part -->\n```cpp\n#include <not/here.hpp>\n```\n"
        self.write("tests/readme/part.cpp", "#if __has_include(<not/here.hpp>)\n@BLOCK@\n#endif\n")
        self.one(self.judge(whole), "does not compile")
        self.write("tests/readme/part.cpp", "#if __has_include(<not/here.hpp>)\n@WHOLE@\n#endif\n")
        self.assertEqual(self.judge(whole), [])


class Joined(House):
    """What is joined is compiled and run: names, macros, places and includes of one test are not the other's."""

    def join(self, most: int, **tests: str) -> List[Path]:
        for name, text in tests.items():
            self.write(f"t/{name}_test.cpp", text)
        return join_tests.join([self.root / "t" / f"{name}_test.cpp" for name in tests], self.root / "out", most)

    def test_two_tests_with_the_same_names(self) -> None:
        test = ('#include "made.hpp"\n#if 1\n#include <cstddef>\n#endif\nnamespace {\n#define LOCAL %d\nint helper() { return LOCAL; }\n}\n'
                "const note noted{helper(), __LINE__, __FILE__};\n")
        self.write("t/made.hpp", "#pragma once\nextern int sum;\nextern bool places;\n"
                   "struct note {\n  note(int value, int line, const char* file) {\n"
                   "    while (*file) ++file;\n    sum += value;\n"
                   "    places = places && line == 9 && file[-1] == 'p' && file[-9] == '_';\n  }\n};\n")
        self.write("t/main.cpp", "int sum = 0;\nbool places = true;\nint main() { return sum == 41 && places ? 0 : 1; }\n")
        (joined,) = self.join(100, one=test % 40, two=test % 1)
        program = self.root / "run"
        sources = [str(self.root / "t/main.cpp"), str(joined)]
        subprocess.run([*COMPILER, "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{self.root / 't'}", *sources, "-o",
                        str(program)], check=True)
        subprocess.run([str(program)], check=True)

    def test_what_stays_alone(self) -> None:
        sources = self.join(100, one="int a;\n", two="//\n// Compiled alone: it is special.\n", three="int a;\n")
        self.assertEqual([source.name for source in sources], ["two_test.cpp", "joined_0.cpp"])
        self.assertEqual([source.name for source in self.join(100, one="int a;\n")], ["one_test.cpp"])

    def test_batches_are_even_and_lose_nothing(self) -> None:
        lengths = {"a": 50, "b": 50, "c": 10, "d": 80, "e": 200, "f": 1}
        tests = {name: f"int {name};\n" * count for name, count in lengths.items()}
        for most in (1, 60, 100, 200, 400):
            text = "".join(source.read_text(encoding="utf-8") for source in self.join(most, **tests))
            for name, count in lengths.items():
                self.assertEqual(text.count(f"int {name};\n"), count, (most, name))

    def test_what_did_not_change_is_not_written_again(self) -> None:
        (joined,) = self.join(100, one="int a;\n", two="int a;\n")
        os.utime(joined, (1, 1))
        self.join(100, one="int a;\n", two="int a;\n")
        self.assertEqual(joined.stat().st_mtime, 1)
        self.join(100, one="int a;\n", two="int b;\n")
        self.assertNotEqual(joined.stat().st_mtime, 1)


class Links(House):
    def judge(self, text: str) -> List[str]:
        self.write("docs/page.md", text)
        return check_links.problems_of(self.root)[0]

    def test_verdicts(self) -> None:
        self.one(self.judge("one\n[over two\nlines](nowhere.md)\n"), "docs/page.md:3", "nowhere.md leads nowhere")
        self.one(self.judge("![a picture](../images/gone.png)\n"), "leads nowhere")
        self.one(self.judge("# One `thing`, two\n[x](#one-thing-to)\n"), "page.md has no heading #one-thing-to")
        self.assertEqual(self.judge("# One `thing`, two\n[x](#one-thing-two) [y](../README.md) [z](https://e.org/x)\n"), [])
        self.assertEqual(self.judge("# A\n# A\n[x](page.md#a-1)\n```\n[x](nowhere.md)\n```\n`[](y) (z)`\n"), [])


class Language(House):
    def test_words(self) -> None:
        self.assertEqual(check_language.problems_of(self.root)[0], [])
        self.add_line("include/wsolo/core/config.hpp", "// Nobody is told.")
        self.one(check_language.problems_of(self.root)[0], "config.hpp:", "Nobody")

    def test_time(self) -> None:
        self.add_line("README.md", "A frame behind the Close, and a server behind a proxy.")
        self.one(check_language.problems_of(self.root)[0], "README.md:", "behind the Close")


class Documented(unittest.TestCase):
    def test_a_comment_covers_what_follows_it(self) -> None:
        text = "/// Both.\nint a() {\n\n    return 1; // }\n}\ntemplate <class T>\nint b(T);\n\nint c();\n"
        lines = doxygen_filter.filtered(text).split("\n")
        self.assertEqual(lines[5], "/** Both. */ template <class T>")
        self.assertEqual([line for line in lines if "Both" in line], [lines[0], lines[5]])
        self.assertEqual(lines[8], "int c();")

    def test_not_what_is_inside_of_a_type(self) -> None:
        text = "/// A type.\ntemplate <class T, std::size_t N = 1>\n    requires(N > 0)\nclass a {\n    int b;\n    int c;\n};\n"
        self.assertEqual(doxygen_filter.filtered(text), text)

    def test_the_head_is_told_where_its_laws_are_referred_to(self) -> None:
        text = "#pragma once\n// What it is.\n//\n// Laws: it needs <new>.\n\n/// See the file's laws.\nclass a {};\n"
        lines = doxygen_filter.filtered(text, "wsolo/core/a.hpp").split("\n")
        self.assertEqual(lines[:4], ["/// @file wsolo/core/a.hpp", "/// What it is.", "///", "/// Laws: it needs &lt;new&gt;."])
        self.assertEqual(lines[5], "/// @details")
        self.assertEqual(lines[6], "/** @brief @copybrief wsolo/core/a.hpp @details @copydetails wsolo/core/a.hpp */ class a {};")

    def test_log(self) -> None:
        log = ("a.hpp:3: warning: Compound wsolo::a is not documented.\n"
               "a.hpp:4: warning: Member size() const noexcept (function) of class wsolo::a is not documented.\n"
               "a.hpp:5: warning: Member limit (variable) of struct wsolo::a is not documented.\n")
        self.assertEqual(len(check_documented.unnamed_problems(log)), 3)
        covered = ("a.hpp:4: warning: Member a(int b) (function) of class wsolo::a< T > is not documented.\n"
                   "a.hpp:4: warning: Member operator bool() const (function) of class wsolo::a is not documented.\n"
                   "a.hpp:4: warning: Member write(std::span< const x > p) (function) of class wsolo::a is not documented.\n")
        self.assertEqual(check_documented.unnamed_problems(covered), [])


@unittest.skipUnless(shutil.which("doxygen"), "no Doxygen is here")
class Contracts(unittest.TestCase):
    ERRORS = "#pragma once\n// Errors.\n\nnamespace wsolo {\n/// E.\nenum class errc { none, closed /* c */ };\n} // namespace wsolo\n"

    def problems(self, text: str) -> List[str]:
        with tempfile.TemporaryDirectory() as folder:
            core = Path(folder, "include", "wsolo", "core")
            core.mkdir(parents=True)
            (core.parent / "version.hpp").write_text(VERSION, encoding="utf-8")
            (core / "error.hpp").write_text(self.ERRORS, encoding="utf-8")
            (core / "a.hpp").write_text(f"#pragma once\n// Laws: any thread; it owns all.\n\n"
                                        f"namespace wsolo::inline WSOLO_ABI {{\n{text}}} // namespace\n", encoding="utf-8")
            return check_documented.problems_of(Path(folder))[0]

    def refused(self, text: str, *words: str) -> None:
        problems = self.problems(text)
        self.assertEqual(len(problems), 1, problems)
        for word in words:
            self.assertIn(word, problems[0])

    def test_passes(self) -> None:
        self.assertEqual(self.problems("/// Not thread-safe. Movable.\nclass a {};\n"
                                       "/// See the file's laws.\nclass b {};\n"
                                       "/// A view.\nstruct c { const char* d; /**< text */ };\n"
                                       "/// Errors: closed.\nerrc e();\nerrc f();\n"
                                       "/// A literal.\nstd::string_view g();\n"), [])

    def test_name_without_a_comment(self) -> None:
        self.refused("int a();\n", "a.hpp:5: a() of wsolo is not documented")

    def test_class_without_threads(self) -> None:
        self.refused("/// Movable.\nclass a {};\n", "wsolo::a does not say which threads")

    def test_class_without_lifetime(self) -> None:
        self.refused("/// Not thread-safe.\nclass a {};\n", "wsolo::a does not say what it owns")

    def test_member_that_is_a_view(self) -> None:
        self.refused("/// Text.\nstruct a {\n    const char* b; ///< text\n};\n", "wsolo::a::b is a view")

    def test_function_that_returns_a_view(self) -> None:
        self.refused("/// Text.\nstd::string_view a();\n", "wsolo::a() returns a view")

    def test_function_whose_errors_are_not_named(self) -> None:
        self.refused("/// Does it.\nerrc a();\n", "wsolo::a() returns errc, and its comment names no error")
        self.refused("/// Does it.\nresult<int> a();\n", "its comment names no error")

    def test_error_that_does_not_exist(self) -> None:
        self.refused("/// Error: errc::lost.\nerrc a();\n", "there is no errc::lost")


if __name__ == "__main__":
    unittest.main()
