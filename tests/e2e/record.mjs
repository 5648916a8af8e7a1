// Standard input and output of a test server, with a copy of every byte in `record`.in and `record`.out; and in `record`.exit
// the moment (machine-wide monotonic clock, nanoseconds) at which the process ended.
import fs from 'node:fs';
import { PassThrough } from 'node:stream';

export function recordedStdio(record) {
  const input = fs.openSync(`${record}.in`, 'a');
  const output = fs.openSync(`${record}.out`, 'a');
  process.on('exit', () => fs.writeFileSync(`${record}.exit`, String(process.hrtime.bigint())));
  const stdin = new PassThrough();
  process.stdin.on('data', (bytes) => {
    fs.writeSync(input, bytes);
    stdin.write(bytes);
  });
  process.stdin.on('end', () => stdin.end());
  const stdout = new PassThrough();
  stdout.on('data', (bytes) => {
    fs.writeSync(output, bytes);
    process.stdout.write(bytes);
  });
  return [stdin, stdout];
}
