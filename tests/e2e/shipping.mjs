// What tests of shipping share: a real session, traced once, and installations that ship it.
//
//   const taken = await sample();
//   const here = installation(t, { spool: taken, destinations: [{ name: 'one', endpoint: receiver.origin }] });
//   const done = await here.once();
//   assert.deepEqual(byId(receiver.spans()), taken.spans);
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { answerTheServer, capabilities, drive } from './everything.mjs';
import { spansOf } from './otlp/rules.mjs';
import { readRequest } from './otlp/schema.mjs';
import { binary, eventually, everythingServer, filesBelow, freshDirectory, legacyClient, otlpText, sessionList, traced } from './peers.mjs';

export const keyOf = ({ span }) => `${span.traceId} ${span.spanId}`;

// Spans by their ids; what came more than once has to be the same each time.
export function byId(spans) {
  const all = {};
  for (const each of spans) {
    // In JSON a message may stand there though nothing was said.
    if (Object.keys(each.span.status ?? {}).length === 0) delete each.span.status;
    if (all[keyOf(each)]) assert.deepEqual(each, all[keyOf(each)]);
    all[keyOf(each)] = each;
  }
  return all;
}

// What `mcptrace trace … --format otlp` tells of everything in a state directory, by id.
export function toldBy(home) {
  const ids = sessionList(home).map((session) => session.id ?? session.stretches[0].trace_id);
  const lines = ids.flatMap((id) => otlpText(home, id).split('\n').filter(Boolean));
  return byId(lines.flatMap((line) => spansOf(readRequest('json', Buffer.from(line), assert.fail))));
}

// A session of the reference server and its SDK's client: { home, spans }. Made once a process.
let made;
const ofSample = fs.mkdtempSync(path.join(os.tmpdir(), 'mcptrace-e2e-'));
after(() => fs.rmSync(ofSample, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
export const sample = () => made ??= makeSample();
async function makeSample() {
  const home = path.join(ofSample, 'state');
  const peer = await legacyClient(traced(home, everythingServer), capabilities, answerTheServer);
  await drive(peer.client);
  assert.equal((await peer.close()).code, 0);
  return { home, spans: toldBy(home) };
}

export const canary = () => `canary-${randomBytes(12).toString('hex')}`;

// Fails for a long time only where a test asks for it, and then tries again soon.
const quick = { delay: '20ms', retry_first: '20ms', retry_most: '100ms' };

// A state directory with the sample's spool and a configuration. `quick` settings are of every destination that does not say otherwise.
export function installation(t, { spool, destinations = [], env = {} } = {}) {
  const directory = freshDirectory(t), home = path.join(directory, 'state'), file = path.join(directory, 'mcptrace.yaml');
  if (spool) fs.cpSync(path.join(spool.home, 'spool'), path.join(home, 'spool'), { recursive: true });
  const environment = { PATH: process.env.PATH, HOME: directory, MCPTRACE_HOME: home, MCPTRACE_CONFIG: file, ...env };
  for (const name of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS']) if (process.env[name]) environment[name] = process.env[name];
  const here = { directory, home, file, said: '', env: environment };

  here.configure = (wanted) => {
    // JSON is YAML.
    fs.writeFileSync(`${file}.new`, JSON.stringify({ destinations: wanted.map((one) => ({ ...quick, ...one })) }));
    fs.renameSync(`${file}.new`, file);
  };
  here.configure(destinations);

  // A process of ours: { child, stdout, stderr, exit }.
  here.start = (args, { input, more = {} } = {}) => {
    const child = spawn(binary, args, { env: { ...environment, ...more }, stdio: ['pipe', 'pipe', 'pipe'] });
    const started = { child, pid: child.pid, stdout: '', stderr: '' };
    child.stdout.on('data', (bytes) => { started.stdout += bytes; });
    child.stderr.on('data', (bytes) => { started.stderr += bytes; });
    child.stdin.on('error', () => {});
    if (input !== undefined) child.stdin.end(input);
    started.exit = once(child, 'close').then(([code, signal]) => {
      here.said += started.stdout + started.stderr;
      return { code, signal, stdout: started.stdout, stderr: started.stderr };
    });
    t.after(async () => {
      child.kill('SIGKILL');
      await started.exit;
    });
    return started;
  };
  here.run = (...args) => here.start(args, { input: '' }).exit;
  here.once = () => here.run('ship', '--once');
  here.stay = async () => {
    const ship = here.start(['ship', '--stay'], { input: '' });
    ship.end = () => {
      ship.child.kill('SIGTERM');
      return ship.exit;
    };
    return ship;
  };
  here.status = async () => {
    const { code, stdout, stderr } = await here.run('ship', 'status', '--json');
    assert.equal(code, 0, stderr);
    return Object.fromEntries(stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).map((one) => [one.name, one]));
  };
  here.statusWhen = (predicate, what) => eventually(async () => {
    const status = await here.status();
    return predicate(status) && status;
  }, what);
  here.text = (name) => {
    const there = path.join(home, name);
    return fs.existsSync(there) ? fs.readFileSync(there, 'utf8') : '';
  };
  here.log = () => here.text('ship.log');
  here.aside = (name) => here.text(`ship/${name}/aside.jsonl`).split('\n').filter(Boolean).map((line) => JSON.parse(line));
  here.asideSpans = (name) => here.aside(name).flatMap(({ traces }) => spansOf(readRequest('json', Buffer.from(JSON.stringify(traces)), assert.fail)));

  // A session of its own, of `calls` requests that nobody answers. It starts nothing that ships.
  here.trace = async (calls = 3, { more = {}, options = [] } = {}) => {
    const call = (id) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'echo', arguments: {} } });
    const first = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } } };
    const lines = [first, ...Array.from({ length: calls }, (_, at) => call(at + 1))].map((line) => `${JSON.stringify(line)}\n`);
    const done = await here.start(['run', ...options, '--', 'cat'], { input: lines.join(''), more: { MCPTRACE_CONFIG: 'none', ...more } }).exit;
    assert.equal(done.code, 0, done.stderr);
  };

  // No secret is anywhere but in what was sent.
  here.hides = (...secrets) => {
    const places = [['output', here.said], ...fs.existsSync(home) ? filesBelow(home) : []];
    for (const [place, bytes] of places) {
      for (const secret of secrets) assert.ok(!bytes.includes(secret), `${place} holds a secret`);
    }
  };
  return here;
}

export const assertArrived = (receiver, spans) => {
  assert.deepEqual(receiver.violations, []);
  assert.deepEqual(byId(receiver.spans()), spans);
};
export const residentKib = (pid, what = 'VmRSS') => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${what}:\\s+(\\d+)`, 'm'))[1]);
