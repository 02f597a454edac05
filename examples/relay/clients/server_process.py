"""A server of this example as a child process: its address, what it reports, its end."""

import resource
import signal
import subprocess
import threading


class ServerProcess:
    """Ends its child when it is left as a context, by the child's own id."""

    def __init__(self, binary, *options, descriptors=None):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.binary = binary
        self.lines = []  # (word, {name: value})
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [binary, *map(str, options)],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=limit if descriptors else None,
        )
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            raise RuntimeError(f"{binary} does not listen: {first}")
        self.host, port = first.split()[-1].split(":")
        self.port = int(port)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    @property
    def url(self):
        return f"ws://{self.host}:{self.port}/feed"

    def wait_for(self, word, seconds=5.0, **wanted):
        """The first line of this word with these values, or None after `seconds`."""

        def find():
            for said, values in self.lines:
                if said == word and all(values.get(k) == str(v) for k, v in wanted.items()):
                    return values
            return None

        with self.changed:
            return self.changed.wait_for(find, seconds)

    def all_of(self, word):
        with self.changed:
            return [values for said, values in self.lines if said == word]

    def stop(self, seconds=8.0):
        """SIGTERM, and the exit status; None when it did not end in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self.reader.join()
        return self.process.returncode

    def _read(self):
        for line in self.process.stdout:
            word, *pairs = line.split()
            with self.changed:
                self.lines.append((word, dict(pair.split("=", 1) for pair in pairs)))
                self.changed.notify_all()
