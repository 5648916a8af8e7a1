// An OTLP receiver of this process, on a free port, that holds senders to the letter and answers as it is told.
//
//   const receiver = await Receiver.start({ t, protocol: 'grpc', script: [{ status: 503 }, {}] });
//   …
//   await receiver.when(({ spans }) => spans().length >= 3);
//   assert.deepEqual(receiver.violations, []);
//
// protocol: 'http' (protobuf and JSON), 'grpc' (on node:http2), 'grpc-js' (on @grpc/grpc-js; knows `grpc`, `partial`, `commit` and `hang`
// alone). port: one that was free before. tls: { key, cert, ca, requestCert } as for node:tls. path: of HTTP, '/v1/traces'. most: bytes of a decoded body, else 413, or 8 in gRPC.
// numbers: 64 bits may be numbers in JSON.
//
// script: the answers by number, or (request) => answer, which may be a promise; an answer is a success where it says nothing else:
//   { status: 503, headers: { 'retry-after': '1' }, message: 'later' }     the body is a google.rpc.Status of the request's encoding
//   { body: '<html>', headers: { 'content-type': 'text/html' } }
//   { partial: { rejectedSpans: 2, errorMessage: 'too old' } }
//   { grpc: { status: 14, message: 'later', retryAfter: 0.5, details: bytes, withHead: true } }    withHead: not by trailers alone
//   { hang: true }                           nothing comes, until the receiver stops
//   { cut: 'before' | 'after' | 'middle' }   the connection goes without an answer, nothing or all taken; or with half of one
//   { slow: true }                           a byte of the body each second
//   { huge: bytes } { bomb: true }           a body of so many zeros; one of gzip without end
//   { gzip: true } { close: true }           a body that is encoded; no further request on this connection
//   { commit: false }                        a success that takes nothing, or (true) a failure that takes all
import grpcJs from '@grpc/grpc-js';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { createGzip, gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import { checkHead, exhausted, invalidArgument, okCode, readMessage, servicePath, statusFields, unimplemented, writeMessage } from './otlp/grpc.mjs';
import { checkRequest, spansOf } from './otlp/rules.mjs';
import { readRequest, writeResponse, writeStatus } from './otlp/schema.mjs';

const decoders = { gzip: gunzipSync, zstd: zstdDecompressSync };
const mostAllowed = 64 << 20, mostViolations = 1000;
const encodings = { 'application/x-protobuf': 'protobuf', 'application/json': 'json' };

export class Receiver {
  requests = [];    // { number, method, path, headers, rawHeaders, encoding, compression, wireBytes, bytes, spans, committed, connection }
  violations = [];  // sentences
  connections = 0;
  #waiting = new Set();
  #sockets = new Set();
  #number = 0;

  static async start(options = {}) {
    const receiver = new Receiver();
    Object.assign(receiver, { protocol: 'http', path: '/v1/traces', most: mostAllowed, script: [] }, options);
    await { http: receiver.#startHttp, grpc: receiver.#startGrpc, 'grpc-js': receiver.#startGrpcJs }[receiver.protocol].call(receiver);
    receiver.origin = `${receiver.tls ? 'https' : 'http'}://127.0.0.1:${receiver.port}`;
    options.t?.after(() => receiver.stop());
    return receiver;
  }

  // What was taken, in order: { resource, scope, span, … } (otlp/rules.mjs), whichever way it came.
  spans = () => this.requests.filter(({ committed }) => committed).flatMap(({ spans }) => spans);

  // The receiver, once `predicate` holds of it: at once, or when a request has been answered.
  when(predicate) {
    if (predicate(this)) return Promise.resolve(this);
    return new Promise((resolve, reject) => this.#waiting.add({ predicate, resolve, reject }));
  }

  async stop() {
    for (const { reject } of this.#waiting) reject(new Error(`the receiver stopped, after ${this.requests.length} requests`));
    this.#waiting.clear();
    if (this.protocol === 'grpc-js') return this.server.forceShutdown();
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  // --- HTTP ---

  async #startHttp() {
    const options = { noDelay: true, keepAliveTimeout: 60_000, ...this.tls };
    this.server = this.tls ? https.createServer(options) : http.createServer(options);
    this.server.on('request', (request, response) => this.#onHttp(request, response).catch((error) => this.#onEnd(error, request.socket)));
    await this.#listen();
  }

  async #onHttp(request, response) {
    const seen = this.#see(request.method, request.url, request.headers, request.socket);
    seen.rawHeaders = request.rawHeaders.flatMap((name, at, all) => at % 2 ? [] : [[name, all[at + 1]]]);
    const [media] = (request.headers['content-type'] ?? '').split(';');
    seen.encoding = encodings[media.trim().toLowerCase()];
    seen.compression = request.headers['content-encoding'] ?? 'none';
    if (seen.method !== 'POST') seen.say(`method ${seen.method}`);
    if (seen.path !== this.path) seen.say(`path ${seen.path}`);
    if (!seen.encoding) seen.say(`content-type ${request.headers['content-type']}`);
    const body = await collect(request);
    seen.wireBytes = body.length;
    const answer = await this.#take(seen, this.#decode(seen, body));
    if (answer.hang) return;
    if (answer.cut === 'before' || answer.cut === 'after') return void request.socket.destroy();
    await this.#answerHttp(seen, answer, response);
  }

  #decode(seen, body) {
    if (seen.compression === 'none') return body;
    try {
      return decoders[seen.compression](body, { maxOutputLength: this.most });
    } catch (error) {
      seen.tooLarge = error.code === 'ERR_BUFFER_TOO_LARGE';
      if (!seen.tooLarge) seen.say(`content-encoding ${seen.compression}: ${error.message}`);
      return null;
    }
  }

  async #answerHttp(seen, answer, response) {
    const type = Object.keys(encodings).find((media) => encodings[media] === seen.encoding) ?? 'text/plain';
    const good = answer.status < 300;
    let body = answer.body !== undefined ? Buffer.from(answer.body)
      : good ? writeResponse(seen.encoding, answer.partial) : writeStatus(seen.encoding, answer);
    if (answer.gzip) body = gzipSync(body);
    const headers = {
      'content-type': type,
      ...(answer.gzip || answer.bomb) && { 'content-encoding': 'gzip' },
      ...answer.close && { connection: 'close' },
      ...answer.headers,
    };
    if (answer.bomb || answer.huge) {
      response.writeHead(answer.status, headers);
      return pour(response, answer);
    }
    response.writeHead(answer.status, { ...headers, 'content-length': body.length });
    if (answer.cut === 'middle') {
      response.flushHeaders();
      response.write(body.subarray(0, body.length / 2), () => response.socket.destroy());
    } else if (answer.slow) {
      trickle(response, body);
    } else {
      response.end(body);
    }
  }

  // --- gRPC ---

  async #startGrpc() {
    const options = { ...this.tls, ALPNProtocols: ['h2'] };
    this.server = this.tls ? http2.createSecureServer(options) : http2.createServer({ settings: { maxConcurrentStreams: 100 } });
    this.server.on('sessionError', () => {});
    this.server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      this.#onGrpc(stream, headers).catch((error) => this.#onEnd(error, stream.session?.socket));
    });
    await this.#listen();
  }

  async #onGrpc(stream, headers) {
    const seen = this.#see(headers[':method'], headers[':path'], { ...headers }, stream.session.socket);
    [seen.encoding, seen.compression] = ['protobuf', headers['grpc-encoding'] ?? 'identity'];
    checkHead(headers, seen.say);
    const body = await collect(stream);
    seen.wireBytes = body.length;
    const answer = await this.#take(seen, readMessage(headers, body, this.most, seen));
    if (answer.hang) return;
    if (answer.cut === 'before' || answer.cut === 'after') return void stream.session.destroy();
    if (answer.close) stream.session.close();
    answerGrpc(answer, stream);
  }

  async #startGrpcJs() {
    const own = (bytes) => bytes;
    const method = { path: servicePath, requestStream: false, responseStream: false, requestDeserialize: own, responseSerialize: own };
    this.server = new grpcJs.Server();
    this.server.addService({ Export: method }, {
      Export: async (call, callback) => {
        const seen = this.#see('POST', servicePath, call.metadata.getMap(), null);
        [seen.encoding, seen.compression] = ['protobuf', 'unknown'];
        const answer = await this.#take(seen, call.request);
        if (answer.hang) return;
        if (!answer.grpc.status) return callback(null, writeResponse('protobuf', answer.partial));
        const metadata = new grpcJs.Metadata();
        const { 'grpc-status-details-bin': details } = statusFields(answer.grpc);
        if (details) metadata.set('grpc-status-details-bin', Buffer.from(details, 'base64'));
        callback({ code: answer.grpc.status, details: answer.grpc.message ?? '', metadata });
      },
    });
    const { key, cert, ca, requestCert = false } = this.tls ?? {};
    const credentials = this.tls
      ? grpcJs.ServerCredentials.createSsl(ca ? Buffer.from(ca) : null, [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }], requestCert)
      : grpcJs.ServerCredentials.createInsecure();
    this.port = await new Promise((resolve, reject) =>
      this.server.bindAsync('127.0.0.1:0', credentials, (error, port) => error ? reject(error) : resolve(port)));
  }

  // --- both ---

  async #listen() {
    this.server.on('connection', (socket) => {
      socket.number = ++this.connections;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.server.on('tlsClientError', () => {});
    this.server.listen(this.port ?? 0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
  }

  #see(method, path, headers, socket) {
    const number = ++this.#number;
    const seen = { number, method, path, headers, rawHeaders: Object.entries(headers), spans: [], committed: false, wireBytes: 0, bytes: 0 };
    seen.connection = socket?.number ?? socket?._parent?.number ?? null;
    seen.say = (text) => this.violations.length < mostViolations && this.violations.push(`request ${number}: ${text}`);
    if (!headers['user-agent']) seen.say('no user-agent');
    return seen;
  }

  // Reads what a request holds, keeps what the script lets it keep, and returns the answer, whole.
  async #take(seen, body) {
    seen.tooLarge ||= body?.length > this.most;
    if (seen.tooLarge && this.most >= mostAllowed) seen.say('more than 64 MiB');
    const read = body && seen.encoding && !seen.tooLarge ? readRequest(seen.encoding, body, seen.say, { numbers: this.numbers }) : null;
    seen.bytes = body?.length ?? 0;
    seen.spans = spansOf(read);
    if (read) checkRequest(read, seen.say);
    const scripted = typeof this.script === 'function' ? await this.script(seen) : this.script[seen.number - 1];
    const refusal = this.#refusal(seen, read);
    const answer = { status: 200, grpc: { status: okCode }, ...refusal, ...scripted };
    const good = answer.status < 300 && !answer.grpc.status && !answer.hang && answer.cut !== 'before';
    seen.committed = answer.commit ?? good;
    this.requests.push(seen);
    // First the answer goes, or a sender might be stopped before it.
    setImmediate(() => this.#changed());
    return answer;
  }

  #refusal(seen, read) {
    if (this.protocol === 'http') return seen.tooLarge ? { status: 413 } : read ? {} : { status: 400 };
    if (seen.path !== servicePath) return { grpc: { status: unimplemented } };
    return seen.tooLarge ? { grpc: { status: exhausted } } : read ? {} : { grpc: { status: invalidArgument } };
  }

  // A request that ended before it was whole is none, as a real receiver sees it.
  #onEnd(error, socket) {
    if (error.code !== 'ECONNRESET') this.violations.push(`a request that is not whole: ${error.message}`);
    socket?.destroy();
    this.#changed();
  }

  #changed() {
    for (const waiting of this.#waiting) {
      if (!waiting.predicate(this)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(this);
    }
  }
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function answerGrpc(answer, stream) {
  const head = { ':status': answer.status, 'content-type': 'application/grpc', ...answer.headers };
  if (answer.status !== 200) return void stream.respond({ ...head, 'content-type': 'text/plain' }, { endStream: true });
  if (answer.grpc.status && !answer.grpc.withHead) return void stream.respond({ ...head, ...statusFields(answer.grpc) }, { endStream: true });
  stream.respond(head, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(statusFields(answer.grpc)));
  if (answer.huge) return pour(stream, answer);
  const message = answer.grpc.status ? Buffer.alloc(0) : writeMessage(answer.body ?? writeResponse('protobuf', answer.partial));
  if (answer.cut === 'middle') stream.write(message.subarray(0, 3), () => stream.session.destroy());
  else if (answer.slow) trickle(stream, message);
  else stream.end(message);
}

function trickle(stream, body) {
  let at = 0;
  const timer = setInterval(() => {
    if (at < body.length) stream.write(body.subarray(at, ++at));
    else stream.end();
  }, 1000);
  stream.once('close', () => clearInterval(timer));
}

// As fast as it is taken.
function pour(stream, { huge = Infinity, bomb }) {
  const zeros = Buffer.alloc(1 << 16);
  const out = bomb ? createGzip() : stream;
  if (bomb) out.pipe(stream);
  let left = huge, open = true;
  const more = () => {
    while (open && left > 0) {
      left -= zeros.length;
      if (!out.write(zeros.subarray(0, Math.min(zeros.length, left + zeros.length)))) return void out.once('drain', more);
    }
    if (open) out.end();
  };
  stream.once('close', () => { open = false; });
  more();
}
