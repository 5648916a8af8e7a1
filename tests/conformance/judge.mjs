// Judges one scenario by its checks, as the suite wrote them: { leg, version, way, scenario, checks: [{ id, status, … }] }, once
// directly and once through the proxy. No I/O.
import { exceptions } from './exceptions.mjs';

const failures = ({ checks }) => checks.filter(({ status }) => status === 'FAILURE');
const successes = ({ checks }) => checks.filter(({ status }) => status === 'SUCCESS');

// How often each check ended how, as { 'id STATUS': times }. What only informs is compared as well: it is the traffic that was seen.
function tally(checks) {
  const counts = {};
  for (const { id, status } of checks) counts[`${id} ${status}`] = (counts[`${id} ${status}`] ?? 0) + 1;
  return counts;
}

const exceptionFor = (scenario, check) => exceptions.find((exception) =>
  exception.leg === scenario.leg && exception.scenario === scenario.scenario && exception.checks.includes(check));

// What differs, as lines, and the exceptions that cover some of it.
function compare(direct, proxied) {
  const [before, after] = [tally(direct.checks), tally(proxied.checks)];
  const problems = [];
  const excused = new Set();
  for (const entry of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [times, timesProxied] = [before[entry] ?? 0, after[entry] ?? 0];
    if (times === timesProxied) continue;
    const exception = exceptionFor(direct, entry.slice(0, entry.lastIndexOf(' ')));
    if (exception) {
      excused.add(exception);
      continue;
    }
    const shown = timesProxied > times ? proxied : direct;
    const { errorMessage = '', details = {} } = shown.checks.find(({ id, status }) => `${id} ${status}` === entry);
    problems.push(`${entry}: ${times} directly, ${timesProxied} through the proxy`,
      `  ${shown.way}: ${errorMessage} ${JSON.stringify(details).slice(0, 600)}`);
  }
  return { problems, excused };
}

// What is wrong with a scenario, and what it counts for: { problems, excused, checks, passedChecks, passed, equal }.
export function judge(direct, proxied, required) {
  if (!direct || !proxied) {
    const problems = [`no result ${direct ? 'through the proxy' : 'directly'}`];
    return { problems, excused: new Set(), checks: 0, passedChecks: 0, passed: false, equal: false };
  }
  const failed = failures(direct);
  const succeeded = successes(direct);
  const passed = failed.length === 0 && (!required || succeeded.some(({ id }) => id !== 'client-exit'));
  const { problems, excused } = compare(direct, proxied);
  const equal = problems.length === 0 && excused.size === 0;
  if (required && !passed) {
    problems.push(...failed.map(({ id, errorMessage = '' }) => `fails directly: ${id}: ${errorMessage}`));
    if (failed.length === 0) problems.push('shows nothing directly');
  }
  return { problems, excused, checks: failed.length + succeeded.length, passedChecks: succeeded.length, passed, equal };
}
