#!/usr/bin/env python3
"""Works every control of the demo's page in a headless Chromium. See README.md beside this file.

    tests/demo/check_page.py --demo build/demo/examples/demo/demo [--screenshot FILE]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

from browser import Browser, find_browser

CONTROLS = ["wsolo", "connections", "rate", "slow", "policy", "deploy"]  # in the order of the Tab key
FOCUSED = "(document.activeElement.id || document.activeElement.value || '')"
CONTRAST = """(() => {
  const probe = document.createElement("canvas").getContext("2d");
  const light = (name) => {
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].map((v) => v / 255).map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ratio = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  return Math.min(...["--ink", "--soft", "--good", "--bad"].map((name) => ratio(light(name), light("--card"))), ratio(light("--soft"), light("--ground")));
})()"""


class Check:
    def __init__(self, demo: str) -> None:
        self.failures: List[str] = []
        self.server = subprocess.Popen([demo], stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        self.url = self.server.stdout.readline().split("page=")[1].strip()
        self.browser = Browser(1240, 1080)
        self.browser.ask("Page.navigate", url=self.url)

    def require(self, holds: object, otherwise: str) -> None:
        if not holds:
            self.failures.append(otherwise)
            print(f"   FAILED: {otherwise}")

    def text(self, name: str) -> str:
        return str(self.browser.value(f"document.getElementById('{name}').textContent"))

    def all_open(self, count: int) -> bool:
        """The peers that are wanted, and no other."""
        return self.browser.wait_for(f"$('n-all').textContent === '{count}' && $('n-open').textContent === '{count}' && "
                                     f"last.ending === null && last.connections === {count}")

    def go_to(self, control: str) -> bool:
        """By the Tab key alone, from wherever the focus is."""
        for _ in range(len(CONTROLS) + 3):
            if self.browser.value(FOCUSED) == control:
                return True
            self.browser.press("Tab")
        return False

    # ---- the acts

    def begins(self) -> None:
        self.require(self.browser.wait_for("document.readyState === 'complete' && last !== null"), "the page shows no report")
        self.require(self.all_open(32), f"32 peers were not open: {self.text('n-open')}")
        self.require(self.browser.wait_for("Number($('n-rate').textContent.replace(',', '')) > 1000"), "nothing arrives")
        self.require(self.browser.wait_for("Number($('n-pong').textContent) > 0"), "no PONG is timed")

    def is_reached_by_keyboard(self) -> None:
        seen = []
        for _ in range(len(CONTROLS) + 2):
            self.browser.press("Tab")
            name = self.browser.value(FOCUSED)
            if name and name not in seen:
                seen.append(name)
        self.require(seen == CONTROLS, f"the Tab key goes {seen}")

    def sliders(self) -> None:
        for control, key, report, at_least in (("connections", "Home", "connections", 2), ("rate", "Home", "rate", 10),
                                               ("slow", "Home", "slow_kib", 4)):
            self.require(self.go_to(control), f"the Tab key does not reach {control}")
            self.browser.press(key)
            self.require(self.browser.wait_for(f"last.{report} === {at_least}"), f"{control} does nothing")
            self.require(self.browser.value(f"document.querySelector('output[for={control}]').textContent") == str(at_least),
                         f"{control} does not say its value")
        self.require(self.all_open(2), "two connections did not become of many")
        for control, report in (("connections", "connections"), ("rate", "rate"), ("slow", "slow_kib")):
            self.go_to(control)
            for _ in range(3):
                self.browser.press("PageUp")
            self.browser.wait_for(f"last.{report} === Number($('{control}').value)")
        self.require(self.all_open(int(self.browser.value("$('connections').value"))), "many connections did not become of two")

    def policies(self) -> None:
        self.go_to("policy")
        for name in ("drop_oldest", "disconnect"):
            self.browser.press("ArrowDown")
            self.require(self.browser.wait_for(f"last.policy === '{name}' && last.ending === null"), f"the policy {name} does nothing")
        self.browser.press("Home")
        self.require(self.browser.wait_for("last.policy === 'skip' && last.ending === null"), "the policy can't be put back")
        self.require(self.browser.wait_for("Number($('n-skipped').textContent.replaceAll(',', '')) > 0", 60),
                     "the slow peer's queue did not fill")
        self.require(self.browser.value("last.p99 < 1000 && last.fast > 0"), "the slow peer holds up the fast ones")

    def deploys(self) -> None:
        count = int(self.browser.value("last.connections"))
        generation = self.browser.value("last.generation")
        self.require(self.go_to("deploy"), "the Tab key does not reach the button")
        self.browser.press("Enter")
        self.require(self.browser.wait_for("$('deploy').disabled"), "the button does nothing")
        self.require(self.browser.wait_for(f"last.generation > {generation} && last.ending === null", 60), "the deploy does not end")
        said = self.text("events")
        self.require("Deploy done" in said and " 0 never arrived" in said, f"the deploy lost something: {said[:200]}")
        self.require(self.all_open(count), "the peers did not come back after the deploy")

    def writes_twice(self) -> None:
        self.require(self.browser.value("sums.wsolo.torn") == 0, "a frame of wsolo was torn")
        self.go_to("wsolo")
        self.browser.press("ArrowRight")
        self.require(self.browser.wait_for("last.server === 'wrong' && last.ending === null"), "the switch does nothing")
        self.require(self.browser.wait_for("sums.wrong.torn > 0", 60), "the server that writes twice tears no frame")
        self.require(self.browser.wait_for("document.querySelectorAll('#peers .torn').length > 0", 60), "no peer is shown as torn")
        self.go_to("deploy")
        self.browser.press(" ")
        self.require(self.browser.wait_for("/Deploy done[^.]*\\.[^.]* [1-9]\\d* cut off/.test($('events').textContent)", 60),
                     "the end of the server that writes twice looks clean")
        self.browser.wait_for("last.ending === null")

    def is_right_again(self) -> None:
        self.go_to("wrong")
        self.browser.press("ArrowLeft")
        self.require(self.browser.wait_for("last.server === 'wsolo' && last.ending === null"), "the switch does not go back")
        self.require(self.all_open(int(self.browser.value("last.connections"))), "the peers did not come back")
        self.require(self.browser.wait_for("steady > 12", 60) and self.browser.value("sums.wsolo.torn") == 0, "a frame of wsolo was torn")

    def can_be_heard(self) -> None:
        nodes = self.browser.ask("Accessibility.getFullAXTree")["nodes"]
        said = {}
        for node in nodes:
            role, name = node.get("role", {}).get("value"), node.get("name", {}).get("value", "")
            said.setdefault(role, []).append((name, node.get("description", {}).get("value", "")))
        for role, count in (("radio", 2), ("slider", 3), ("combobox", 1), ("button", 1), ("image", 3)):
            found = said.get(role, []) + (said.get("img", []) if role == "image" else [])
            self.require(len(found) == count and all(name for name, _ in found), f"role {role}: {found}")
        charts = said.get("image", []) + said.get("img", [])
        self.require(all(description for _, description in charts), f"a chart says nothing: {charts}")
        self.require(said.get("log") and said.get("status"), "nothing is announced")

    def can_be_seen(self) -> None:
        for scheme in ("light", "dark"):
            self.browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            contrast = self.browser.value(CONTRAST)
            self.require(contrast >= 4.5, f"{scheme}: text has a contrast of {contrast:.2f}")
            drawn = "(() => { const c = $('c-rate'); return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v); })()"
            self.require(self.browser.wait_for(drawn), f"{scheme}: no chart is drawn")
        before = self.browser.value("$('c-rate').toDataURL()")
        self.require(self.browser.wait_for(f"$('c-rate').toDataURL() !== {before!r}"), "the charts stand still")
        self.browser.ask("Emulation.setDeviceMetricsOverride", width=380, height=900, deviceScaleFactor=1, mobile=True)
        self.require(self.browser.value("document.documentElement.scrollWidth <= 380"), "a small screen has to scroll sideways")
        self.browser.ask("Emulation.clearDeviceMetricsOverride")
        self.browser.ask("Emulation.setDeviceMetricsOverride", width=1240, height=1080, deviceScaleFactor=1, mobile=False)

    def asked_nobody_else(self) -> None:
        for event in self.browser.events:
            method, told = event.get("method"), event.get("params", {})
            if method == "Network.requestWillBeSent":
                url = told["request"]["url"]
                self.require(url.startswith((self.url, "data:", "about:")), f"the page asks {url}")
            if method == "Runtime.exceptionThrown" or (method == "Log.entryAdded" and told["entry"]["level"] == "error"):
                self.require(False, f"the page logs {str(told)[:300]}")

    def picture(self, to: Path) -> None:
        """A minute in which both servers are to be seen."""
        self.browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
        self.browser.ask("Page.reload")
        self.browser.wait_for("document.readyState === 'complete' && last !== null")
        for words in ("connections 48", "rate 100", "slow 16", "server wsolo"):
            self.browser.value(f"say('{words}')")
        self.browser.wait_for("$('n-skipped').textContent !== '0' && samples.length > 40", 60)
        generation = self.browser.value("last.generation")
        self.browser.value("say('deploy now')")
        self.browser.wait_for(f"last.generation > {generation} && last.ending === null && steady > 24", 40)
        self.browser.value("say('server wrong')")
        self.browser.wait_for("last.server === 'wrong' && sums.wrong.torn > 12 && steady > 44", 40)
        self.browser.value("say('server wsolo')")
        self.browser.wait_for("last.server === 'wsolo' && steady > 24 && last.backlog > 40000", 40)
        to.write_bytes(self.browser.screenshot())
        print(f"== {to}: {to.stat().st_size} bytes")

    def end(self) -> None:
        self.browser.close()
        self.server.terminate()

    def take_picture(self, to: Path) -> int:
        try:
            self.begins()
            self.picture(to)
        finally:
            self.end()
        return 1 if self.failures else 0

    def run(self, screenshot: str) -> int:
        if screenshot:
            return self.take_picture(Path(screenshot))
        acts: List[Callable[[], None]] = [self.begins, self.is_reached_by_keyboard, self.sliders, self.policies, self.deploys, self.writes_twice,
                                          self.is_right_again, self.can_be_heard, self.can_be_seen, self.asked_nobody_else]
        try:
            for act in acts:
                print(f"== {act.__name__.replace('_', ' ')}", flush=True)
                act()
        finally:
            self.end()
        self.require(self.server.wait(20) == 0, "the server did not end well")
        print(f"{len(self.failures)} failures" if self.failures else "all as it should be")
        return 1 if self.failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", required=True)
    parser.add_argument("--screenshot", default="", help="only take the README's picture, which takes a minute")
    options = parser.parse_args()
    if not find_browser():
        print("no Chromium here", file=sys.stderr)
        return 77
    return Check(options.demo).run(options.screenshot)


if __name__ == "__main__":
    raise SystemExit(main())
