"""Rooms that span processes, with real ones: examples/backplane, a Redis or a NATS, and members by Python's websockets.

    run.py --program BACKPLANE [--engine redis|nats] [--haproxy PROGRAM [--libraries FOLDER]] [--only CASE] [--jobs N] [--sanitized]

Prints a line for each case, and ends with 1 if one failed.
"""

import argparse
import concurrent.futures
import contextlib
import subprocess
import sys
import tempfile
import time
import traceback

import cases
from processes import Balancer, Failed, Member, Nats, Process, Redis, nats_server, raw_member, sockets_of


class Skipped(Exception):
    """Something is not here."""


class Plane:
    """One case's: a Redis or a NATS, processes and members, all of which end with it."""

    def __init__(self, engine, program, haproxy, folder, stack, is_sanitized):
        self.engine = {"redis": Redis, "nats": Nats}[engine](folder, stack)
        self.is_sanitized = is_sanitized
        self.processes = []
        self._program = program
        self._haproxy = haproxy
        self._folder = folder
        self._stack = stack
        self.sockets_of = sockets_of

    def process(self, wait=True):
        self.processes.append(Process(self._program, self.engine, self._stack, wait))
        return self.processes[-1]

    def balancer(self):
        """Before the processes that there are."""
        if not self._haproxy or not self._haproxy[0]:
            raise Skipped("no haproxy here")
        return Balancer(*self._haproxy, self._folder, self.processes, self._stack)

    def member(self, where, room, after=None):
        return Member(self._stack, where, room, after)

    def raw_member(self, where, room, receive_buffer):
        return raw_member(self._stack, where, room, receive_buffer)

    def end(self):
        """Each process that is left ends in order."""
        for each in self.processes:
            if each.process.poll() is None:
                each.process.terminate()
                each.expect_exit()
            each.reader.join(5)
            if "Sanitizer" in "".join(each.lines):
                raise Failed("".join(each.lines)[-4000:])


def run(act, engine, program, is_sanitized, haproxy=None):
    """None, or what failed; and the seconds."""
    began = time.monotonic()
    problem = None
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        try:
            plane = Plane(engine, program, haproxy, folder, stack, is_sanitized)
            act(plane)
            plane.end()
        except Skipped as why:
            return why, 0.0
        except Failed as error:
            problem = str(error)
        except Exception:  # noqa: BLE001: one case's failure is not the others'
            problem = traceback.format_exc()
    return problem, time.monotonic() - began


def has_nats(program):
    """Whether it was built with NATS's client: otherwise it says how it is to be called, and ends."""
    with subprocess.Popen([program, "0", "nats://127.0.0.1:1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as asked:
        first = asked.stdout.readline()
        asked.kill()
    return bool(first)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--engine", choices=["redis", "nats"], default="redis")
    parser.add_argument("--haproxy", default="")
    parser.add_argument("--libraries", default="")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--sanitized", action="store_true")
    told = parser.parse_args()
    if told.engine == "nats" and not (nats_server() and has_nats(told.program)):
        print("nats: no nats-server here, or the example was built without its client")
        return 0
    there = [act for act in cases.CASES if told.engine in act.engines]
    chosen = [act for act in there if not told.only or any(name in act.__name__ for name in told.only)]
    failures = 0
    held = 0

    def examine(act):
        return run(act, told.engine, told.program, told.sanitized, (told.haproxy, told.libraries))

    with concurrent.futures.ThreadPoolExecutor(told.jobs) as pool:
        for act, (problem, seconds) in zip(chosen, pool.map(examine, chosen)):
            is_skipped = isinstance(problem, Skipped)
            word = "skip" if is_skipped else "failed" if problem else "ok"
            print(f"{word:6} {seconds:5.1f} s  {act.__name__}", flush=True)
            held += problem is None
            failures += problem is not None and not is_skipped
            if problem:
                print("       " + str(problem).replace("\n", "\n       "), flush=True)
    print(f"{told.engine}: {held} of {len(chosen)} hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
