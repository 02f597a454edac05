"""The demo: real clients on a server that goes wrong, then on wsolo, then bad company for it.

Run by scripts/demo, with a Python that has `websockets`. Exits non-zero when anything is wrong, and when the
wrong server was not caught being wrong.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "clients"))
import hostile  # noqa: E402
from server_process import ServerProcess  # noqa: E402

CLIENTS = Path(__file__).parent / "clients"
WORKERS = 4
MESSAGES = 3000  # of each worker, to each connection
SCHEDULE = ["--workers", WORKERS, "--messages", MESSAGES, "--burst", 4, "--pace-ms", 1]
PONG_BYTE = "0x8a"  # FIN and opcode 10


class Client:
    """One client program, running."""

    def __init__(self, command, url, *options):
        command = [*command, "--url", url, "--workers", str(WORKERS), *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.last = {"event": "none", "client": "?", "port": 0, "frames": 0, "pongs": 0, "errors": ["it died"]}

    def wait_fed(self):
        """Until its feed is complete and its PINGs are answered, or it gave up."""
        self._read()

    def result(self):
        while self.last["event"] != "end" and self._read():
            pass
        self.process.wait()
        self.process.stdout.close()
        return self.last

    def _read(self):
        line = self.process.stdout.readline()
        if line:
            self.last = {**self.last, **json.loads(line)}
        return line


class Demo:
    def __init__(self, options):
        self.build = Path(options.build)
        self.commands = {"websockets": [sys.executable, str(CLIENTS / "websockets_client.py")]}
        if options.node:
            node = ["node", str(CLIENTS / "ws_client.mjs"), "--modules", options.node]
            self.commands["ws"] = node
        self.rows = []
        self.failures = []

    def server(self, name, *options, **limits):
        return ServerProcess(str(self.build / name), *options, **limits)

    def require(self, holds, otherwise):
        if not holds:
            self.failures.append(otherwise)
            print(f"   FAILED: {otherwise}")

    def add_row(self, name, result, server):
        """`writes`: the server's own count of its system calls that write, over the frames it wrote."""
        end = server.wait_for("end", 5, peer=result["port"]) or {}
        frames = int(end.get("written", 0))
        per_frame = int(end["writes"]) / frames if frames else None
        self.rows.append((name, result["client"], result["frames"], result["pongs"], len(result["errors"]), per_frame))

    # ---- the three acts

    def show_wrong(self):
        print("== the server that writes twice and answers PINGs from its reader")
        with self.server("relay_wrong", *SCHEDULE) as server:
            client = Client(self.commands["websockets"], server.url, "--messages", MESSAGES, "--no-pings")
            result = client.result()
            self.require(not result["errors"], f"without PINGs it should look right: {result['errors'][:1]}")
            print("   while no peer PINGs, it looks right")
            self.add_row("wrong, no PINGs", result, server)
        for name, command in self.commands.items():
            with self.server("relay_wrong", *SCHEDULE) as server:
                result = Client(command, server.url, "--messages", MESSAGES).result()
                self.require(result["errors"], f"{name} did not notice that the wrong server is wrong")
                seconds = result.get("seconds")
                for error in result["errors"][:1]:
                    hint = " (which is how a PONG begins)" if PONG_BYTE in error else ""
                    print(f"   {name}, after {result['frames']} frames and {seconds} s: {error}{hint}")
                self.add_row("wrong", result, server)

    def show_right(self):
        print("== wsolo, the same schedule, two of each client at once")
        with self.server("relay", *SCHEDULE) as server:
            running = []
            for name, command in self.commands.items():
                for stays in (False, True):  # one closes by itself, one lets the server close
                    options = ["--messages", MESSAGES, *(["--stay"] if stays else [])]
                    running.append((name, stays, Client(command, server.url, *options)))
            for _, _, client in running:
                client.wait_fed()
            results = [client.result() for _, stays, client in running if not stays]
            status = server.stop()
            results += [client.result() for _, stays, client in running if stays]
            for result in results:
                self.require(not result["errors"], f"{result['client']}: {result['errors'][:1]}")
                self.require(result["frames"] == WORKERS * MESSAGES, f"{result['client']}: frames are missing")
                self.require(result["pongs"] > 0, f"{result['client']}: no PING was answered")
                self.add_row("wsolo", result, server)
                end = server.wait_for("end", 5, peer=result["port"]) or {}
                sent = result["frames"] + result["pongs"] + 1  # the Close frame
                self.require(end.get("written") == str(sent), f"{result['client']}: {sent} frames arrived, {end}")
            self.show_account(server, status)

    def show_hostile(self):
        print("== bad input, while a good client goes on")
        with self.server("relay", *hostile.SERVER_OPTIONS, descriptors=hostile.DESCRIPTORS) as server:
            undisturbed = Client(self.commands["websockets"], server.url, "--stay", "--timeout", 50)
            bad = hostile.Round(server).run()
            for failure in bad.failures:
                self.require(False, failure)
            print(f"   {bad.count} cases, {len(bad.failures)} failures")
            status = server.stop()
            result = undisturbed.result()
            self.require(not result["errors"], f"the good client was disturbed: {result['errors'][:1]}")
            self.require(result["frames"] > 0 and result["pongs"] > 0, "the good client was not served")
            self.add_row("wsolo, attacked", result, server)
            self.show_account(server, status)

    def show_account(self, server, status):
        total = next(iter(server.all_of("total")), {})
        self.require(status == 0 and total.get("adds_up") == "yes", f"the server ended with {status}: {total}")
        print(
            "   {connections} connections: {accepted} frames accepted = {written} written + {dropped} dropped + {replaced} replaced".format_map(
                {"connections": "?", "accepted": "?", "written": "?", "dropped": "?", "replaced": "?", **total}
            )
        )

    def print_table(self):
        head = ("server", "client", "frames", "PONGs", "errors", "writes/frame")
        print("\n{:16} {:18} {:>7} {:>7} {:>7} {:>13}".format(*head))
        for *row, per_frame in self.rows:
            shown = "-" if per_frame is None else f"{per_frame:.2f}"
            print("{:16} {:18} {:>7} {:>7} {:>7} {:>13}".format(*row, shown))

    def run(self):
        started = time.monotonic()
        self.show_wrong()
        self.show_right()
        self.show_hostile()
        self.print_table()
        verdict = f"{len(self.failures)} failures" if self.failures else "all as it should be"
        print(f"\n{verdict}, {time.monotonic() - started:.0f} s")
        return 1 if self.failures else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="the directory that holds relay and relay_wrong")
    parser.add_argument("--node", help="the directory into which npm put the package ws")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(Demo(parse_arguments()).run())
