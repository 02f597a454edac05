"""A host program as a child process, seen from outside: its memory, its descriptors, its exit status."""

import os
import re
import resource
import signal
import subprocess
import threading
import time


class Failed(Exception):
    """What a case says must not be."""


class Host:
    """Ends its child when it is left as a context, by the child's own id."""

    def __init__(self, command, tls=None, environment=None):
        full = [*command, "0", *(["--tls", *tls] if tls else [])]
        self.process = subprocess.Popen(
            full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )
        self.errors = ""
        self.reader = threading.Thread(target=self._read_errors, daemon=True)
        self.reader.start()
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            self.process.kill()
            self.process.wait()
            self.reader.join()
            raise Failed(f"{command[0]} does not listen: {first!r} {self.errors}")
        self.port = int(first.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def _read_errors(self):
        self.errors = self.process.stderr.read()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def expect_exit(self, seconds=20.0):
        """After terminate(): that it ends by itself, with status 0 and without a word."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"after SIGTERM it did not end for {seconds:.0f} s") from None
        self.reader.join()
        if status != 0 or self.errors:
            raise Failed(f"it ended with {status}: {self.errors.strip()[:4000]}")

    # ---- as the system sees it

    def resident(self):
        """KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.MULTILINE)[1])

    def sockets(self):
        """How many descriptors are sockets."""
        folder = f"/proc/{self.process.pid}/fd"
        count = 0
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
            except FileNotFoundError:
                pass
        return count

    def leave_descriptors(self, count):
        """It gets so many more, and no other."""
        last = max(map(int, os.listdir(f"/proc/{self.process.pid}/fd")))
        self._limit_descriptors(last + 1 + count)

    def give_descriptors(self):
        """As many as it likes."""
        self._limit_descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    def _limit_descriptors(self, soft):
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (soft, hard))

    def expect_sockets(self, count, seconds):
        """Until it has no more than so many: the others were cut off, or given back."""
        end = time.monotonic() + seconds
        while (now := self.sockets()) > count:
            if time.monotonic() > end:
                raise Failed(f"it still has {now - count} connections too many after {seconds:.0f} s")
            time.sleep(0.02)
