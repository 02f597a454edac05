// Chromium's own WebSocket, headless, at the other end of wsolo: see README.md for what each side does. A page can
// neither send fragments nor PINGs.
//
//   chromium_peer.mjs MODULES connect URL                   as client of an echo server
//   chromium_peer.mjs MODULES deflate-connect kept URL      the same with compression
//
// MODULES: the directory into which npm put playwright-core. The browser is the system's own, CHROMIUM in the environment.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, act, ...rest] = process.argv.slice(2);
const { chromium } = createRequire(path.resolve(modules) + "/")("playwright-core");

// Runs in the page. `tell` is there too.
async function inPage({ act, url }) {
  const open = async () => {
    const peer = new WebSocket(url);
    peer.binaryType = "arraybuffer";
    peer.closed = new Promise((resolve) => (peer.onclose = resolve));
    await new Promise((resolve, reject) => {
      peer.onopen = resolve;
      peer.onerror = () => reject(new Error("no handshake"));
    });
    return peer;
  };
  const echoed = async (peer, what, message) => {
    const answer = new Promise((resolve) => (peer.onmessage = ({ data }) => resolve(data)));
    peer.send(message);
    const data = await answer;
    const size = typeof message === "string" ? new TextEncoder().encode(message).length : message.length;
    const same =
      typeof message === "string"
        ? data === message
        : data.byteLength === message.length && new Uint8Array(data).every((byte, at) => byte === message[at]);
    await tell(`${what} of ${size} bytes: ${same ? "the same" : "ANOTHER"}`);
  };
  const bytes = (length) => new Uint8Array(length).map((_, at) => at);
  const told = ({ code, wasClean }) => `${code}${wasClean ? "" : ", NOT CLEANLY"}`;

  if (act === "deflate-connect") {
    // Text that resembles itself nowhere within 32 KiB.
    const noise = (length) => {
      let state = 1;
      return bytes(length).map(() => {
        state = (state * 75 + 74) % 65537;
        return "abcdefghijklmnopqrstuvwxyz012345".charCodeAt(state % 32);
      });
    };
    const text = (from) => new TextDecoder().decode(from);
    const peer = await open();
    for (const length of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
      await echoed(peer, "text", text(noise(length)));
      await echoed(peer, "binary", noise(length));
    }
    for (let round = 0; round < 3; ++round) await echoed(peer, "text", text(noise(2000).subarray(1000)));
    peer.close(1000, "done");
    await tell(`Close 1000: answered with ${told(await peer.closed)}`);
    return;
  }

  const first = await open();
  await echoed(first, "text", "Grüße, 世界");
  await echoed(first, "text", "");
  await echoed(first, "binary", bytes(256));
  for (const length of [1 << 16, 1 << 20]) {
    await echoed(first, "text", "é".repeat(length / 2));
    await echoed(first, "binary", bytes(length));
  }
  first.close(1000, "done");
  await tell(`Close 1000: answered with ${told(await first.closed)}`);

  const second = await open();
  await echoed(second, "text", "still here");
  await tell(`closed with ${told(await second.closed)}`);
}

// The page has an origin, as a real one has.
const server = createServer((_, response) => response.end("<!doctype html><title>peer</title>"));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"], // a container's root has none
});
try {
  const page = await browser.newPage();
  await page.exposeFunction("tell", (words) => console.log(words));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate(inPage, { act, url: rest.at(-1) });
} finally {
  await browser.close();
  server.close();
}
