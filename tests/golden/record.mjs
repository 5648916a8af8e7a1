// Records a golden transcript from real peers: stands between a client and its server as a plain pipe, and writes what each said, when.
//   record.mjs FILE TITLE -- CMD ARGS…      as the command that a client starts; FILE then wants MCPTRACE_UPDATE_GOLDEN=1
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import readline from 'node:readline';

const [file, title, , command, ...args] = process.argv.slice(2);
const lines = [];
let start;
const note = (mark, line) => {
  start ??= performance.now();
  lines.push(`${((performance.now() - start) / 1000).toFixed(6)} ${mark} ${line}`);
};
const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  note('>', line);
  child.stdin.write(`${line}\n`);
}).on('close', () => child.stdin.end());
readline.createInterface({ input: child.stdout }).on('line', (line) => {
  process.stdout.write(`${line}\n`);
  note('<', line);
});
child.on('close', (code) => {
  note('end', `exit ${code}`);
  fs.writeFileSync(file, `title: ${title}\n--- transcript\n${lines.join('\n')}\n--- records\n`);
  process.exit(code);
});
