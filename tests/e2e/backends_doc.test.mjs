// docs/backends.md: each configuration in it is good, goes where its section says, and no preset lacks a section.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { binary, freshDirectory } from './peers.mjs';

const page = (name) => fs.readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

// { title, text, blocks } of each second-level heading.
const sections = page('backends.md').split(/^## /m).slice(1).map((text) => ({
  title: text.slice(0, text.indexOf('\n')),
  text,
  blocks: [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block]) => block),
}));

function ours(t, block, args) {
  const directory = freshDirectory(t), file = path.join(directory, 'mcptrace.yaml');
  fs.writeFileSync(file, block);
  const env = { ...process.env, MCPTRACE_CONFIG: file, MCPTRACE_HOME: path.join(directory, 'state') };
  for (const name of Object.keys(env)) if (name.startsWith('OTEL_')) delete env[name];
  return spawnSync(binary, args, { env, encoding: 'utf8', timeout: 60_000 });
}

for (const { title, text, blocks } of sections) {
  for (const [index, block] of blocks.entries()) {
    test(`${title}, configuration ${index + 1}`, (t) => {
      const checked = ours(t, block, ['config', 'check']);
      assert.deepEqual([checked.status, checked.stdout.split('\n')[0].endsWith(' is good.')], [0, true], checked.stdout + checked.stderr);
      assert.doesNotMatch(checked.stdout, /Without effect yet/);
      const status = ours(t, block, ['ship', 'status', '--json']);
      assert.deepEqual([status.status, status.stderr], [0, '']);
      const named = [...block.matchAll(/^ *- name: (\S+)$/gm)].map(([, name]) => name);
      const destinations = status.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
      assert.deepEqual(destinations.map(({ name }) => name), named);
      for (const { url } of destinations) assert.ok(text.includes(`\`${url}\``), `the section does not say ${url}`);
    });
  }
}

test('each preset has a section with a configuration', () => {
  const row = page('configuration.md').split('\n').find((line) => line.startsWith('| `destinations[].preset` |'));
  const presets = [...row.split('|')[2].matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  assert.ok(presets.length >= 10, row);
  for (const preset of presets) {
    const section = sections.find(({ title }) => title === preset);
    assert.ok(section?.blocks.some((block) => block.includes(`preset: ${preset}\n`)), preset);
  }
});
