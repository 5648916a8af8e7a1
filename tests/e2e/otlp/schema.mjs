// OTLP by its schema, more strictly than a receiver has to be: what a sender of ours would get wrong is said, and not passed over.
// Both encodings come to the same: objects with the names of JSON, ids in small hexadecimal letters, 64 bits as decimal strings,
// other bytes in base64; what was not sent is not there.
import fs from 'node:fs';
import protobuf from 'protobufjs';

const { root } = protobuf.parse(fs.readFileSync(new URL('trace.proto', import.meta.url), 'utf8'));
root.resolveAll();
const request = root.lookupType('otlp.ExportTraceServiceRequest');

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const isId = (field) => ['traceId', 'spanId', 'parentSpanId'].includes(field.name);
const isMessage = (field) => field.resolvedType instanceof protobuf.Type;
const isEnum = (field) => field.resolvedType instanceof protobuf.Enum;

// Takes bytes apart; throws where nothing more can be told.
class Wire {
  constructor(bytes) { [this.bytes, this.at] = [bytes, 0]; }
  get over() { return this.at === this.bytes.length; }
  take(count) {
    if (count > this.bytes.length - this.at) throw new Error(`${count} bytes are wanted, ${this.bytes.length - this.at} are left`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  varint() {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const [byte] = this.take(1);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if ((shift += 7n) > 63n) throw new Error('a varint has more than 10 bytes');
    }
    if (value >= 1n << 64n) throw new Error('a varint has more than 64 bits');
    return value;
  }
}

// What a field's bytes mean, by its type; `wire` stands behind the tag.
const scalars = {
  string: [2, (bytes) => utf8.decode(bytes)],
  bytes: [2, (bytes, field) => bytes.toString(isId(field) ? 'hex' : 'base64')],
  bool: [0, (value) => {
    if (value > 1n) throw new Error(`a truth is ${value}`);
    return value === 1n;
  }],
  uint32: [0, (value) => {
    if (value >= 1n << 32n) throw new Error(`32 bits are ${value}`);
    return Number(value);
  }],
  int32: [0, (value) => Number(BigInt.asIntN(64, value))],
  int64: [0, (value) => String(BigInt.asIntN(64, value))],
  fixed32: [5, (bytes) => bytes.readUInt32LE()],
  fixed64: [1, (bytes) => String(bytes.readBigUInt64LE())],
  double: [1, (bytes) => sayDouble(bytes.readDoubleLE())],
};
const sayDouble = (value) => Number.isFinite(value) ? value : String(value);

function takeValue(wire, wireType) {
  switch (wireType) {
    case 0: return wire.varint();
    case 1: return wire.take(8);
    case 2: return wire.take(Number(wire.varint()));
    case 5: return wire.take(4);
    default: throw new Error(`wire type ${wireType}`);
  }
}

function readProtobuf(type, bytes, where, say) {
  const wire = new Wire(bytes), read = {};
  while (!wire.over) {
    const tag = wire.varint();
    const [number, wireType] = [Number(tag >> 3n), Number(tag & 7n)];
    const value = takeValue(wire, wireType);
    const field = type.fieldsById[number];
    if (!field) {
      say(`${where}: ${type.name} has no field ${number}`);
      continue;
    }
    const [wanted, meaning] = isMessage(field) ? [2, null] : isEnum(field) ? [0, Number] : scalars[field.type];
    if (wireType !== wanted) {
      say(`${where}.${field.name}: wire type ${wireType}, not ${wanted}`);
      continue;
    }
    const inside = field.repeated ? `${where}.${field.name}[${read[field.name]?.length ?? 0}]` : `${where}.${field.name}`;
    try {
      keep(read, type, field, isMessage(field) ? readProtobuf(field.resolvedType, value, inside, say) : meaning(value, field), where, say);
    } catch (error) {
      say(`${inside}: ${error.message}`);
    }
  }
  return read;
}

function keep(read, type, field, value, where, say) {
  if (isEnum(field) && !(value in field.resolvedType.valuesById)) say(`${where}.${field.name}: ${field.type} has no ${value}`);
  if (field.repeated) {
    (read[field.name] ??= []).push(value);
    return;
  }
  if (field.name in read) say(`${where}.${field.name}: more than once`);
  const other = field.partOf?.oneof.find((name) => name !== field.name && name in read);
  if (other) say(`${where}: both ${other} and ${field.name}`);
  read[field.name] = value;
}

const decimal = (from, to) => (value) => {
  if (typeof value !== 'string' || !/^(0|-?[1-9]\d*)$/.test(value)) throw new Error(`${JSON.stringify(value)} is no decimal string`);
  if (BigInt(value) < from || BigInt(value) > to) throw new Error(`${value} does not fit`);
  return value;
};
const whole = (from, to) => (value) => {
  if (!Number.isInteger(value) || value < from || value > to) throw new Error(`${JSON.stringify(value)} is no whole number that fits`);
  return value;
};
const json = {
  string: (value) => {
    if (typeof value !== 'string' || !value.isWellFormed()) throw new Error(`${JSON.stringify(value)} is no text`);
    return value;
  },
  bytes: (value, field) => {
    const good = isId(field) ? /^([0-9a-f]{2})*$/i : /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
    if (typeof value !== 'string' || !good.test(value)) throw new Error(`${JSON.stringify(value)} is no ${isId(field) ? 'hexadecimal' : 'base64'}`);
    return isId(field) ? value.toLowerCase() : value;
  },
  bool: (value) => {
    if (typeof value !== 'boolean') throw new Error(`${JSON.stringify(value)} is no truth`);
    return value;
  },
  uint32: whole(0, 2 ** 32 - 1),
  int32: whole(-(2 ** 31), 2 ** 31 - 1),
  fixed32: whole(0, 2 ** 32 - 1),
  int64: decimal(-(1n << 63n), (1n << 63n) - 1n),
  fixed64: decimal(0n, (1n << 64n) - 1n),
  double: (value) => {
    if (typeof value !== 'number' && !['NaN', 'Infinity', '-Infinity'].includes(value)) throw new Error(`${JSON.stringify(value)} is no double`);
    return value;
  },
};

function readJson(type, value, where, say) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error(`${JSON.stringify(value)} is no object`);
  const read = {};
  for (const [name, held] of Object.entries(value)) {
    const field = type.fields[name];
    if (!field) {
      say(`${where}: ${type.name} has no ${JSON.stringify(name)}`);
      continue;
    }
    const meaning = isMessage(field) ? null : isEnum(field) ? whole(0, 2 ** 31 - 1) : json[field.type];
    if (field.repeated && !Array.isArray(held)) {
      say(`${where}.${name}: ${JSON.stringify(held)} is no array`);
      continue;
    }
    (field.repeated ? held : [held]).forEach((each, at) => {
      const inside = field.repeated ? `${where}.${name}[${at}]` : `${where}.${name}`;
      try {
        keep(read, type, field, meaning ? meaning(each, field) : readJson(field.resolvedType, each, inside, say), where, say);
      } catch (error) {
        say(`${inside}: ${error.message}`);
      }
    });
  }
  return read;
}

