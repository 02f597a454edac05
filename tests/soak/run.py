"""The soak: random connections, good, bad and cut, against examples/echo on loopback. README.md says what must hold.

    run.py [--minutes N] [--seed S] [--write DOCUMENT] SANITIZER=ECHO...      SANITIZER: none, address, thread
    run.py --seed S --show NUMBER                                             what that connection does

The time is shared out among the servers. Each runs in rounds: with threads that handle messages and without, with threads
that broadcast and close and without.
"""

import argparse
import collections
import os
import platform
import random
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "hostile"), str(HERE.parents[1] / "tools")]
from document import markdown_table, write_into  # noqa: E402
from peer import Peer, Wrong  # noqa: E402
from plan import KINDS, MIB, make_plan  # noqa: E402
from server import EchoServer, reasons_of  # noqa: E402

AT_ONCE = 40  # connections, besides those that wait for the server's end
MOST = 120  # with them
ROUND = 15.0  # seconds of new connections, about
# The time that the server gives a closing handshake is longer than the time that we give a connection: what waits for
# something that does not come is found out.
STUCK = 20.0
CLOSE_TIMEOUT = 60.0
OPTIONS = (
    f"--max-message {MIB} --max-unsent {MIB // 2} --handshake-timeout-ms 3000 --write-timeout-ms 5000"
    f" --close-timeout-ms {int(1000 * CLOSE_TIMEOUT)}"
).split()
# In a round without these nothing wakes a connection but what it waits for: a wake-up that is lost shows.
QUIET = "--ping-interval-ms 0".split()
BUSY = "--ping-interval-ms 250 --broadcast-ms 40 --close-one-ms 300".split()

# KiB that a connection may cost, as in tests/hostile; a sanitizer's own books come on top.
FULL = (2 * MIB + MIB + MIB + MIB // 2 + MIB) >> 10
BASE = 4096
TIMES = {"none": 1, "address": 3, "thread": 6}
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=10",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=0:exitcode=66:second_deadlock_stack=1",
}


