"""Breaks examples/backplane in one way after another, and shows each time the case that notices.

    self_test.py --work FOLDER [--only CASE]...
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cases
import processes
from run import run
from wrong import SOURCE, WRONG, misfits

ROOT = Path(__file__).resolve().parents[2]


def build(folder, change):
    """The program, with this file changed."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SOURCE, folder)
    if change:
        name, before, after = change
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(before, after), encoding="utf-8")
    program = folder / "backplane"
    subprocess.run(
        [os.environ.get("CXX", "g++"), "-std=c++20", "-DNDEBUG", f"-I{ROOT / 'include'}", *(str(folder / f"{name}.cpp") for name in ("main", "redis", "redis_engine", "rooms")),
         "-lhiredis", "-pthread", "-o", str(program)],
        check=True,
    )  # fmt: skip
    return str(program)


def examine(number, what, change, name, work):
    program = build(work / str(number), change)
    act = next(each for each in cases.CASES if each.__name__ == name)
    for _ in range(5):  # some need a message at the wrong moment
        problem, _ = run(act, program, False)
        if problem:
            return problem.strip().splitlines()[0][:100]
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--only", action="append", default=[], help="what cases of such a name notice; may be said again")
    told = parser.parse_args()
    for misfit in misfits():
        sys.exit(misfit)
    processes.LIMIT = 14.0  # seconds; most of what is wrong shows itself by not coming
    told.work.mkdir(parents=True, exist_ok=True)
    missed = 0
    chosen = [wrong for wrong in WRONG if not told.only or any(each in wrong[4] for each in told.only)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(examine, n, w[0], w[1:4], w[4], told.work) for n, w in enumerate(chosen)]
        for wrong, job in zip(chosen, jobs):
            noticed = job.result()
            missed += noticed is None
            print(f"{'seen' if noticed else 'MISSED':6}  {wrong[0]}: {wrong[4]}: {noticed}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} are seen")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
