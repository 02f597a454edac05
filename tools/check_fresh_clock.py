#!/usr/bin/env python3
"""The tests pass on a machine that booted a moment ago: each program runs with a monotonic clock that has just begun.

A test that gives a point of its own clock to a real wait, or takes one from the past of the real clock, passes on machines
that have been up for long enough. Where the kernel gives no process a clock of its own (Linux only, a time namespace, by
`unshare`), the check is skipped and says so.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, Optional

from house import report

SKIPPED = 77
LIMIT = 300  # seconds for one program, against a hang
NOW = [sys.executable, "-c", "import time; print(time.monotonic())"]


def launcher() -> List[str]:
    """Begins a command line whose program sees a monotonic clock of less than a second; made anew for each program."""
    offset = f"--monotonic=-{int(time.monotonic())}"
    return ["unshare", "--user", "--map-root-user", "--time", offset, "--fork", "--kill-child", "--"]


def why_not() -> Optional[str]:
    """Why there is no such clock here; None if there is."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    tried = subprocess.run(launcher() + NOW, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if tried.returncode != 0:
        return tried.stderr.strip() or "unshare fails"
    return None if float(tried.stdout) < 30 else "the clock stays as it was"


def problems_with(program: Path, limit: float) -> List[str]:
    try:
        done = subprocess.run(launcher() + [str(program)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=limit)
        code, text = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, text = -1, (late.stdout or b"").decode(errors="replace") + f"not over after {limit} s"
    if code == 0:
        return []
    return [f"{program.name} fails where the clock has just begun:\n" + "\n".join(text.splitlines()[-20:])]


def problems_of(programs: List[Path], limit: float = LIMIT) -> List[str]:
    with ThreadPoolExecutor(max_workers=2) as both:  # they wait most of the time
        return [problem for found in both.map(lambda program: problems_with(program, limit), programs) for problem in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=Path, nargs="+")
    programs = parser.parse_args().programs
    reason = why_not()
    if reason is not None:
        print(f"skipped, no clock of its own here: {reason}")
        return SKIPPED
    return report("fresh_clock", problems_of(programs), len(programs), "programs")


if __name__ == "__main__":
    raise SystemExit(main())