// A request's body as { resourceSpans: … }. What is wrong with it is given to `say`; nothing can be told of it: null. `numbers`: 64 bits
// may be a number in JSON, too, which is allowed, and loses what does not fit a double.
export function readRequest(encoding, body, say, { numbers = false } = {}) {
  try {
    if (encoding === 'json') {
      const reviver = (name, value) => numbers && /(intValue|UnixNano)$/.test(name) && Number.isInteger(value) ? String(BigInt(value)) : value;
      return readJson(request, JSON.parse(utf8.decode(body), reviver), 'request', say);
    }
    request.decode(body);  // what others make of it; throws where they could not read it
    return readProtobuf(request, body, 'request', say);
  } catch (error) {
    say(`request: ${error.message}`);
    return null;
  }
}

export const messageType = (name) => root.lookupType(`otlp.${name}`);
const bytesOf = (name, object) => {
  const type = messageType(name);
  return Buffer.from(type.encode(type.fromObject(object)).finish());
};
const textOf = (name, object) => {
  const type = messageType(name);
  return Buffer.from(JSON.stringify(type.toObject(type.fromObject(object), { longs: String })));
};

// `partial`: { rejectedSpans, errorMessage }, or nothing.
export const writeResponse = (encoding, partial) =>
  (encoding === 'json' ? textOf : bytesOf)('ExportTraceServiceResponse', partial ? { partialSuccess: partial } : {});
export const writeStatus = (encoding, { code = 0, message = '' }) => (encoding === 'json' ? textOf : bytesOf)('RpcStatus', { code, message });
// For grpc-status-details-bin: a status with RetryInfo.
export const writeRetryInfo = ({ code, message = '', seconds }) => bytesOf('RpcStatus', {
  code, message,
  details: [{
    typeUrl: 'type.googleapis.com/google.rpc.RetryInfo',
    value: bytesOf('RetryInfo', { retryDelay: { seconds: Math.floor(seconds), nanos: Math.round((seconds % 1) * 1e9) } }),
  }],
});
// For tests of the receiver: bytes of a request as protobufjs writes it.
export const writeRequest = (object) => bytesOf('ExportTraceServiceRequest', object);
