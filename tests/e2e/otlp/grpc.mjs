// gRPC as far as one call needs it, on node:http2, so that every byte of it can be checked and scripted
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
import { gunzipSync } from 'node:zlib';
import { writeRetryInfo } from './schema.mjs';

export const servicePath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
export const okCode = 0, invalidArgument = 3, exhausted = 8, unimplemented = 12;

export function checkHead(headers, say) {
  if (headers[':method'] !== 'POST') say(`:method ${headers[':method']}`);
  if (headers[':path'] !== servicePath) say(`:path ${headers[':path']}`);
  if (!/^application\/grpc(\+proto)?$/.test(headers['content-type'] ?? '')) say(`content-type ${headers['content-type']}`);
  if (headers.te !== 'trailers') say(`te ${headers.te}`);
  if (headers['grpc-timeout'] !== undefined && !/^[1-9]\d{0,7}[HMSmun]$/.test(headers['grpc-timeout'])) say(`grpc-timeout ${headers['grpc-timeout']}`);
  if (!['identity', 'gzip', undefined].includes(headers['grpc-encoding'])) say(`grpc-encoding ${headers['grpc-encoding']}`);
}

// The one message of a call, decoded; null where there is none.
export function readMessage(headers, body, most, seen) {
  const { say } = seen;
  if (body.length < 5 || body[0] > 1 || body.readUInt32BE(1) !== body.length - 5) {
    say(`a call of ${body.length} bytes is not one message`);
    return null;
  }
  if (body[0] === 0) return body.subarray(5);
  if (headers['grpc-encoding'] !== 'gzip') {
    say('a message is encoded, and no header says how');
    return null;
  }
  try {
    return gunzipSync(body.subarray(5), { maxOutputLength: most });
  } catch (error) {
    seen.tooLarge = error.code === 'ERR_BUFFER_TOO_LARGE';
    if (!seen.tooLarge) say(`gzip: ${error.message}`);
    return null;
  }
}

export function writeMessage(bytes) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

// { status, message, retryAfter: seconds, details: bytes } as fields.
export function statusFields({ status = okCode, message = '', retryAfter, details }) {
  const bytes = details ?? (retryAfter === undefined ? null : writeRetryInfo({ code: status, message, seconds: retryAfter }));
  return {
    'grpc-status': String(status),
    ...message && { 'grpc-message': encodeURIComponent(message) },
    ...bytes && { 'grpc-status-details-bin': bytes.toString('base64') },
  };
}
