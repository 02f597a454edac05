// The npm package `ws` as a client of the relay: takes the feed, PINGs all the while, closes.
//
//   node ws_client.mjs --url URL --modules DIR [--workers N] [--messages N] [--stay] [--timeout SECONDS]
//
// Prints a line of JSON when the feed is complete and one at the end; exits 0 when nothing was wrong.

import { createRequire } from "node:module";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    modules: { type: "string" }, // where npm put the package
    workers: { type: "string", default: "4" },
    messages: { type: "string", default: "0" },
    stay: { type: "boolean", default: false }, // let the server close
    timeout: { type: "string", default: "20" },
  },
});
const require = createRequire(resolve(options.modules, "node_modules/x.js"));
const { WebSocket } = require("ws");

const workers = Number(options.workers);
const messages = Number(options.messages);
const mostOutstanding = 32;
const started = performance.now();
const errors = [];
const say = (line) => console.log(JSON.stringify(line));

// ---- the feed: each worker's messages, none missing, none twice, each right to its last character

// The same text as message.hpp makes.
function expectedMessage(worker, number) {
  const padding = number % 64 === 63 ? 5000 : number % 8 === 7 ? 300 : 0;
  return `worker ${worker} message ${number} ` + String.fromCharCode(97 + (number % 26)).repeat(padding);
}

const next = new Array(workers).fill(0);
let frames = 0;

function takeMessage(data, isBinary) {
  ++frames;
  const text = data.toString();
  const worker = Number(text.split(" ", 2)[1]);
  if (isBinary || !(worker < workers)) return fail(`not a message of the feed: ${text.slice(0, 60)}`);
  const number = next[worker]++;
  if (text !== expectedMessage(worker, number)) {
    return fail(`worker ${worker}: expected message ${number}, got ${text.slice(0, 60)}`);
  }
  if (next.every((count) => count === messages)) finishWhenAnswered();
}

// ---- PINGs: distinct payloads; each comes back once, in order, unchanged

const outstanding = [];
let pings = 0;
let pongs = 0;

function ping() {
  if (outstanding.length >= mostOutstanding) return;
  const payload = Buffer.alloc(8 + (pings % 118), pings % 256);
  payload.write(String(pings++).padStart(8, "0"));
  outstanding.push(payload);
  socket.ping(payload);
}

function takePong(data) {
  const wanted = outstanding.shift();
  if (wanted === undefined) return fail("a PONG that no PING asked for");
  if (!data.equals(wanted)) return fail(`expected PONG ${wanted.subarray(0, 8)}, got ${data.subarray(0, 8)}`);
  ++pongs;
  if (fed) finishWhenAnswered();
}

// ---- the connection

let fed = false;
let closing = false;

function finishWhenAnswered() {
  fed = true;
  clearInterval(pinging);
  if (outstanding.length > 0 || closing) return;
  closing = true;
  say({ event: "fed" });
  if (!options.stay) socket.close(1000, "done");
}

function fail(error) {
  errors.push(error);
  socket.terminate();
}

function end(code) {
  clearInterval(pinging);
  clearTimeout(watchdog);
  const wanted = options.stay ? 1001 : 1000;
  if (errors.length === 0 && !closing) errors.push(`closed with ${code} before the feed was complete`);
  if (errors.length === 0 && code !== wanted) errors.push(`closing handshake: expected ${wanted}, got ${code}`);
  const { version } = require("ws/package.json");
  const seconds = Math.round((performance.now() - started) / 10) / 100;
  say({ event: "end", client: `ws ${version}`, port, frames, pings, pongs, errors, seconds });
  process.exitCode = errors.length === 0 ? 0 : 1;
}

let port = 0;
let pinging;
const watchdog = setTimeout(() => fail(`not done after ${options.timeout} s`), Number(options.timeout) * 1000);
const socket = new WebSocket(options.url);
socket.on("upgrade", (response) => (port = response.socket.localPort));
socket.on("open", () => (pinging = setInterval(ping, 1)));
socket.on("message", takeMessage);
socket.on("pong", takePong);
socket.on("error", (error) => errors.push(`${error.name}: ${error.message}`));
socket.on("close", end);
