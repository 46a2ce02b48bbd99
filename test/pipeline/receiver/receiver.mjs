// @ts-check A small receiver in place of a SIEM: OTLP over HTTP (protobuf) on port 4318 and syslog (RFC 5424, one
// message per line) over TCP on port 5514. It returns what it received at http://…:8080/held. It has no dependencies
// and runs in a plain Node image.
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { createInterface } from 'node:readline'
import { gunzipSync } from 'node:zlib'

/**
 * @typedef {object} Held
 * @property {string} time nanoseconds since 1970, or in syslog's format
 * @property {string} line
 * @property {number} severity OpenTelemetry's number, or syslog's
 * @property {string} severityText
 * @property {Record<string, string>} attributes of the resource and of the record
 */

/** @type {Held[]} */
const held = []
let requests = 0

// --- OTLP: the fields that matter, by their numbers in opentelemetry/proto

/**
 * Yields the fields of a protobuf message: the field number, and a number or bytes.
 * @param {Buffer} bytes
 * @returns {Generator<[number, bigint | Buffer]>}
 */
function* fields(bytes) {
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const key = Number(varint())
    const number = key >> 3
    switch (key & 7) {
      case 0:
        yield [number, varint()]
        break
      case 1:
        yield [number, bytes.readBigUInt64LE(at)]
        at += 8
        break
      case 2: {
        const length = Number(varint())
        yield [number, bytes.subarray(at, at + length)]
        at += length
        break
      }
      case 5:
        yield [number, BigInt(bytes.readUInt32LE(at))]
        at += 4
        break
      default:
        throw new Error(`unknown wire type ${key & 7}`)
    }
  }
}

/**
 * Returns the messages or strings with a field number.
 * @param {Buffer} bytes
 * @param {number} number
 */
const parts = (bytes, number) =>
  [...fields(bytes)].flatMap(([found, value]) => (found === number && Buffer.isBuffer(value) ? [value] : []))

/** @param {Buffer} bytes an AnyValue */
function anyValue(bytes) {
  for (const [number, value] of fields(bytes)) {
    if (number === 1 && Buffer.isBuffer(value)) return value.toString('utf8')
    if (number === 2) return String(value === 1n)
    if (number === 3 && typeof value === 'bigint') return String(BigInt.asIntN(64, value))
    if (number === 4 && typeof value === 'bigint') {
      const double = Buffer.alloc(8)
      double.writeBigUInt64LE(value)
      return String(double.readDoubleLE())
    }
  }
  return ''
}

/** @param {Buffer[]} list of KeyValue */
const keyValues = list =>
  Object.fromEntries(
    list.map(one => [parts(one, 1)[0]?.toString('utf8'), anyValue(parts(one, 2)[0] ?? Buffer.alloc(0))]),
  )

/** @param {Buffer} body an ExportLogsServiceRequest */
function receiveProtobuf(body) {
  for (const resourceLogs of parts(body, 1)) {
    const resource = keyValues(parts(resourceLogs, 1).flatMap(one => parts(one, 1)))
    for (const record of parts(resourceLogs, 2).flatMap(scope => parts(scope, 2))) {
      const found = new Map(fields(record))
      held.push({
        time: String(found.get(1)),
        severity: Number(found.get(2) ?? 0),
        severityText: String(found.get(3) ?? ''),
        line: anyValue(parts(record, 5)[0] ?? Buffer.alloc(0)),
        attributes: { ...resource, ...keyValues(parts(record, 6)) },
      })
    }
  }
}

createServer((request, response) => {
  /** @type {Buffer[]} */
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    const sent = Buffer.concat(chunks)
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
    if (
      request.method !== 'POST' ||
      request.url !== '/v1/logs' ||
      request.headers['content-type'] !== 'application/x-protobuf'
    ) {
      response.writeHead(404).end()
      return
    }
    requests++
    receiveProtobuf(body)
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  })
}).listen(4318)

// --- Syslog

createTcpServer(socket => {
  requests++
  socket.on('error', () => {})
  createInterface({ input: socket }).on('line', text => {
    // <priority>version time host application process message-id structured-data, a byte order mark, and the message
    const [, priority = '', time = '', host = '', app = '', line = ''] =
      /^<(\d+)>1 (\S+) (\S+) (\S+) \S+ \S+ - \uFEFF?(.*)$/.exec(text) ?? []
    held.push({ time, line, severity: Number(priority) % 8, severityText: '', attributes: { host, app } })
  })
}).listen(5514)

createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ requests, held }))
}).listen(8080)

// The first process of a container ignores signals that it does not handle.
process.on('SIGTERM', () => process.exit(0))
