// A span as Jaeger's API has to tell it, from the one that OTLP told: by OpenTelemetry's mapping to Jaeger's model
// (https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/).
const kinds = { 1: 'internal', 2: 'server', 3: 'client', 4: 'producer', 5: 'consumer' };
export const kindOf = (span) => kinds[span.kind];

const byKey = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
const text = (key, value) => ({ key, type: 'string', value });

function tag({ key, value = {} }) {
  if ('boolValue' in value) return { key, type: 'bool', value: value.boolValue };
  if ('intValue' in value) return { key, type: 'int64', value: Number(value.intValue) };
  if ('doubleValue' in value) return { key, type: 'float64', value: value.doubleValue };
  if ('arrayValue' in value) return text(key, JSON.stringify((value.arrayValue.values ?? []).map((each) => tag({ key, value: each }).value)));
  return text(key, value.stringValue ?? '');
}
const tags = (list = []) => list.map(tag);
const micros = (nanos) => Number(BigInt(nanos) / 1000n);

function statusTags({ code, message } = {}) {
  const said = message ? [text('otel.status_description', message)] : [];
  if (code === 1) return [text('otel.status_code', 'OK'), ...said];
  if (code === 2) return [text('otel.status_code', 'ERROR'), { key: 'error', type: 'bool', value: true }, ...said];
  return [];
}

const reference = (refType, traceID, spanID) => ({ refType, traceID, spanID });

export function wanted({ resource, scope, span }) {
  const process = tags(resource.attributes);
  return {
    traceID: span.traceId,
    spanID: span.spanId,
    operationName: span.name,
    references: [
      ...(span.parentSpanId ? [reference('CHILD_OF', span.traceId, span.parentSpanId)] : []),
      ...(span.links ?? []).map((link) => reference('FOLLOWS_FROM', link.traceId, link.spanId)),
    ],
    startTime: micros(span.startTimeUnixNano),
    duration: micros(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)),
    tags: [
      ...tags(span.attributes), text('span.kind', kindOf(span)), ...statusTags(span.status),
      ...(span.traceState ? [text('w3c.tracestate', span.traceState)] : []),
      ...(scope.name ? [text('otel.scope.name', scope.name)] : []), ...(scope.version ? [text('otel.scope.version', scope.version)] : []),
    ].sort(byKey),
    logs: (span.events ?? []).map((event) => ({
      timestamp: micros(event.timeUnixNano), fields: [text('event', event.name), ...tags(event.attributes)].sort(byKey),
    })),
    process: {
      serviceName: process.find(({ key }) => key === 'service.name').value,
      tags: process.filter(({ key }) => key !== 'service.name').sort(byKey),
    },
  };
}

// A span of a trace as the API told it, in the same form.
export function told(span, { processes }) {
  const { processID, flags, ...rest } = span;
  const { serviceName, tags: ofProcess = [] } = processes[processID];
  return {
    ...rest,
    references: rest.references ?? [],
    tags: [...rest.tags].sort(byKey),
    logs: (rest.logs ?? []).map(({ timestamp, fields }) => ({ timestamp, fields: [...fields].sort(byKey) })),
    process: { serviceName, tags: [...ofProcess].sort(byKey) },
    warnings: rest.warnings?.length ? rest.warnings : undefined,
  };
}