class Round:
    """One server's life."""

    def __init__(self, server, seed, first, seconds, show):
        self.server = server
        self.seed = seed
        self.next_number = first
        self.end = time.monotonic() + seconds
        self.show = show
        self.failures = []
        self.counts = collections.Counter()
        self.active = {}  # by our port
        self.selector = selectors.DefaultSelector()
        self.seen = 0  # of the server's reports
        self.stopping = False

    def fail(self, words, peer=None):
        about = f"seed {self.seed}, connection {peer.plan.describe()}" if peer else f"seed {self.seed}"
        self.failures.append(f"{words} ({about})")
        self.show(f"   FAILED: {words}\n      {about[:400]}")

    # ---- the loop

    def start_one(self, now):
        plan = make_plan(self.seed, self.next_number, self.server.port)
        self.next_number += 1
        try:
            peer = Peer(plan, self.server.port, now)
        except OSError as problem:
            return self.fail(f"no connection: {problem}")
        self.counts["connections"] += 1
        self.counts[plan.kind] += 1
        self.active[peer.port] = peer
        self.turn(peer, now)
        return None

    def turn(self, peer, now):
        try:
            peer.turn(now)
            is_resting = peer.is_at_rest() and not peer.stopping
            if not peer.over and not is_resting and now - peer.progress > STUCK:
                raise Wrong(f"stuck for {STUCK:.0f} s, waiting for {len(peer.expected)} echoes")
        except (Wrong, OSError) as problem:
            self.fail(str(problem), peer)
            peer.end(now, "cut by us", reset=True)
        if peer.over:
            self.part(peer)
        else:
            self.watch(peer, now)

    def watch(self, peer, now):
        """What the selector is to look for."""
        wanted = selectors.EVENT_READ * peer.wants_read(now) | selectors.EVENT_WRITE * peer.wants_write(now)
        if wanted == peer.watched:
            return
        if peer.watched:
            self.selector.unregister(peer.socket)
        if wanted:
            self.selector.register(peer.socket, wanted, peer)
        peer.watched = wanted

    def part(self, peer):
        """It is over."""
        if peer.watched:
            self.selector.unregister(peer.socket)
        peer.watched = 0
        peer.socket.close()

    def take_reports(self):
        for report in self.server.ends[self.seen :]:
            self.seen += 1
            peer = self.active.pop(int(report["peer"]), None)
            if peer is None:
                self.fail(f"a report of an unknown connection, or a second one: {report}")
                continue
            if not peer.over:
                self.drain(peer)
            try:
                peer.judge(report)
            except Wrong as problem:
                self.fail(f"{problem}: {report}", peer)
            self.add(peer)

    def drain(self, peer):
        """Its report was faster than the stream's end."""
        end = time.monotonic() + 5
        while not peer.over and time.monotonic() < end:
            self.turn(peer, time.monotonic())
            time.sleep(0.001)
        if not peer.over:
            self.fail("a report, but no end of the stream", peer)
            peer.end(end, "cut by us")
            self.part(peer)

    def add(self, peer):
        self.counts.update(peer.counts)
        self.counts[peer.went] += 1
        self.counts["closed by the administrator"] += peer.code == 1012

    def step(self):
        now = time.monotonic()
        soonest = min((peer.next_turn for peer in self.active.values() if not peer.over), default=now + 0.02)
        for key, _ in self.selector.select(max(0.0, min(soonest - now, 0.02))):
            self.turn(key.data, time.monotonic())
        now = time.monotonic()
        for peer in [peer for peer in self.active.values() if not peer.over and peer.next_turn <= now]:
            self.turn(peer, now)
        self.take_reports()
        for peer in [peer for peer in self.active.values() if peer.over and now - peer.progress > STUCK]:
            self.fail("no report", peer)
            del self.active[peer.port]

    def is_alive(self):
        return self.server.process.poll() is None

    def waiting(self):
        return [peer for peer in self.active.values() if not peer.is_at_rest()]

    def run(self, in_the_middle):
        """Connections until the time is over; then the server's end, once they rest or while they are at it."""
        descriptors = self.server.descriptors()
        before = self.server.resident()
        self.server.reset_peak()
        while time.monotonic() < self.end and self.is_alive():
            while len(self.active) < MOST and len(self.waiting()) < AT_ONCE and self.is_alive():
                self.start_one(time.monotonic())
            self.step()
        if not in_the_middle:
            while self.waiting() and self.is_alive():
                self.step()
            if self.is_alive():
                self.check_descriptors(descriptors)
        if not self.is_alive():
            return self.fail(f"the server ended with {self.server.process.returncode}")
        self.counts["peak KiB"] = self.server.peak() - before
        return self.stop()

    def check_descriptors(self, descriptors):
        left = self.server.wait_for_descriptors(descriptors + len(self.active))
        self.take_reports()
        if left > descriptors + len(self.active):
            self.fail(f"{left} descriptors for {len(self.active)} connections, not {descriptors + len(self.active)}")

    def stop(self):
        self.counts["open at SIGTERM"] = len(self.active)
        for peer in self.active.values():
            peer.stopping = True
            peer.progress = time.monotonic()
        self.server.process.terminate()
        end = time.monotonic() + STUCK + 10
        while self.is_alive() and time.monotonic() < end:
            self.step()
        if self.is_alive():
            return self.fail("the server does not end")
        self.server.reader.join()
        self.take_reports()
        for peer in self.active.values():
            if peer.status:  # otherwise it was not accepted yet
                self.fail("no report", peer)
            else:
                self.counts["not accepted any more"] += 1
            if not peer.over:
                peer.end(end, "cut by us")
                self.part(peer)
        return self.check_end()

    def check_end(self):
        status, total = self.server.process.returncode, self.server.total or {}
        if status != 0 or total.get("adds_up") != "yes":
            self.fail(f"the server ended with {status}: {total}")
        elif int(total["connections"]) != len(self.server.ends):
            self.fail(f"{len(self.server.ends)} reports: {total}")


