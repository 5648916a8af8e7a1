// What a request of traces has to keep beside its schema: the data model of OpenTelemetry, as far as a sender can be held to it.

// Spans of a request, flat: { resource, scope, span, resourceSchema, scopeSchema }.
export const spansOf = (request) => (request?.resourceSpans ?? []).flatMap(({ resource = {}, scopeSpans = [], schemaUrl: resourceSchema = '' }) =>
  scopeSpans.flatMap(({ scope = {}, spans = [], schemaUrl: scopeSchema = '' }) =>
    spans.map((span) => ({ resource, scope, span, resourceSchema, scopeSchema }))));

export function checkRequest(request, say) {
  if (!request.resourceSpans) say('request: empty');
  request.resourceSpans?.forEach((resourceSpans, at) => {
    const where = `request.resourceSpans[${at}]`;
    if (!resourceSpans.scopeSpans) say(`${where}: empty`);
    checkAttributes(resourceSpans.resource, `${where}.resource`, say);
    resourceSpans.scopeSpans?.forEach(({ scope, spans }, index) => {
      const inside = `${where}.scopeSpans[${index}]`;
      if (!spans) say(`${inside}: empty`);
      checkAttributes(scope, `${inside}.scope`, say);
      spans?.forEach((span, number) => checkSpan(span, `${inside}.spans[${number}]`, say));
    });
  });
}

function checkSpan(span, where, say) {
  checkId(span.traceId, 16, `${where}.traceId`, say);
  checkId(span.spanId, 8, `${where}.spanId`, say);
  if (span.parentSpanId) checkId(span.parentSpanId, 8, `${where}.parentSpanId`, say);
  if (span.parentSpanId && span.parentSpanId === span.spanId) say(`${where}: its own parent`);
  if (!span.name) say(`${where}: no name`);
  if (!span.kind) say(`${where}: no kind`);
  if (!span.startTimeUnixNano || span.startTimeUnixNano === '0') say(`${where}: no start`);
  else if (BigInt(span.endTimeUnixNano ?? 0) < BigInt(span.startTimeUnixNano)) say(`${where}: ends before it starts`);
  if (span.status?.message && span.status.code !== 2) say(`${where}: a status message without an error`);
  checkAttributes(span, where, say);
  span.events?.forEach((event, at) => {
    if (!event.name) say(`${where}.events[${at}]: no name`);
    checkAttributes(event, `${where}.events[${at}]`, say);
  });
  span.links?.forEach((link, at) => {
    checkId(link.traceId, 16, `${where}.links[${at}].traceId`, say);
    checkId(link.spanId, 8, `${where}.links[${at}].spanId`, say);
    checkAttributes(link, `${where}.links[${at}]`, say);
  });
}

function checkId(id, bytes, where, say) {
  if (id?.length !== bytes * 2) say(`${where}: ${id ? id.length / 2 : 0} bytes, not ${bytes}`);
  else if (/^0*$/.test(id)) say(`${where}: all zero`);
}

function checkAttributes(holder, where, say) {
  const seen = new Set();
  holder?.attributes?.forEach(({ key, value }, at) => {
    if (!key) say(`${where}.attributes[${at}]: no key`);
    if (!value) say(`${where}.attributes[${at}]: no value`);
    if (seen.has(key)) say(`${where}: ${JSON.stringify(key)} twice`);
    seen.add(key);
  });
}

// Attributes as a plain object: { 'service.name': 'weather', … }.
export const attributesOf = (holder) => Object.fromEntries((holder.attributes ?? []).map(({ key, value }) => [key, plain(value)]));
function plain(value = {}) {
  if ('intValue' in value) return BigInt(value.intValue);
  if ('arrayValue' in value) return (value.arrayValue.values ?? []).map(plain);
  if ('kvlistValue' in value) return attributesOf({ attributes: value.kvlistValue.values });
  return Object.values(value)[0];
}
