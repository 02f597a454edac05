"""Rooms that span processes, with real ones: examples/backplane, a Redis, and members by Python's websockets.

    run.py --program BACKPLANE [--haproxy PROGRAM [--libraries FOLDER]] [--only CASE] [--jobs N] [--sanitized]

Prints a line for each case, and ends with 1 if one failed.
"""

import argparse
import concurrent.futures
import contextlib
import sys
import tempfile
import time
import traceback

import cases
from processes import Balancer, Failed, Member, Process, Redis, Relay, raw_member, sockets_of


class Skipped(Exception):
    """Something is not here."""


class Plane:
    """One case's: a Redis, processes and members, all of which end with it."""

    def __init__(self, program, haproxy, folder, stack, is_sanitized):
        self.redis = Redis(folder, stack)
        self.is_sanitized = is_sanitized
        self.processes = []
        self._program = program
        self._haproxy = haproxy
        self._folder = folder
        self._stack = stack
        self.sockets_of = sockets_of

    def process(self, wait=True, engine=None):
        self.processes.append(Process(self._program, engine or self.redis.url, self._stack, wait))
        return self.processes[-1]

    def relay(self):
        """Before the Redis: a process that is given its `url` as `engine` reaches Redis through it."""
        return Relay(self.redis.port, self._stack)

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


def last_words(plane):
    """Of each process: whether it is there, and what it said."""
    return "\n".join(f"{each.process.poll()}: {''.join(each.lines)[-1500:].strip()}" for each in plane.processes)


def run(act, program, is_sanitized, haproxy=None):
    """None, or what failed; and the seconds."""
    began = time.monotonic()
    problem = None
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        try:
            plane = Plane(program, haproxy, folder, stack, is_sanitized)
            act(plane)
            plane.end()
        except Skipped as why:
            return why, 0.0
        except Failed as error:
            problem = f"{error}\n{last_words(plane)}"
        except Exception:  # noqa: BLE001: one case's failure is not the others'
            problem = f"{traceback.format_exc()}\n{last_words(plane)}"
    return problem, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--haproxy", default="")
    parser.add_argument("--libraries", default="")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--sanitized", action="store_true")
    told = parser.parse_args()
    chosen = [act for act in cases.CASES if not told.only or any(name in act.__name__ for name in told.only)]
    failures = 0
    held = 0

    def examine(act):
        return run(act, told.program, told.sanitized, (told.haproxy, told.libraries))

    with concurrent.futures.ThreadPoolExecutor(told.jobs) as pool:
        for act, (problem, seconds) in zip(chosen, pool.map(examine, chosen)):
            is_skipped = isinstance(problem, Skipped)
            word = "skip" if is_skipped else "failed" if problem else "ok"
            print(f"{word:6} {seconds:5.1f} s  {act.__name__}", flush=True)
            held += problem is None
            failures += problem is not None and not is_skipped
            if problem:
                print("       " + str(problem).replace("\n", "\n       "), flush=True)
    print(f"{held} of {len(chosen)} hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
