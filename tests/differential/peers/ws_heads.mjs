// npm ws: its server behind Node's own HTTP parser, as it is used, and its client. Argument: the folder that holds
// node_modules.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';
import { Duplex } from 'node:stream';

const require = createRequire(resolve(process.argv[2], 'package.json'));
const { WebSocket, WebSocketServer } = require('ws');

/// One end of a connection: what is pushed into it arrives, what it writes is handed to `onWrite`.
function stream(onWrite) {
  return new Duplex({
    read() {},
    write(chunk, _, done) {
      onWrite(chunk);
      done();
    },
    allowHalfOpen: true,
  });
}

const http = createServer((_, answer) => answer.writeHead(426).end());
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
server.on('connection', (socket) => socket.on('error', () => {}));

function judgedByServer(head) {
  return new Promise((done) => {
    let written = '';
    const timer = setTimeout(() => done('refused:silence'), 300);
    const socket = stream((chunk) => {
      written += chunk.toString('latin1');
      const status = /^HTTP\/1\.1 (\d+)/.exec(written);
      if (!status) return;
      clearTimeout(timer);
      done(status[1] === '101' ? 'open' : `refused:${status[1]}`);
      socket.destroy();
    });
    Object.assign(socket, { setTimeout() {}, setNoDelay() {}, setKeepAlive() {}, ref() {}, unref() {} });
    socket.on('error', () => {});
    http.emit('connection', socket);
    socket.push(head);
    socket.push(null);
  });
}

function judgedByClient(head) {
  return new Promise((done) => {
    let asked = '';
    const socket = stream((chunk) => {
      asked += chunk.toString('latin1');
      if (!asked.includes('\r\n\r\n')) return;
      const key = /sec-websocket-key: (.*)\r\n/i.exec(asked)[1];
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const text = head.toString('latin1').replaceAll('{accept}', accept);
      socket.push(Buffer.from(text, 'latin1'));
      socket.push(null);
    });
    Object.assign(socket, { setTimeout() {}, setNoDelay() {}, setKeepAlive() {}, ref() {}, unref() {}, encrypted: false });
    const client = new WebSocket('ws://server.example.com/chat', ['chat', 'superchat'], { perMessageDeflate: false, createConnection: () => socket });
    const finish = (verdict) => {
      done(verdict);
      socket.destroy();
    };
    client.on('open', () => finish('open'));
    client.on('error', (error) => finish(`refused:${error.code ?? error.message.split(' ').slice(0, 2).join('_')}`));
    setTimeout(() => finish('refused:silence'), 500).unref();
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const [number, receiver, wire] = line.split(' ');
  const head = Buffer.from(wire, 'hex');
  console.log(`${number} ${await (receiver === 'server' ? judgedByServer(head) : judgedByClient(head))}`);
}
process.exit(0);
