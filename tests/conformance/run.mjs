// Runs the official conformance suite against our fixtures twice, directly and through `mcptrace proxy`, and compares the results
// check by check. Exit status 1 if one differs that exceptions.mjs does not list, if a scenario that its revision requires fails directly
// (equal failures prove little), or if the proxy did not inject its context.
//
//   run.mjs                  what the two revisions require of clients and servers, and what they do not score of servers
//   MCPTRACE_LONG=1 run.mjs  also what they do not score of clients, and all that the suite has for the older revisions
//   run.mjs SCENARIO…        only these
//
// Two processes of the suite run at a time; each is bounded, and ended with all that it started.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import yaml from 'yaml';
import { exceptions } from './exceptions.mjs';
import { judge } from './judge.mjs';
import { startProxy } from './proxy.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const suite = path.join(here, 'node_modules/@modelcontextprotocol/conformance');
const program = path.join(suite, 'dist/index.js');
const ways = ['direct', 'proxied'];
const scenarioMs = 30_000;
const serverLegMs = 150_000;
const fixtureMs = 15_000;
const allMs = 900_000;
const maxLines = 100;
const long = process.env.MCPTRACE_LONG === '1';
const wanted = process.argv.slice(2);
const isWanted = (scenario) => wanted.length === 0 || wanted.includes(scenario);
const required = ['2025-11-25', '2026-07-28'];
const versions = [...(long ? ['2025-03-26', '2025-06-18'] : []), ...required];

const scratch = fs.mkdtempSync(path.join(tmpdir(), 'mcptrace-conformance-'));
// What to end if we have to end early.
const running = new Set();
process.on('exit', () => {
  for (const end of running) end();
  fs.rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
// Never the state of whoever runs this; and the proxies here inherit it.
process.env.MCPTRACE_HOME = path.join(scratch, 'state');

// --- scenarios: { server, client, not_scored: [{ leg, scenario }] } by version ---

function readRequirements(version) {
  return yaml.parse(fs.readFileSync(path.join(suite, 'requirements', `${version}.yaml`), 'utf8'));
}

// Nothing is required for the older revisions: what the suite says is for them, "  - NAME [VERSION,…]" a line, is not scored.
function readList(version) {
  const listed = (leg) => spawnSync(process.execPath, [program, 'list', `--${leg}`], { encoding: 'utf8' }).stdout
    .split('\n').map((line) => line.match(/^  - (\S+) \[(.*)\]$/)).filter((found) => found?.[2].split(',').includes(version))
    .map((found) => ({ leg, scenario: found[1] }));
  return { server: [], client: [], not_scored: [...listed('server'), ...listed('client')] };
}

const requirements = Object.fromEntries(versions.map((version) =>
  [version, required.includes(version) ? readRequirements(version) : readList(version)]));

function scenariosOf(leg, version) {
  const { [leg]: scored, not_scored: unscored } = requirements[version];
  const others = unscored.filter((entry) => entry.leg === leg).map((entry) => entry.scenario);
  const withOthers = leg === 'server' || long || wanted.length > 0;
  return [...scored, ...(withOthers ? others : [])].filter(isWanted);
}

// --- processes ---

// Runs the suite's program to its end, and with it whatever it left behind: the exit status, or what ended it.
async function runSuite(args, { env = {}, ms }) {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: here, detached: true, stdio: 'ignore', env: { ...process.env, ...env },
  });
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
  };
  running.add(end);
  const timer = setTimeout(end, ms);
  const [status, signal] = await once(child, 'exit');
  clearTimeout(timer);
  end();
  running.delete(end);
  return status ?? signal;
}

// The server fixture on a free port: { origin, stop() → what it saw }.
async function startFixture() {
  const child = spawn(process.execPath, [path.join(here, 'server.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = () => child.kill('SIGKILL');
  running.add(end);
  const timer = setTimeout(end, fixtureMs);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value: port } = await lines.next();
  clearTimeout(timer);
  if (!port) throw new Error('the server fixture did not start');
  return {
    origin: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM');
      const { value } = await lines.next();
      running.delete(end);
      return JSON.parse(value);
    },
  };
}

// --- results ---

// One a scenario and way: { leg, version, way, scenario, checks }.
const results = [];
// What the server fixtures saw: { version, way, seen }.
const legs = [];
// What went wrong outside the suite.
const accidents = [];

function* checkFilesBelow(directory) {
  if (!fs.existsSync(directory)) return;
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.name === 'checks.json') yield path.join(entry.parentPath, entry.name);
  }
}

const readChecks = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));

// All server scenarios of one version, one after the other against one fixture.
async function serverLeg(version, way) {
  const output = path.join(scratch, `server-${version}-${way}`);
  const fixture = await startFixture();
  const proxy = way === 'proxied' ? await startProxy(fixture.origin) : undefined;
  const url = `${proxy?.origin ?? fixture.origin}/mcp`;
  const runs = wanted.length > 0
    ? scenariosOf('server', version).map((scenario) => ['--scenario', scenario, '--spec-version', version, '--force'])
    : [required.includes(version) ? ['--requirements', version] : ['--suite', 'all', '--spec-version', version]];
  for (const which of runs) {
    await runSuite(['server', '--url', url, ...which, '--timeout', String(scenarioMs), '-o', output], { ms: serverLegMs });
  }
  await proxy?.stop().catch((error) => accidents.push(error.message));
  legs.push({ version, way, seen: await fixture.stop() });
  for (const file of checkFilesBelow(output)) {
    const scenario = path.basename(path.dirname(file)).replace(/^server-(.*)-\d{4}-\d\d-\d\dT.*$/, '$1');
    results.push({ leg: 'server', version, way, scenario, checks: readChecks(file) });
  }
}

