"""Hostile peers against examples/echo on real sockets: README.md says what is measured, and what must hold.

    run.py --server ECHO [--threads N] [--write DOCUMENT] [NAME...]
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import attacks
from server import EchoServer, adds_up, reasons_of

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from document import markdown_table, write_into  # noqa: E402

MAX_MESSAGE = 1 << 20
MAX_UNSENT = 2 << 20
OPTIONS = (
    f"--max-message {MAX_MESSAGE} --max-unsent {MAX_UNSENT} --ping-interval-ms 0"
    " --handshake-timeout-ms 3000 --write-timeout-ms 3000 --close-timeout-ms 2000"
).split()

# KiB that one connection may cost. SMALL: it is open, and a message of a thousand bytes stands half read or half
# written. FULL, what the limits allow: a message in the reader, whose buffer grows by doubling; an inbox of 1 MiB and the
# message that crosses it; the echoes that are unsent when reading stops, with those of what was read until then.
SMALL = 16
FULL = (2 * MAX_MESSAGE + (1 << 20) + MAX_MESSAGE + MAX_UNSENT + MAX_MESSAGE) >> 10
BASE = 2048  # for the whole server: its buffers, its tables, the allocator's slack

# The well-behaved connection's latency, in milliseconds, on a machine that the attackers use too. LATE times as much as the
# probe itself is woken late comes on top: that is the machine's, as is what another try does not show.
P99 = 250
WORST = 2000
LATE = 20
TRIES = 3
LEAST = 1.5  # seconds for which an attack goes on, for the sake of the latencies

GONE = {"connection_lost"}
SLOW = {"write_timed_out"}
# name, attack, KiB per connection, the reasons with which its connections may end
CASES = [
    ("nothing", lambda _: 0, SMALL, set()),
    ("a million PINGs", attacks.ping_flood, FULL, {"none"}),
    ("a million PINGs, PONGs unread", attacks.ping_flood_unread, FULL, SLOW),
    ("a million fragments of one byte", attacks.one_byte_fragments, FULL, {"none"}),
    ("a million empty fragments", attacks.empty_fragments, FULL, {"none"}),
    ("a message of a million fragments", attacks.endless_fragments, FULL, {"too_many_fragments"}),
    ("a million tiny messages", attacks.tiny_messages, FULL, {"none"}),
    ("a million tiny messages, echoes unread", attacks.tiny_messages_unread, FULL, SLOW),
    ("six million empty messages, unread", attacks.empty_messages_unread, FULL, SLOW),
    ("never read, never stop sending", attacks.never_read_never_stop, FULL, SLOW),
    ("read a byte each 50 ms", attacks.drip_readers, FULL, SLOW),
    ("write a byte at a time", attacks.drip_writers, SMALL, {"none"}),
    ("half a handshake", attacks.half_handshakes, SMALL, {"handshake_timeout"}),
    ("1 MiB of header", attacks.oversized_headers, 64, {"handshake_line_too_long", "handshake_too_many_headers"}),
    ("2^63-1 bytes announced", attacks.announced_lengths, SMALL, {"frame_too_big"}),
    ("1 MiB announced, 1000 bytes sent", attacks.announced_and_begun, SMALL, GONE),
    ("reset after each byte", attacks.resets, SMALL, GONE | {"none", "write_failed"}),
    ("half-close after each byte", attacks.half_closes, SMALL, GONE | {"none", "handshake_incomplete"}),
    ("vanish after each byte", attacks.vanishings, SMALL, GONE | {"none", "write_failed", "handshake_incomplete"}),
    ("storm of closes", attacks.close_storm, SMALL, GONE | {"none", "write_failed"}),
    ("10000 idle", attacks.idle, SMALL, GONE),
]


class Probe:
    """The well-behaved connection."""

    def __init__(self, port):
        command = [sys.executable, Path(__file__).with_name("probe.py"), str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def mark(self):
        """(count, median, 99th percentile, worst, how late it was woken at worst) since the last mark."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline().split()
        return [int(line[0]), *map(float, line[1:])] if line else None

    def stop(self):
        self.process.stdin.close()
        status = self.process.wait(20)
        self.process.stdout.close()
        return status


