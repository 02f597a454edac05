// npm's `ws`, at the other end of wsolo: see README.md for what each side does.
//
//   ws_peer.mjs MODULES connect URL     as client of an echo server
//   ws_peer.mjs MODULES serve           as server; its client sends everything back
//   ws_peer.mjs MODULES echo            as echo server, to try the other peers on
//   ws_peer.mjs MODULES deflate-connect|deflate-serve kept|unkept [URL]     the first two with compression
//
// MODULES: the directory into which npm put ws.
import { createRequire } from "node:module";
import { on, once } from "node:events";
import path from "node:path";

const [modules, act, ...rest] = process.argv.slice(2);
const { WebSocket, WebSocketServer } = createRequire(path.resolve(modules) + "/")("ws");

const bytes = (length) => Buffer.alloc(length, Buffer.from([...Array(256).keys()]));
const pieces = Buffer.from("a" + "é".repeat(19999) + "b");
const limit = 20_000; // ms for any answer

const tell = (words) => console.log(words);
const next = (peer, name) => once(peer, name, { signal: AbortSignal.timeout(limit) });

async function echoed(peer, what, message) {
  const answer = next(peer, "message");
  peer.send(message);
  const [data, binary] = await answer;
  const sent = Buffer.from(message);
  const same = data.equals(sent) && binary === (what === "binary");
  tell(`${what} of ${sent.length} bytes: ${same ? "the same" : "ANOTHER"}`);
}

async function answered(peer, name, payload) {
  const pong = next(peer, "pong");
  peer.ping(payload);
  const [data] = await pong;
  tell(`PING ${name}: ${data.equals(payload) ? "answered" : "ANSWERED WITH ANOTHER"}`);
}

async function inFragments(peer) {
  const answer = next(peer, "message");
  const pong = next(peer, "pong");
  for (let start = 0; start < pieces.length; start += 16384) {
    peer.send(pieces.subarray(start, start + 16384), { binary: false, fin: start + 16384 >= pieces.length });
    if (start === 0) peer.ping("between");
  }
  const [data, binary] = await answer;
  const same = data.equals(pieces) && !binary;
  tell(`text of ${pieces.length} bytes in 3 fragments: ${same ? "the same" : "ANOTHER"}`);
  tell(`PING between the fragments: ${(await pong)[0].equals(Buffer.from("between")) ? "answered" : "LOST"}`);
}

// Everything once, and a Close from this side.
async function exchange(peer) {
  await echoed(peer, "text", "Grüße, 世界");
  await echoed(peer, "text", "");
  await echoed(peer, "binary", bytes(256));
  for (const length of [1 << 16, 1 << 20]) {
    await echoed(peer, "text", "é".repeat(length / 2));
    await echoed(peer, "binary", bytes(length));
  }
  await inFragments(peer);
  await answered(peer, "of 125 bytes", Buffer.alloc(125, "p"));
  const closed = next(peer, "close");
  peer.close(1000, "done");
  tell(`Close 1000: answered with ${(await closed)[0]}`);
}

// A Close from the other side.
async function waitForClose(peer) {
  const closed = next(peer, "close");
  await echoed(peer, "text", "still here");
  tell(`closed with ${(await closed)[0]}`);
}

// Everything, until the other side closes.
async function sendBack(peer) {
  peer.on("message", (data, binary) => {
    peer.send(data, { binary });
    tell(`text of ${data.length} bytes: sent back`);
  });
  tell(`closed with ${(await next(peer, "close"))[0]}`);
}

// Text that resembles itself nowhere within 32 KiB.
function noise(length) {
  const made = Buffer.alloc(length);
  for (let at = 0, state = 1; at < length; ++at) {
    state = (state * 75 + 74) % 65537;
    made[at] = "abcdefghijklmnopqrstuvwxyz012345".charCodeAt(state % 32);
  }
  return made;
}

// Every size both ways, the same text three times, and a Close from this side.
async function exchangeCompressed(peer) {
  for (const length of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
    await echoed(peer, "text", noise(length).toString());
    await echoed(peer, "binary", noise(length));
  }
  for (let round = 0; round < 3; ++round) await echoed(peer, "text", noise(2000).subarray(1000).toString());
  const closed = next(peer, "close");
  peer.close(1000, "done");
  tell(`Close 1000: answered with ${(await closed)[0]}`);
}

// Without being asked for: `false` would refuse a server that wants none.
const asked = rest[0] === "unkept" ? { serverNoContextTakeover: true, clientNoContextTakeover: true } : {};
const perMessageDeflate = { threshold: 0, ...asked };

if (act === "deflate-connect") {
  const peer = new WebSocket(rest[1], { perMessageDeflate });
  await next(peer, "open");
  await exchangeCompressed(peer);
} else if (act === "deflate-serve") {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate });
  server.on("listening", () => tell(`listening on 127.0.0.1:${server.address().port}`));
  await exchangeCompressed((await next(server, "connection"))[0]);
  server.close();
} else if (act === "connect") {
  const url = rest[0];
  for (const run of [exchange, waitForClose]) {
    const peer = new WebSocket(url);
    await next(peer, "open");
    await run(peer);
  }
} else {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  const connections = on(server, "connection");
  await next(server, "listening");
  tell(`listening on 127.0.0.1:${server.address().port}`);
  if (act === "serve") {
    for (const run of [exchange, sendBack]) await run((await connections.next()).value[0]);
    server.close();
  } else {
    server.on("connection", (peer) => peer.on("message", (data, binary) => peer.send(data, { binary })));
    process.on("SIGTERM", () => {
      for (const peer of server.clients) peer.close(1001);
      server.close();
    });
  }
}
