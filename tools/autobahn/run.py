"""Runs the Autobahn|Testsuite against wsolo on the loopback interface, prints a table and judges it.

    run.py SIDE --suite FOLDER --report FOLDER [--fast] [--write DOCUMENT] -- PROGRAM [OPTION...]

server, compressed_server: PROGRAM is started; it prints `listening on HOST:PORT`, sends every message back, and ends well on
SIGTERM. client, compressed_client: PROGRAM is started once for every case with a URL after its options; it sends back every
message until the peer closes, and ends. The compressed sides are sections 12 and 13, which others leave out. Fails when a case is not right (see summary.py), when one was left out, when the suite itself had an
exception, or when a server did not end well.
"""

import argparse
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from summary import Report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from document import write_into  # noqa: E402

# 12 and 13 are compression, sides of their own; 9 is the slow one: messages of up to 16 MiB.
CASES = {"cases": ["*"], "exclude-cases": ["12.*", "13.*"], "exclude-agent-cases": {}}
COMPRESSED = {"cases": ["12.*", "13.*"], "exclude-cases": [], "exclude-agent-cases": {}}
# A sample: messages of one size of each kind, and each offer once.
COMPRESSED_SAMPLE = {**COMPRESSED, "cases": [*(f"12.{kind}.{size}" for kind in range(1, 6) for size in (3, 11)),
                                             *(f"13.{offer}.5" for offer in range(1, 8))]}
LIMIT = 3600  # seconds for a whole run
CASE_LIMIT = 500  # the suite itself waits for 480 s at most


def fail(words):
    sys.exit(f"autobahn: {words}")


class Suite:
    """wstest in one of its modes, with its log in the folder of the reports."""

    def __init__(self, options, mode, **spec):
        self.report = Path(options.report).resolve()
        shutil.rmtree(self.report, ignore_errors=True)
        self.report.mkdir(parents=True)
        cases = {**CASES, "exclude-cases": CASES["exclude-cases"] + (["9.*"] if options.fast else [])}
        if options.side.startswith("compressed"):
            cases = COMPRESSED_SAMPLE if options.fast else COMPRESSED
        (self.report / "spec.json").write_text(json.dumps({"outdir": str(self.report), **cases, **spec}))
        self.log = self.report / "wstest.log"
        command = [Path(options.suite) / "wstest", "-m", mode, "-u", "0", "-s", self.report / "spec.json"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def says(self, pattern, seconds=20):
        """What its log says, once it does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(pattern, self.log.read_text(errors="replace")):
                return found
            time.sleep(0.02)
        fail(f"the suite did not say {pattern}: see {self.log}")

    def listens(self, port, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.02)
        fail(f"the suite does not listen: see {self.log}")

    def judge(self, options):
        """The table, and how many things are wrong."""
        log = self.log.read_text(errors="replace")
        planned = int(re.search(r"Ok, will run (\d+) test cases", log)[1])
        report = Report(self.report)
        wrong = report.wrong()
        if len(report.cases) != planned:
            wrong.append(f"{len(report.cases)} cases ran, not {planned}")
        if "Traceback" in log or "Unhandled" in log:
            wrong.append(f"the suite itself had an exception: see {self.log}")
        print(report.table())
        print(f"informational: {', '.join(report.informational()) or 'none'}")
        if options.write:
            write_into(options.write, f"autobahn {options.side}", report.table(seconds=False))
        return wrong


def run_server(options):
    with subprocess.Popen(options.command, stdout=subprocess.PIPE, text=True) as echo:
        try:
            address = re.match(r"listening on (\S+)", echo.stdout.readline())
            if not address:
                fail(f"{options.command[0]} does not say where it listens")
            servers = [{"agent": "wsolo", "url": f"ws://{address[1]}/"}]
            with Suite(options, "fuzzingclient", servers=servers) as suite:
                suite.process.wait(LIMIT)
                echo.send_signal(signal.SIGTERM)
                said = echo.communicate(timeout=30)[0]
                wrong = suite.judge(options)
        finally:
            echo.kill()
    print(f"the server's last words: {(said.strip().splitlines() or ['none'])[-1]}")
    if echo.returncode != 0:
        wrong.append(f"the server ended with {echo.returncode}")
    return wrong


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_client(options):
    port = free_port()
    url = f"ws://127.0.0.1:{port}"
    with Suite(options, "fuzzingserver", url=url) as suite:
        count = int(suite.says(r"Ok, will run (\d+) test cases")[1])
        suite.listens(port)
        began = time.monotonic()
        with (suite.report / "client.log").open("w") as log:
            paths = [f"runCase?case={number}&agent=wsolo" for number in range(1, count + 1)]
            for path in [*paths, "updateReports?agent=wsolo"]:
                subprocess.run([*options.command, f"{url}/{path}"], stdout=log, stderr=log, timeout=CASE_LIMIT)
                if time.monotonic() - began > LIMIT:
                    fail("takes too long")
        return suite.judge(options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=["server", "client", "compressed_server", "compressed_client"])
    parser.add_argument("--suite", required=True, help="the folder that port.sh made")
    parser.add_argument("--report", required=True, help="where the reports go; emptied first")
    parser.add_argument("--fast", action="store_true", help="without section 9; of compression a sample")
    parser.add_argument("--write", help="a document whose table is replaced")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    began = time.monotonic()
    wrong = run_client(options) if options.side.endswith("client") else run_server(options)
    for line in wrong:
        print(line)
    print(f"autobahn {options.side}: {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
