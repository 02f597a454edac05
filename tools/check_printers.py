#!/usr/bin/env python3
"""tools/gdb/wsolo_gdb.py by a real gdb on tests/debugger/subject.cpp: what it prints of each kind of value.

    tools/check_printers.py PROGRAM      exits with 77 where there is no gdb that knows Python
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from house import report, repository_root

EXPECTED = {
    "error": "closed",
    "header": "text fin masked 012003ff, payload 5",
    "plain": "binary rsv1, payload 1099511627776",
    "turn": "gated",
    "out": "single_writer, turn: parked",
}


def said_by_gdb(program: str) -> str:
    commands = [f"source {repository_root() / 'tools/gdb/wsolo_gdb.py'}", "set debuginfod enabled off", "break stop_here", "run",
                "up", *[f"print {name}" for name in EXPECTED]]
    command = ["gdb", "--batch", "-nx", *[word for line in commands for word in ("-ex", line)], program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def main() -> int:
    if not shutil.which("gdb") or "ok" not in subprocess.run(
            ["gdb", "--batch", "-nx", "-ex", "python print('ok')"], capture_output=True, text=True).stdout:
        print("printers: no gdb with Python is here")
        return 77
    said = said_by_gdb(sys.argv[1])
    lines = said.splitlines()
    problems = []
    for number, (name, value) in enumerate(EXPECTED.items(), start=1):
        shown = [line for line in lines if line.startswith(f"${number} = ")]
        if not shown or not shown[0].startswith(f"${number} = {value}"):
            problems.append(f"print {name}: expected {value}, gdb says {shown or said[-400:]}")
    return report("printers", problems, len(EXPECTED), "values")


if __name__ == "__main__":
    raise SystemExit(main())