# ---- all of it


def launcher(sanitizer):
    """ThreadSanitizer does not start everywhere where addresses are randomized widely."""
    command = [shutil.which("setarch") or "setarch", platform.machine(), "-R"]
    if sanitizer != "thread" or not shutil.which("setarch"):
        return []
    return command if subprocess.run([*command, "true"], capture_output=True).returncode == 0 else []


def run_server(sanitizer, echo, seed, seconds, show):
    """Rounds for so long. (counts, failures)"""
    counts = collections.Counter()
    failures = []
    reasons = collections.Counter()
    rounds = max(4, round(seconds / ROUND))
    environment = {**os.environ, **ENVIRONMENT}
    for number in range(rounds):
        threads = 3 if number % 2 == 0 else 0
        busy = number % 4 < 2
        with tempfile.TemporaryFile("w+") as errors:
            command = [*launcher(sanitizer), echo]
            how = [*OPTIONS, *(BUSY if busy else QUIET), "--threads", threads]
            with EchoServer(command, *how, env=environment, stderr=errors) as server:
                began = time.monotonic()
                life = Round(server, f"{seed}.{sanitizer}.{number}", 1, seconds / rounds, show)
                life.run(in_the_middle=number % 8 in (1, 2, 4, 7))
                spent = time.monotonic() - began
            errors.seek(0)
            if said := errors.read():
                life.fail(f"the server said: {said[:6000]}")
        bound = BASE + MOST * FULL * TIMES[sanitizer]
        if life.counts["peak KiB"] > bound:
            life.fail(f"{life.counts['peak KiB']} KiB, more than {bound}")
        show(
            f"   {sanitizer}, {threads} threads, {'busy' if busy else 'quiet'}: {life.counts['connections']} connections in {spent:.0f} s,"
            f" {life.counts['echoes']} echoes, peak {life.counts['peak KiB'] >> 10} MiB, {len(life.failures)} failures"
        )
        reasons += reasons_of(server.ends)
        failures += life.failures
        peak = max(counts["peak KiB"], life.counts["peak KiB"])
        counts += life.counts
        counts["peak KiB"] = peak
        counts["reports"] += len(server.ends)
        counts["rounds"] += 1
        counts["seconds"] += round(spent)
    show("   ended with: " + ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())))
    return counts, failures


ROWS = (
    *("seconds", "rounds", "connections", *KINDS, "closed by the administrator", "open at SIGTERM"),
    *("not accepted any more", "reports", "stalls", "said", "flooded", "echoes", "echoed bytes", "PONGs", "PINGs in"),
    *("broadcasts", "bytes in", "peak KiB"),
)
NAMES = {
    "said": "messages sent",
    "flooded": "messages of the deaf",
    "echoes": "echoes, byte for byte",
    "PINGs in": "PINGs from the server",
    "broadcasts": "broadcasts received",
    "bytes in": "bytes received",
    "stalls": "pauses in reading",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", default=str(random.randrange(1_000_000)))
    parser.add_argument("--show", type=int, metavar="NUMBER")
    parser.add_argument("--write", help="a document whose table is replaced")
    parser.add_argument("servers", nargs="*", metavar="SANITIZER=ECHO")
    options = parser.parse_args()
    if options.show is not None:
        print(make_plan(options.seed, options.show, 0).describe())
        return 0
    print(f"   seed {options.seed}, {options.minutes:g} minutes")
    columns = {}
    failures = []
    servers = dict(pair.split("=", 1) for pair in options.servers)
    for sanitizer, echo in servers.items():
        seconds = 60 * options.minutes / len(servers)
        columns[sanitizer], found = run_server(sanitizer, echo, options.seed, seconds, lambda line: print(line, flush=True))
        failures += found
    table = markdown_table(
        ("", *columns), [(NAMES.get(row, row), *(counts[row] for counts in columns.values())) for row in ROWS]
    )
    print(table)
    if options.write:
        write_into(options.write, "soak", table)
    print(f"soak: {len(failures)} failures, seed {options.seed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
