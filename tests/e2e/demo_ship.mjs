// The last part of script/demo: what it traced is sent to an OTLP receiver of this process, which holds the sender to the letter.
// Argument: the mcptrace program.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Receiver } from './otlp_receiver.mjs';

const [mcptrace] = process.argv.slice(2);
const receiver = await Receiver.start();
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mcptrace-demo-'));
const config = path.join(directory, 'mcptrace.yaml');
fs.writeFileSync(config, `destinations:\n  - name: demo\n    preset: collector\n    endpoint: ${receiver.origin}\n`);

// What it says, if it ended well.
async function ours(...args) {
  const child = spawn(mcptrace, [...args, '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = [];
  child.stdout.on('data', (bytes) => said.push(bytes));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`mcptrace ${args.join(' ')}: exit status ${code}`);
  return Buffer.concat(said).toString();
}

try {
  await ours('ship', '--once');
  const status = JSON.parse(await ours('ship', 'status', '--json'));
  const spans = receiver.spans();
  const ids = new Set(spans.map(({ span }) => `${span.traceId} ${span.spanId}`));
  const wrong = [...receiver.violations];
  if (ids.size === 0 || ids.size !== spans.length) wrong.push(`${spans.length} spans came, ${ids.size} of them different ones`);
  if (status.delivered !== ids.size || status.waiting + status.refused + status.set_aside !== 0) wrong.push(`it says ${JSON.stringify(status)}`);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  const roots = spans.filter(({ span }) => span.name === 'agent_session').length;
  console.log(`delivered ${ids.size} spans of ${roots} sessions by OTLP to ${status.url}: all accepted`);
} finally {
  fs.rmSync(directory, { recursive: true });
  await receiver.stop();
}
