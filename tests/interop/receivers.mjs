// Receivers of telemetry that others have made, as processes of a test: an OpenTelemetry Collector that writes what it gets into a
// file, and a Jaeger with its storage in memory. script/interop builds both.
//
//   const collector = await startCollector(t);
//   … ship to collector.http or collector.grpc …
//   const spans = await collector.spans();          // ends it
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../e2e/http_peers.mjs';
import { spansOf } from '../e2e/otlp/rules.mjs';
import { readRequest } from '../e2e/otlp/schema.mjs';
import { freshDirectory } from '../e2e/peers.mjs';
import { built, start } from './peers.mjs';

const isReady = 'Everything is ready.';

// Both are collectors: `configure(ports)` gives their configuration. A free port may be another's by the time that they want it.
async function startOne(t, program, count, configure) {
  for (let tries = 1; ; tries++) {
    const ports = [];
    while (ports.length < count) ports.push(await freePort());
    const file = path.join(freshDirectory(t), 'config.yaml');
    fs.writeFileSync(file, JSON.stringify(configure(ports.map((port) => `127.0.0.1:${port}`))));  // JSON is YAML.
    const child = start(t, [path.join(built, program), '--config', file]);
    child.stdout.resume();
    const ready = new Promise((resolve) => createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.includes(isReady)) resolve(true);
    }));
    if (await Promise.race([ready, child.ended.then(() => false)])) return { child, origins: ports.map((port) => `http://127.0.0.1:${port}`) };
    const said = child.stderrLines.join('\n');
    if (tries === 5 || !said.includes('address already in use')) throw new Error(`${program} did not start\n${said}`);
  }
}

const otlpReceiver = (http, grpc) => ({ otlp: { protocols: { http: { endpoint: http }, grpc: { endpoint: grpc } } } });
const quiet = { metrics: { level: 'none' } };
// Those about what it is sent: at its start Jaeger warns that it was built without its pages.
const complaints = ({ stderrLines }) => stderrLines.slice(stderrLines.findIndex((line) => line.includes(isReady)))
  .filter((line) => /\t(warn|error|fatal)\t/.test(line));

export async function startCollector(t) {
  const file = path.join(freshDirectory(t), 'traces.jsonl');
  const { child, origins: [http, grpc] } = await startOne(t, 'collector/collector', 2, ([http, grpc]) => ({
    receivers: otlpReceiver(http, grpc),
    exporters: { file: { path: file } },
    service: { telemetry: quiet, pipelines: { traces: { receivers: ['otlp'], exporters: ['file'] } } },
  }));
  return {
    http, grpc,
    // All that came, in the form of tests/e2e/otlp.
    async spans() {
      child.kill('SIGTERM');
      assert.deepEqual(await child.ended, { code: 0, signal: null });
      assert.deepEqual(complaints(child), []);
      const lines = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
      return lines.flatMap((line) => spansOf(readRequest('json', Buffer.from(line), assert.fail)));
    },
  };
}

export async function startJaeger(t) {
  const { child, origins: [http, grpc, api] } = await startOne(t, 'jaeger/jaeger', 4, ([http, grpc, api, grpcApi]) => ({
    receivers: otlpReceiver(http, grpc),
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: 1000 } } } },
      jaeger_query: { storage: { traces: 'memory' }, http: { endpoint: api }, grpc: { endpoint: grpcApi } },
    },
    service: {
      extensions: ['jaeger_storage', 'jaeger_query'], telemetry: quiet,
      pipelines: { traces: { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] } },
    },
  }));
  return {
    http, grpc,
    complaints: () => complaints(child),
    // What its API answers to GET /api/PLACE; nothing: it knows no such trace.
    async get(place, query = {}) {
      const response = await fetch(`${api}/api/${place}?${new URLSearchParams(query)}`);
      if (response.status === 404) return undefined;
      const answer = await response.json();
      assert.deepEqual([response.status, answer.errors ?? null], [200, null], place);
      return answer.data;
    },
  };
}
