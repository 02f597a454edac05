"""examples/echo as a child process, seen from outside: what it reports, its memory, its descriptors."""

import collections
import os
import re
import signal
import subprocess
import threading
import time


class EchoServer:
    """Ends its child when it is left as a context, by the child's own id."""

    def __init__(self, command, *options, **how):
        self.ends = []  # {name: value} for each connection that is over
        self.mark = 0
        self.total = None
        self.changed = threading.Condition()
        command = [*command, "--report", *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **how)
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            raise RuntimeError(f"{command[0]} does not listen: {first}")
        self.port = int(first.rsplit(":", 1)[1])
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def _read(self):
        for line in self.process.stdout:
            word, *pairs = line.split()
            values = dict(pair.split("=", 1) for pair in pairs)
            with self.changed:
                if word == "total":
                    self.total = values
                else:
                    self.ends.append(values)
                self.changed.notify_all()

    def wait_for_ends(self, count, seconds=20.0):
        """Until so many connections have ended since the start."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.ends) >= count, seconds)

    def wait_for_more_ends(self, count, seconds=40.0):
        """The same, since mark_ends()."""
        return self.wait_for_ends(self.mark + count, seconds)

    def mark_ends(self):
        self.mark = len(self.ends)

    def stop(self, seconds=15.0):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(seconds)
        self.reader.join()
        return self.process.returncode

    # ---- as the system sees it

    def _status(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"^{name}:\s+(\d+) kB", status.read(), re.MULTILINE)[1])

    def resident(self):
        """KiB."""
        return self._status("VmRSS")

    def peak(self):
        """KiB, since reset_peak()."""
        return self._status("VmHWM")

    def reset_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as clear:
            clear.write("5")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_for_descriptors(self, count, seconds=5.0):
        """Until it has no more than so many; how many it has."""
        end = time.monotonic() + seconds
        while (now := self.descriptors()) > count and time.monotonic() < end:
            time.sleep(0.02)
        return now


def reasons_of(ends):
    return collections.Counter(end["reason"] for end in ends)


def adds_up(end):
    """Of a connection's report, or the total's."""
    return int(end["accepted"]) == sum(int(end[part]) for part in ("written", "dropped", "replaced"))
