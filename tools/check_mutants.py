#!/usr/bin/env python3
"""The tables of mutants fit the sources: every old text stands exactly once in its file, old and new differ, and the test
case that kills stands in the tests. Reads the tables for scripts/mutants too.

tests/mutants/ROOM.mutants holds a room's mutants, one after the other:

    == name_of_the_mutant
    why: What it does wrong, in one sentence.
    killer: test_write "the test case's full name"
    in: include/wsolo/write/outbox.hpp
     a line that stays, where the next one alone would stand there twice
    -a line that goes
    +a line that comes

What follows `in:` is whole lines, each after its sign, until the next line that begins with `==` or `in:`; a further `in:`
is a further edit, made after the ones before it. Empty lines at an edit's end don't count, those within are lines that stay.
What stands above the first mutant is for people.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from house import report, repository_root

CASE = re.compile(r'^\s*(TEMPLATE_|)\w*TEST_CASE\w*\s*\((?:\s*\w+\s*,)?\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', re.MULTILINE)
INSTANCE = " - *"  # what a template's test case is followed by, in place of the type
KILLER = re.compile(r'(\w+) "(.+)"')


class Edit(NamedTuple):
    file: str
    old: str  # whole lines
    new: str

    def applied_to(self, text: str) -> str:
        at = starts_of(self.old, text)
        if len(at) != 1:
            raise ValueError(f"the old text stands {len(at)} times in {self.file}{self.hint(text)}")
        return text[:at[0]] + self.new + text[at[0] + len(self.old):]

    def hint(self, text: str) -> str:
        lines = set(text.splitlines())
        gone = [line for line in self.old.splitlines() if line not in lines]
        return f', nowhere "{gone[0].strip()}"' if gone else ""


class Mutant(NamedTuple):
    table: Path
    line: int  # of its name, counted from 1
    name: str
    why: str
    program: str
    case: str
    edits: List[Edit]

    def files_of(self, root: Path) -> Dict[str, str]:
        """The changed files and their texts; ValueError where it does not fit."""
        files: Dict[str, str] = {}
        for edit in self.edits:
            if edit.file not in files:
                path = root / edit.file
                if not path.is_file():
                    raise ValueError(f"{edit.file} is missing")
                files[edit.file] = path.read_text(encoding="utf-8")
            files[edit.file] = edit.applied_to(files[edit.file])
        return files


def starts_of(old: str, text: str) -> List[int]:
    """Where `old` begins in `text`, at the begin of a line."""
    found, at = [], text.find(old)
    while at >= 0:
        if at == 0 or text[at - 1] == "\n":
            found.append(at)
        at = text.find(old, at + 1)
    return found


def edit_of(file: str, lines: List[str]) -> Edit:
    while lines and not lines[-1]:
        lines = lines[:-1]
    for line in lines:
        if line and line[0] not in " -+":
            raise ValueError(f'"{line}" begins with none of " ", "-", "+"')
    sides = [[line[1:] + "\n" for line in lines if line[:1] in signs] for signs in (("", " ", "-"), ("", " ", "+"))]
    old, new = ("".join(side) for side in sides)
    if not old.strip():
        raise ValueError("an edit has no old text")
    if old == new:
        raise ValueError("old and new text are the same")
    return Edit(file, old, new)


def mutant_of(table: Path, number: int, lines: List[str]) -> Mutant:
    """`lines` begins with the mutant's name."""
    fields: Dict[str, str] = {}
    edits: List[Tuple[str, List[str]]] = []
    for line in lines[1:]:
        key, colon, value = line.partition(": ")
        if key == "in" and colon:
            edits.append((value.strip(), []))
        elif edits:
            edits[-1][1].append(line)
        elif key in ("why", "killer") and colon:
            fields[key] = value.strip()
        elif line.strip():
            raise ValueError(f'"{line}" is none of why:, killer:, in:')
    killer = KILLER.fullmatch(fields.get("killer", ""))
    if killer is None:
        raise ValueError('no killer: PROGRAM "TEST CASE"')
    if not fields.get("why") or not edits:
        raise ValueError("why: or in: is missing")
    return Mutant(table, number, lines[0][2:].strip(), fields["why"], killer[1], killer[2],
                  [edit_of(file, body) for file, body in edits])


def mutants_of(table: Path) -> Tuple[List[Mutant], List[str]]:
    """What a table holds, and what is wrong with it by itself."""
    lines = table.read_text(encoding="utf-8").splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("==")]
    found, problems, names = [], [], set()
    for begin, end in zip(starts, starts[1:] + [len(lines)]):
        where = f"{table.name}:{begin + 1}: {lines[begin][2:].strip()}"
        try:
            mutant = mutant_of(table, begin + 1, lines[begin:end])
            if not mutant.name or mutant.name in names:
                raise ValueError("the name is missing, or taken")
            names.add(mutant.name)
            found.append(mutant)
        except ValueError as problem:
            problems.append(f"{where}: {problem}")
    if not starts:
        problems.append(f"{table.name}: no mutant in it")
    return found, problems


def tables_of(root: Path) -> List[Path]:
    return sorted((root / "tests" / "mutants").glob("*.mutants"))


def plain(literal: str) -> str:
    """The text of a string literal, or of several side by side."""
    return re.sub(r'\\(.)|"\s*"|"', lambda part: part[1] or "", literal).strip()


class Sources:
    """Which test case stands in which file below tests/."""

    def __init__(self, root: Path):
        self.root = root
        self.found: Dict[str, Dict[str, str]] = {}

    def of(self, program: str, case: str) -> Optional[str]:
        """Relative to tests/, or None."""
        if program not in self.found:
            self.found[program] = self.cases_of(program)
        cases = self.found[program]
        return cases.get(case) or cases.get(re.sub(r" - [^-]+$", INSTANCE, case))

    def cases_of(self, program: str) -> Dict[str, str]:
        tests = self.root / "tests"
        room = program.replace("test_", "", 1)
        folder = tests / room if room == "scenarios" else tests / "unit" / room
        return {plain(name) + (INSTANCE if template else ""): path.relative_to(tests).as_posix()
                for path in sorted(folder.rglob("*_test.cpp"))
                for template, name in CASE.findall(path.read_text(encoding="utf-8"))}


def problems_of(root: Path) -> Tuple[List[str], int]:
    """(what is wrong, how many mutants were looked at)"""
    problems: List[str] = []
    count = 0
    sources = Sources(root)
    for table in tables_of(root):
        mutants, wrong = mutants_of(table)
        problems += wrong
        count += len(mutants)
        for mutant in mutants:
            where = f"{table.name}:{mutant.line}: {mutant.name}"
            if sources.of(mutant.program, mutant.case) is None:
                problems.append(f'{where}: {mutant.program} has no test case "{mutant.case}"')
            try:
                mutant.files_of(root)
            except ValueError as problem:
                problems.append(f"{where}: {problem}")
    return problems, count


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    return report("mutants", *problems_of(parser.parse_args(arguments).root), "mutants")


if __name__ == "__main__":
    raise SystemExit(main())
