"""The hosts' test suite: README.md says what the programs speak, and what must hold.

    run.py [--tls] [--slack N] [--jobs N] [--only CASE] [--write DOCUMENT] NAME=PROGRAM...
    run.py --self-test WRONG_HOST     shows each case a host that must not pass it

A host runs each case as a process of its own, so cases run beside each other without disturbing each other. Prints a table, host x
case, and ends with 1 if anything failed.
"""

import argparse
import concurrent.futures
import contextlib
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cases
import peer
from host import Failed, Host
from peer import Peer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from document import markdown_table, write_into  # noqa: E402


class Stage:
    """One case's: a host, and the peers that it made, all of which end with it."""

    def __init__(self, host, tls_context, slack, stack):
        self.host = host
        self.tls_context = tls_context
        self.tls = tls_context is not None
        self.slack = slack
        self._stack = stack

    def connect(self, **how):
        return self._stack.enter_context(Peer(self.host.port, self.tls_context, **how))

    def open(self, **how):
        """Past the handshake."""
        opened = self.connect(**how)
        opened.shake_hands()
        return opened

    def in_threads(self, calls):
        """A function that runs them at once and raises what one of them raised."""

        def run():
            with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
                for each in [pool.submit(call) for call in calls]:
                    each.result()

        return run


def make_certificate(folder):
    """(certificate, key) for localhost."""
    names = (str(Path(folder) / "cert.pem"), str(Path(folder) / "key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", names[0], "-keyout", names[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return names


def examine(*how):
    """(None or what failed, seconds). What came too late counts when it comes too late again."""
    problem, seconds = examine_once(*how)
    return examine_once(*how) if problem and problem.startswith(cases.LATE) else (problem, seconds)


def examine_once(command, case, tls, context, slack, environment=None):
    began = time.monotonic()
    try:
        with Host(command, tls, environment={**ENVIRONMENT, **(environment or {})}) as host, contextlib.ExitStack() as stack:
            try:
                case(Stage(host, context, slack, stack))
                stack.close()
                if host.process.poll() is None:
                    host.terminate()
                host.expect_exit()
            except Exception as why:  # a library's, too
                host.process.kill()
                host.process.wait()
                host.reader.join()
                said = f"\n{host.errors.strip()[:6000]}" if host.errors else ""
                return f"{why or repr(why)}{said}", time.monotonic() - began
    except Failed as why:
        return str(why), time.monotonic() - began
    return None, time.monotonic() - began


def starts(name, command, tls):
    """Whether there is anything to examine. A host that can't do what is asked says so, and is left out."""
    try:
        with Host(command, tls):
            return True
    except Failed as why:
        if "this host has no TLS" not in str(why):
            raise SystemExit(str(why)) from None
        print(f"   {name} has no TLS here", flush=True)
        return False


# What a sanitizer keeps of freed memory would count as held.
ENVIRONMENT = {
    "ASAN_OPTIONS": "quarantine_size_mb=4:malloc_context_size=6",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}
# Qt locks by calls of its own, which ThreadSanitizer does not see: what its libraries do under them would be races.
ENVIRONMENTS = {"qt": {"TSAN_OPTIONS": ENVIRONMENT["TSAN_OPTIONS"] + ":ignore_noninstrumented_modules=1"}}


# What is wrong with tests/hosts/wrong.cpp, and the cases that must see it. Every case is named here.
FAULTS = {
    "echoes all as binary": "echo echo_of_many byte_by_byte fragments real_client",
    "loses a message": "push_beside_echo push_of_many forty",
    "closes with 1008": "close_by_peer close_by_host close_unanswered broken_rules data_after_close",
    "closes the socket after its Close": "close_while_sending",
    "swallows PONGs": "ping ping_flood",
    "loses what follows the request": "glued_frames",
    "takes a request only whole": "request_in_pieces",
    "takes any path": "plain_http",
    "waits for ever": "endless_request close_unanswered never_reads_echoes never_reads_pushes",
    "holds all": "never_reads_echoes never_reads_pushes",
    "blocks": "never_reads_echoes never_reads_pushes",
    "knows no half-close": "half_close",
    "leaks": "resets forty",
    "ends for want of a descriptor": "no_descriptors",
    "drops all at SIGTERM": "stop_when_idle stop_amid_pushes stop_with_unread_pushes",
    "aborts at SIGTERM": "stop_when_idle stop_amid_pushes stop_with_unread_pushes",
    "ends with 3": "echo stop_when_idle",
}


def self_test(program, jobs):
    """1 if a case passes what it must not, or fails what is right."""
    peer.LIMIT = cases.LIMIT = cases.PATIENCE = 6.0  # what fails because nothing comes waits for it
    named = {case.__name__: case for case in cases.CASES}
    pairs = [(fault, name) for fault, names in FAULTS.items() for name in names.split()]
    missing = set(named) - {name for _, name in pairs}
    pairs += [("", name) for name in named]

    def run(pair):
        problem, seconds = examine([program], named[pair[1]], None, None, 1, {"WSOLO_WRONG": pair[0]})
        is_right = (problem is None) == (pair[0] == "")
        if not is_right or pair[0]:
            verdict = problem.splitlines()[0][:110] if problem else "passes"
            print(f"   {pair[0] or 'nothing wrong':<34} {pair[1]:<24} {'' if is_right else 'WRONG: '}{verdict}", flush=True)
        return is_right

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        wrong = sum(not is_right for is_right in pool.map(run, pairs))
    print(f"{len(pairs)} runs, {wrong} with another verdict than they should have; without a fault: {sorted(missing)}")
    return 1 if wrong or missing else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tls", action="store_true", help="all of it over TLS")
    parser.add_argument("--slack", type=float, default=1, help="how many times as much memory may be held (sanitizers)")
    parser.add_argument("--jobs", type=int, default=8, help="cases at once")
    parser.add_argument("--only", default=[], action="append", metavar="CASE", help="cases whose name contains this")
    parser.add_argument("--self-test", metavar="WRONG_HOST", help="shows each case a host that must not pass it")
    parser.add_argument("--write", help="a document whose part `hosts`, or `hosts over tls`, is replaced by the table")
    parser.add_argument("hosts", nargs="*", metavar="NAME=PROGRAM", help="a program may be followed by words of its own")
    options = parser.parse_args()
    if options.self_test:
        return self_test(options.self_test, options.jobs)

    hosts = dict(each.split("=", 1) for each in options.hosts)
    chosen = [case for case in cases.CASES if not options.only or any(word in case.__name__ for word in options.only)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tls = make_certificate(folder) if options.tls else None
        context = ssl.create_default_context(cafile=tls[0]) if tls else None
        hosts = {name: words for name, words in hosts.items() if starts(name, words.split(), tls)}
        printing = threading.Lock()

        def run(name, case):
            problem, seconds = examine(hosts[name].split(), case, tls, context, options.slack, ENVIRONMENTS.get(name))
            with printing:
                word = f"FAILED: {problem}" if problem else "ok"
                print(f"   {name:<12} {case.__name__:<24} {seconds:5.1f} s  {word}", flush=True)
            return problem

        # The long ones first.
        waits = (cases.endless_request, cases.ping_flood, cases.never_reads_echoes, cases.never_reads_pushes)
        order = sorted(chosen, key=lambda case: case not in waits)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            futures = {(name, case): pool.submit(run, name, case) for name in hosts for case in order}
            results = {key: future.result() for key, future in futures.items()}

    rows = [
        (case.__name__.replace("_", " "), *("FAILED" if results[name, case] else "ok" for name in hosts)) for case in chosen
    ]
    print()
    print(table := markdown_table(("case", *hosts), rows))
    if options.write:
        write_into(options.write, "hosts over tls" if tls else "hosts", table)
    failures = sum(problem is not None for problem in results.values())
    print(f"\n{len(results)} cases, {failures} failures, {time.monotonic() - began:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
