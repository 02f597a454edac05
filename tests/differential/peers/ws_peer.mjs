// npm ws: its Receiver, a Writable that emits what it reads. Argument: the folder that holds node_modules.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';

const require = createRequire(resolve(process.argv[2], 'package.json'));
const folder = resolve(process.argv[2], 'node_modules/ws/lib');
const Receiver = require(`${folder}/receiver.js`);
const { kStatusCode } = require(`${folder}/constants.js`);

function judge(receiver, parts) {
  return new Promise((done) => {
    const log = [];
    const finish = () => done(log);
    const reader = new Receiver({ isServer: receiver === 'server', maxPayload: 16 << 20 });
    reader.on('message', (data, binary) => log.push(`${binary ? 'binary' : 'text'}:${data.toString('hex')}`));
    reader.on('ping', (data) => log.push(`ping:${data.toString('hex')}`));
    reader.on('pong', (data) => log.push(`pong:${data.toString('hex')}`));
    reader.on('conclude', (code, reason) => log.push(`close:${code}:${reason.toString('hex')}`));
    reader.on('error', (error) => {
      if (!log.some((event) => event.startsWith('close'))) log.push(`error:${error[kStatusCode]}:${error.code}`);
      finish();
    });
    reader.on('finish', finish);
    const next = (at) => {
      if (reader.destroyed || reader.writableEnded) return;
      if (at === parts.length) reader.end();
      else reader.write(Buffer.from(parts[at], 'hex'), (error) => error || next(at + 1));
    };
    next(0);
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const [number, receiver, ...parts] = line.split(' ');
  console.log([number, ...(await judge(receiver, parts))].join(' '));
}
