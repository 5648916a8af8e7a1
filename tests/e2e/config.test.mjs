// The configuration file, and what has the last word: found where it lies, whatever the client leaves of the environment; broken, it
// never stops a server; and it never shows a secret.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { binary, eventually, freshDirectory, legacyClient, legacyServer, otlpText, sessionList, trace } from './peers.mjs';

// Nothing of this shell but where programs are, and a user's home of the test's own.
function place(t) {
  const directory = freshDirectory(t), home = path.join(directory, 'user');
  fs.mkdirSync(home);
  const env = { PATH: process.env.PATH, HOME: home };
  for (const name of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS']) if (process.env[name]) env[name] = process.env[name];
  return { directory, home, env, state: path.join(directory, 'state'), inHome: path.join(home, '.config/mcptrace/mcptrace.yaml') };
}

function write(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
}

const ours = (env, args) => spawnSync(binary, args, { env, encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'] });
// The flat copy that `run` reads, made without its limit of time: sanitized programs start slowly.
const flatten = (env, file, state) => assert.equal(ours(env, ['config', 'flatten', file, state]).status, 0);
const ourLines = (peer) => Buffer.concat(peer.stderr).toString().split('\n').filter((line) => line.startsWith('mcptrace: '));
const ownState = (where) => path.join(where.home, '.local/state/mcptrace');
const spooled = (state) => fs.existsSync(path.join(state, 'spool')) && fs.readdirSync(path.join(state, 'spool')).some((name) => name.endsWith('.spool'));
const settings = (env, args = []) => {
  const done = ours(env, ['config', 'print', '--json', ...args]);
  assert.equal(done.status, 0, done.stderr);
  const json = JSON.parse(done.stdout);
  return { ...json, stderr: done.stderr, of: Object.fromEntries(json.settings.map((one) => [one.key, one])) };
};

test('the file is found in each of its places, by every command', (t) => {
  const where = place(t);
  const places = {
    xdg: [path.join(where.directory, 'xdg/mcptrace/mcptrace.yaml'), { XDG_CONFIG_HOME: path.join(where.directory, 'xdg') }, []],
    home: [where.inHome, { XDG_CONFIG_HOME: path.join(where.directory, 'xdg') }, []],
    variable: [path.join(where.directory, 'v.yaml'), { MCPTRACE_CONFIG: path.join(where.directory, 'v.yaml') }, []],
    flag: [path.join(where.directory, 'f.yaml'), { MCPTRACE_CONFIG: path.join(where.directory, 'v.yaml') },
      ['--config', path.join(where.directory, 'f.yaml')]],
  };
  for (const [name, [file, variables, flags]] of Object.entries(places)) {
    const env = { ...where.env, ...variables }, state = path.join(where.directory, `state-${name}`);
    write(file, `home: ${state}\n`);
    flatten(env, file, ownState(where));
    const done = ours(env, ['run', ...flags, '--', 'true']);
    assert.deepEqual([done.status, done.stderr], [0, ''], name);
    assert.ok(spooled(state), name);
    const printed = settings(env, flags);
    assert.equal(printed.file, file, name);
    assert.equal(printed.state_directory, state, name);
    assert.match(ours(env, ['sessions', ...flags]).stdout, /true/, name);
    assert.match(ours(env, ['clear', ...flags]).stdout, /^Deleted 1 file/, name);
  }
});

test('a client that hands on HOME and little else gets what the file says', async (t) => {
  const where = place(t);
  write(where.inHome, `home: ${where.state}\nnaming: semconv\ninject: never\nname: of-file\n`);
  flatten(where.env, where.inHome, ownState(where));
  const record = path.join(where.directory, 'record');
  const peer = await legacyClient({ command: binary, args: ['run', ...legacyServer(record)], env: { HOME: where.home } });
  await peer.client.callTool({ name: 'echo', arguments: { message: 'x' } });
  await peer.close();
  assert.deepEqual(ourLines(peer), []);
  const [session] = sessionList(where.state);
  assert.equal(session.service, 'of-file');
  const spans = trace(where.state, session.id);
  assert.ok(spans.some((span) => span.name === 'tools/call echo'), spans.map((span) => span.name).join());
  assert.ok(!otlpText(where.state, session.id).includes('"mcp.operation"'), 'the names of semconv alone');
  assert.ok(!fs.readFileSync(`${record}.in`, 'utf8').includes('traceparent'));
});

test('flags win over the environment, that over the file, that over defaults', (t) => {
  const where = place(t);
  const [flag, variable] = ['flag', 'variable'].map((name) => path.join(where.directory, name));
  write(where.inHome, `home: ${where.state}\nnaming: guide\nname: of-file\n`);
  const env = { ...where.env, MCPTRACE_HOME: variable, OTEL_SERVICE_NAME: 'of-env', MCPTRACE_NAMING: 'semconv' };
  flatten(env, where.inHome, variable);
  flatten(env, where.inHome, flag);
  flatten(where.env, where.inHome, ownState(where));
  const run = (vars, args) => {
    const done = ours(vars, ['run', ...args, '--', 'true']);
    assert.deepEqual([done.status, done.stderr], [0, '']);
  };
  run(where.env, []);
  run(env, []);
  run(env, ['--home', flag, '--name', 'of-flag']);
  assert.deepEqual([where.state, variable, flag].map((state) => sessionList(state).map((each) => each.service)),
    [['of-file'], ['of-env'], ['of-flag']]);
  const file = settings(where.env).of, both = settings(env, ['--home', flag]).of;
  assert.deepEqual([file.naming.value, file.naming.source, file.inject.source], ['guide', 'file, line 2', 'default']);
  assert.deepEqual([both.naming.value, both.naming.source], ['semconv', 'variable MCPTRACE_NAMING']);
  assert.deepEqual([both.home.value, both.home.source], [flag, 'flag']);
  assert.deepEqual([both.name.value, both.name.source], ['of-env', 'variable OTEL_SERVICE_NAME']);
});

test('a file that is written is taken by the next run, and one that is broken never stops it', async (t) => {
  const where = place(t);
  const name = async (wanted) => eventually(() => {
    const done = ours(where.env, ['run', '--', 'true']);
    assert.equal(done.status, 0);
    // On a busy machine the first copy may come too late for its run; the next has it.
    return sessionList(where.state).some((session) => session.service === wanted) && { stderr: done.stderr };
  }, wanted);
  write(where.inHome, `home: ${where.state}\nname: first\n`);
  await name('first');
  write(where.inHome, `home: ${where.state}\nname: second\n`);
  await name('second');
  write(where.inHome, `home: ${where.state}\nnam: third\n`);
  flatten(where.env, where.inHome, ownState(where));
  const record = path.join(where.directory, 'record');
  const peer = await legacyClient({ command: binary, args: ['run', ...legacyServer(record)], env: { HOME: where.home } });
  const answer = await peer.client.callTool({ name: 'echo', arguments: { message: 'still here' } });
  assert.match(JSON.stringify(answer), /still here/);
  assert.equal((await peer.close()).code, 0);
  const lines = ourLines(peer);
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.ok(lines[0].startsWith(`mcptrace: its last good copy holds instead of the configuration file: ${where.inHome}:2:1: unknown key 'nam'; `
    + `did you mean 'name'?`), lines[0]);
  assert.equal(sessionList(where.state).filter((session) => session.service === 'second').length >= 2, true);
});

test('what cannot be read in time, or by nobody, leaves defaults and a line', (t) => {
  const where = place(t);
  const fifo = path.join(where.directory, 'fifo.yaml');
  execFileSync('mkfifo', [fifo]);
  const waiting = ours(where.env, ['run', '--home', where.state, '--config', fifo, '--', 'true']);
  const writer = fs.openSync(fifo, fs.constants.O_RDWR);  // lets go who still waits for it
  fs.closeSync(writer);
  assert.equal(waiting.status, 0);
  assert.match(waiting.stderr, /^mcptrace: defaults hold instead of the configuration file: .*fifo\.yaml was not read in time by mcptrace-backend\n$/);
  assert.ok(spooled(where.state));

  const alone = path.join(where.directory, 'mcptrace');
  fs.copyFileSync(binary, alone);
  write(where.inHome, 'name: a\n');
  const lonely = spawnSync(alone, ['run', '--home', where.state, '--', 'true'], { env: where.env, encoding: 'utf8' });
  assert.equal(lonely.status, 0);
  assert.match(lonely.stderr, /^mcptrace: defaults hold instead/);

  const missing = ours(where.env, ['run', '--home', where.state, '--config', 'no.yaml', '--', 'true']);
  assert.equal(missing.status, 0);
  assert.match(missing.stderr, /^mcptrace: defaults hold instead of the configuration file: .*\/no\.yaml cannot be read: No such file or directory\n$/);
  const off = ours({ ...where.env, MCPTRACE_DISABLED: '1' }, ['run', '--config', 'no.yaml', '--', 'true']);
  assert.deepEqual([off.status, off.stderr], [0, '']);
});

test('config check says all that is wrong, exactly, and what has no effect yet', (t) => {
  const where = place(t);
  const file = path.join(where.directory, 'c.yaml');
  write(file, 'naming: bth\nspool:\n  sise: 1GiB\ndestinations:\n  - name: a\n    preset: jager\n');
  const bad = ours(where.env, ['config', 'check', file]);
  assert.equal(bad.status, 1);
  assert.equal(bad.stdout, '');
  assert.deepEqual(bad.stderr.trimEnd().split('\n'), [
    `mcptrace: ${file}:1:9: naming: wants guide, semconv or both, got 'bth'; did you mean 'both'?`,
    `mcptrace: ${file}:3:3: spool: unknown key 'sise'; did you mean 'size'? Known here: size, fsync`,
    `mcptrace: ${file}:6:13: destinations[0].preset: wants jaeger, tempo, grafana-cloud, honeycomb, lightstep, axiom, newrelic, datadog, `
    + `datadog-agent or collector, got 'jager'; did you mean 'jaeger'?`,
  ]);
  write(file, 'name: a\nsampling: { ratio: 0.1 }\nshapes: false\n');
  const good = ours(where.env, ['config', 'check', file]);
  assert.deepEqual([good.status, good.stderr], [0, '']);
  assert.equal(good.stdout, `${file} is good.\nWithout effect yet (what they wait for): sampling (sampling), shapes (logs)\n`);
  assert.equal(ours(where.env, ['config', 'check']).stdout, 'There is no configuration file; defaults hold.\n');
  assert.equal(ours(where.env, ['config', 'check', '--config', 'missing.yaml']).status, 1);
  assert.equal(ours(where.env, ['config', 'frobnicate']).status, 2);
});

test('nothing shows a secret: not print, not check, not an error, not the copy', (t) => {
  const where = place(t), canary = 'canary7d1f';
  const secret = path.join(where.directory, 'secret');
  write(secret, `${canary}\n`);
  const env = { ...where.env, KEY: canary, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', OTEL_EXPORTER_OTLP_HEADERS: `x-a=${canary},${canary}` };
  write(where.inHome, `destinations:
  - { name: a, preset: honeycomb, key: env:KEY, headers: { x-plain: ${canary}, x-token: 'file:${secret}' } }
  - { name: b, endpoint: 'https://h/${canary}', key: env:MISSING }
`);
  const wrong = path.join(where.directory, 'wrong.yaml');
  write(wrong, `destinations:
  - { name: a, preset: honeycomb, key: ${canary}, headers: { Authorization: ${canary} } }
  - { name: b, endpoint: 'https://me:${canary}@h/' }
`);
  const said = [['print'], ['print', '--json'], ['check'], ['check', wrong], ['print', '--config', wrong]].map((args) => {
    const done = ours(env, ['config', ...args]);
    return done.stdout + done.stderr;
  });
  flatten(env, where.inHome, where.state);
  flatten(env, wrong, where.state);
  // Without the exporter's variables: nothing is there to send to, and nobody is left who tries.
  const run = ours({ ...where.env, KEY: canary }, ['run', '--home', where.state, '--config', wrong, '--', 'true']);
  assert.match(run.stderr, /wants env:NAME or file:PATH; what stands there is not shown/);
  for (const name of fs.readdirSync(path.join(where.state, 'config'))) said.push(fs.readFileSync(path.join(where.state, 'config', name), 'utf8'));
  for (const text of [...said, run.stderr]) assert.ok(!text.includes(canary), text);
  const of = settings(env).of;
  assert.deepEqual([of['destinations[0].key'].value, of['destinations[0].key'].note], ['env:KEY', 'set']);
  assert.equal(of['destinations[0].headers.x-plain'].value, '…');
  assert.equal(of['destinations[0].headers.x-token'].note, 'set');
  assert.equal(of['destinations[1].key'].note, 'the variable MISSING is not set');
  assert.equal(of['(environment).headers.x-a'].value, '…');
});

test("OpenTelemetry's variables are taken, and what cannot be is a sentence", (t) => {
  const where = place(t);
  const all = settings({ ...where.env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318/otlp/', OTEL_EXPORTER_OTLP_PROTOCOL: 'HTTP/json',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25', OTEL_PROPAGATORS: 'b3' });
  assert.equal(all.stderr, '');
  assert.equal(all.of['(environment).endpoint'].value, 'http://127.0.0.1:4318/…');
  assert.equal(all.of['(environment).protocol'].value, 'http/json');
  assert.deepEqual([all.of['sampling.ratio'].value, all.of['sampling.ratio'].source], ['0.25', 'variable OTEL_TRACES_SAMPLER']);
  assert.deepEqual([all.of.inject.value, all.of.inject.source], ['never', 'variable OTEL_PROPAGATORS']);
  const bad = { ...where.env, OTEL_EXPORTER_OTLP_ENDPOINT: '127.0.0.1:4318', OTEL_TRACES_SAMPLER: 'jaeger_remote' };
  const refused = settings(bad);
  assert.match(refused.stderr, /^mcptrace: OTEL_TRACES_SAMPLER is ignored: of samplers mcptrace has .*\nmcptrace: OTEL_EXPORTER_OTLP_ENDPOINT is ignored: it wants an address, like https:\/\/example\.com; nothing is sent\n$/);
  const run = ours(bad, ['run', '--', 'true']);
  assert.equal(run.status, 0);
  assert.match(run.stderr, /^mcptrace: OTEL_EXPORTER_OTLP_ENDPOINT is ignored: .*; OTEL_TRACES_SAMPLER is ignored: .*\n$/);
  const file = ours({ ...where.env, OTEL_CONFIG_FILE: '/x.yaml', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h' }, ['run', '--', 'true']);
  assert.deepEqual([file.status, file.stderr.trimEnd().split('\n').length], [0, 1]);
  assert.match(file.stderr, /OTEL_CONFIG_FILE is ignored/);
});

test('sessions that finds none says where it looked, and where there are some', (t) => {
  const where = place(t);
  assert.equal(ours(where.env, ['run', '--', 'true']).status, 0);
  const shell = { ...where.env, MCPTRACE_HOME: path.join(where.directory, 'exported') };
  const none = ours(shell, ['sessions']);
  assert.equal(none.status, 0);
  assert.match(none.stdout, new RegExp(`^No session was traced yet in ${shell.MCPTRACE_HOME}\\.\n\nThere are sessions in ${ownState(where)}:\n\n  mcptrace sessions --home ${ownState(where)}\n`));
  assert.match(none.stdout, /MCP clients start servers with HOME, PATH and little else/);
  assert.match(ours(shell, ['sessions', '--home', ownState(where)]).stdout, /true/);
  assert.match(ours(where.env, ['sessions', '--server', 'other']).stdout, new RegExp(`^No session in ${ownState(where)} fits\\.`));
});

test('the proxy takes the file, too', async (t) => {
  const where = place(t);
  write(where.inHome, `home: ${where.state}\n`);
  flatten(where.env, where.inHome, ownState(where));
  const proxy = spawn(binary, ['proxy', '--upstream', 'http://127.0.0.1:1'], { env: where.env, stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => proxy.kill('SIGKILL'));
  let said = '';
  proxy.stderr.setEncoding('utf8').on('data', (text) => { said += text; });
  await eventually(() => said.includes('\n'), 'its line');
  assert.match(said, new RegExp(`^mcptrace: listening on .*, state in ${where.state}, pid`));
  proxy.kill('SIGTERM');
  await new Promise((resolve) => proxy.once('exit', resolve));
});