async function clientScenario(version, scenario, way) {
  const output = path.join(scratch, `client-${version}-${scenario.replace('/', '-')}-${way}`);
  const status = await runSuite(
    ['client', '--command', `${process.execPath} ${path.join(here, 'client.mjs')}`, '--scenario', scenario,
      '--spec-version', version, '--force', '--timeout', String(scenarioMs), '-o', output],
    { ms: scenarioMs + 15_000, env: way === 'proxied' ? { MCPTRACE_CONFORMANCE_PROXY: '1' } : {} });
  const [file] = checkFilesBelow(output);
  // How the client ended is a result as well.
  const ended = { id: 'client-exit', status: status === 0 ? 'SUCCESS' : 'FAILURE' };
  if (file && status !== 0) {
    ended.errorMessage = fs.readFileSync(path.join(path.dirname(file), 'stderr.txt'), 'utf8').slice(-1000);
  }
  results.push({ leg: 'client', version, way, scenario, checks: [...(file ? readChecks(file) : []), ended] });
}

async function runAll() {
  const jobs = [];
  for (const version of versions) {
    for (const way of ways) {
      if (scenariosOf('server', version).length > 0) jobs.push(() => serverLeg(version, way));
    }
  }
  for (const version of versions) {
    for (const scenario of scenariosOf('client', version)) {
      for (const way of ways) jobs.push(() => clientScenario(version, scenario, way));
    }
  }
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      try {
        await job();
      } catch (error) {
        accidents.push(error.stack);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
}

// --- the report ---

const find = (leg, version, scenario, way) => results.find((result) => result.leg === leg &&
  result.version === version && result.scenario === scenario && result.way === way);

const columns = ['scenarios', 'required', 'passed', 'others', 'passed', 'checks', 'passed', 'equal'];
const printRow = (first, second, cells) =>
  console.log(first.padEnd(8) + second.padEnd(10) + cells.map((cell) => String(cell).padStart(11)).join(''));

// Judges all scenarios of one leg and version, and prints them as a row: { problems, excused, passed, failed }.
function reportLeg(leg, version) {
  const judged = scenariosOf(leg, version).map((scenario) => {
    const required = requirements[version][leg].includes(scenario);
    const [direct, proxied] = ways.map((way) => find(leg, version, scenario, way));
    return { scenario, required, ...judge(direct, proxied, required) };
  });
  const count = (test) => judged.filter(test).length;
  const sum = (value) => judged.reduce((total, each) => total + value(each), 0);
  printRow(leg, version, [
    judged.length, count((each) => each.required), count((each) => each.required && each.passed),
    count((each) => !each.required), count((each) => !each.required && each.passed),
    sum((each) => each.checks), sum((each) => each.passedChecks), count((each) => each.equal),
  ]);
  const failed = count((each) => each.problems.length > 0);
  return {
    problems: judged.flatMap(({ scenario, problems }) => problems.map((line) => `${leg} ${version} ${scenario}: ${line}`)),
    excused: judged.flatMap((each) => [...each.excused]),
    failed,
    passed: judged.length - failed,
  };
}

// Exceptions that are none any more, as lines.
function reportExceptions(excused) {
  const problems = [];
  for (const exception of exceptions) {
    const { leg, scenario, reason } = exception;
    if (excused.includes(exception)) console.log(`${leg} ${scenario} differs, as expected: ${reason}`);
    else if (results.some((result) => result.leg === leg && result.scenario === scenario)) {
      problems.push(`${leg} ${scenario}: listed as an exception, and is none`);
    }
  }
  return problems;
}

// Where the proxy did not do what it is for, as lines: the comparison would be worth nothing.
function reportInjection() {
  const problems = [];
  for (const { version, way, seen } of legs) {
    console.log(`server ${version} ${way}: ${seen.requests} requests, ${seen.traced} with a trace context`);
    // A legacy `initialize` goes on as it is: its session, and so its trace, is known from the answer only.
    const missed = Object.keys(seen.untraced).some((method) => method !== 'initialize');
    const wrong = way === 'direct' ? seen.traced > 0 : missed || (seen.traced === 0 && wanted.length === 0);
    if (wrong) problems.push(`server ${version} ${way}: context injected in ${JSON.stringify(seen)}`);
  }
  return problems;
}

function report() {
  printRow('leg', 'revision', columns);
  const rows = ['server', 'client'].flatMap((leg) => versions.map((version) => reportLeg(leg, version)));
  const others = [...accidents, ...reportExceptions(rows.flatMap((row) => row.excused)), ...reportInjection()];
  const problems = [...others, ...rows.flatMap((row) => row.problems)];
  for (const problem of problems.slice(0, maxLines)) console.log(problem);
  if (problems.length > maxLines) console.log(`and ${problems.length - maxLines} lines more`);
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
  return { passed: sum('passed'), failed: sum('failed') + others.length };
}

const began = process.hrtime.bigint();
setTimeout(() => {
  console.log(`not done after ${allMs} ms\n# fail 1`);
  process.exit(1);
}, allMs).unref();
// Without a proxy all would differ, at length.
await (await startProxy('http://127.0.0.1:9')).stop();
await runAll();
const { passed, failed } = report();
console.log(`# seconds ${Number((process.hrtime.bigint() - began) / 1_000_000_000n)}`);
console.log(`# pass ${passed}`);
console.log(`# fail ${failed}`);
// Also if something that was started holds on.
process.exit(failed > 0 || passed === 0 ? 1 : 0);
