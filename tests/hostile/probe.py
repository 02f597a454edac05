"""A well-behaved connection, in a process of its own so that it competes with no other code for an interpreter.

    probe.py PORT

Sends a message every 5 ms, checks that it comes back, and takes the time. For each line on standard input it prints the
latencies since the last one: count, median, 99th percentile, worst, in milliseconds; and the most by which the machine woke
it later than it had asked for. Ends with its input.
"""

import select
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "relay" / "clients"))
from raw_client import RawClient, frame  # noqa: E402

PACE = 0.005
LIMIT = 10.0


def quantile(sorted_times, share):
    return sorted_times[min(len(sorted_times) - 1, int(len(sorted_times) * share))]


def main():
    client = RawClient(int(sys.argv[1]))
    client.shake_hands()
    client.socket.settimeout(LIMIT)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    late = 0.0
    number = 0
    while True:
        asked = time.monotonic()
        told = select.select([sys.stdin], [], [], PACE)[0]
        late = max(late, time.monotonic() - asked - PACE)
        if told:
            if not sys.stdin.readline():
                break
            times.sort()
            shown = [quantile(times, share) for share in (0.5, 0.99, 1.0)] if times else [0, 0, 0]
            print(len(times), *(f"{1000 * value:.2f}" for value in (*shown, late)), flush=True)
            times = []
            late = 0.0
        payload = b"probe %d" % number
        number += 1
        sent = time.monotonic()
        client.send(frame(1, payload))
        if client.read_frame() != (1, payload):
            sys.exit("the probe got another message than it sent")
        times.append(time.monotonic() - sent)
    client.send(frame(8, b"\x03\xe8"))
    if client.read_close() != 1000:
        sys.exit("the probe's Close was not answered")


if __name__ == "__main__":
    main()