class Arena:
    """Runs attacks, each on a server of its own, so that memory which another one left is not taken for free."""

    def __init__(self, *command):
        self.command = command
        self.failures = []
        self.rows = []

    def require(self, holds, otherwise):
        if not holds:
            self.failures.append(otherwise)
            print(f"   FAILED: {otherwise}")

    def run(self, name, attack, each, allowed):
        """Latencies that are too long count when they come again."""
        for _ in range(TRIES):
            late = self.run_once(name, attack, each, allowed)
            if not late:
                return
            print(f"   {late}", flush=True)
        self.require(False, late)

    def run_once(self, name, attack, each, allowed):
        """What is wrong with the latencies, or None."""
        late = None
        with EchoServer(self.command, *OPTIONS) as server:
            probe = Probe(server.port)
            probe.mark()
            try:
                late = self.measure(name, server, probe, attack, each, allowed)
            except (attacks.Broken, OSError) as problem:
                self.require(False, f"{name}: {problem}")
            self.require(probe.stop() == 0, f"{name}: the well-behaved connection did not end well")
            status = server.stop()
            total = server.total or {}
            self.require(status == 0 and total.get("adds_up") == "yes", f"{name}: the server: {status}, {total}")
        return late

    def measure(self, name, server, probe, attack, each, allowed):
        descriptors = server.descriptors()
        before = server.resident()
        server.reset_peak()
        probe.mark()
        began = time.monotonic()
        count = attack(server)
        at_once = count
        while count and time.monotonic() - began < LEAST:  # too short to say anything of latencies
            server.mark_ends()
            count += attack(server)
        in_time = server.wait_for_ends(count, 30)
        seconds = time.monotonic() - began
        latency = probe.mark() or [0, *[float("inf")] * 3, 0.0]
        peak = server.peak() - before
        bound = BASE + at_once * each
        reasons = reasons_of(server.ends)
        self.add_row(name, count, seconds, peak, bound, latency, reasons)
        self.require(in_time and len(server.ends) == count, f"{name}: {count} connections, {len(server.ends)} reports")
        self.require(set(reasons) <= allowed, f"{name}: ended with {dict(reasons)}, not {allowed}")
        self.require(all(map(adds_up, server.ends)), f"{name}: a report does not add up")
        self.require(peak <= bound, f"{name}: {peak} KiB, more than {bound}")
        left = server.wait_for_descriptors(descriptors)
        self.require(left == descriptors, f"{name}: {left} descriptors, not {descriptors}")
        excused = LATE * latency[4]
        if latency[2] > P99 + excused or latency[3] > WORST + excused:
            return f"{name}: another connection waited {latency[1:4]} ms, its thread {latency[4]} ms"
        return None

    def add_row(self, name, connections, seconds, peak, bound, latency, reasons):
        ended = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        row = (name, connections, f"{seconds:.1f}", peak, bound, *(f"{ms:.1f}" for ms in latency[1:4]), ended)
        self.rows = [other for other in self.rows if other[0] != name] + [row]
        print(f"   {show(row)}", flush=True)


HEAD = ("attack", "connections", "s", "peak KiB", "bound KiB", "median ms", "99 % ms", "worst ms", "ended with")


def show(row):
    return "{:<40} {:>11} {:>5} {:>8} {:>9} {:>9} {:>7} {:>8}  {}".format(*row)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--threads", default="0", help="that handle messages; 0: the server's loop does")
    parser.add_argument("--write", help="a document whose table is replaced")
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases whose name contains one of these")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began = time.monotonic()
    print(f"   {show(HEAD)}")
    arena = Arena(options.server, "--threads", options.threads)
    cases = [case for case in CASES if not options.names or any(name in case[0] for name in options.names)]
    for case in cases:
        arena.run(*case)
    if options.write:
        write_into(options.write, "hostile", markdown_table(HEAD[:-1], [row[:-1] for row in arena.rows]))
    print(f"{len(cases)} attacks, {len(arena.failures)} failures, {time.monotonic() - began:.0f} s")
    return 1 if arena.failures else 0


if __name__ == "__main__":
    sys.exit(main())
