// @ts-check
import { connect } from 'node:net'

/**
 * @typedef {object} Redis
 * @property {string} host
 * @property {number} port
 * @property {number} timeout milliseconds for the connection and the reply together
 */

/** Reports that Redis is down, too slow, or rejected a command. */
export class RedisError extends Error {
  /** @override */
  name = 'RedisError'
}

/**
 * Sends one command over a new connection and returns the reply; null for a missing key.
 * @param {Redis} redis
 * @param {...string} command
 * @returns {Promise<string | null>}
 * @throws RedisError
 */
export function sendCommand({ host, port, timeout }, ...command) {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const socket = connect({ host, port })
    const timer = setTimeout(() => fail(`no reply within ${timeout} ms`), timeout)
    /** @param {string} reason */
    const fail = reason => {
      clearTimeout(timer)
      socket.destroy()
      reject(new RedisError(`Redis at ${host}:${port}: ${reason}`))
    }
    socket.on('error', error => fail(describeError(error)))
    socket.on('close', () => fail('the connection was closed before the reply'))
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk])
      const reply = parseReply(received)
      if (!reply) return
      if (reply.error !== undefined) return fail(reply.error)
      clearTimeout(timer)
      socket.end()
      resolve(reply.value ?? null)
    })
    socket.write(encodeCommand(command))
  })
}

/**
 * The message is empty if a host has several addresses and none of them can be reached.
 * @param {NodeJS.ErrnoException} error
 */
const describeError = error => error.message || error.code || 'no connection'

/**
 * Encodes a command for Redis: an array of strings, each with its length in bytes.
 * @param {string[]} command
 */
export const encodeCommand = command =>
  `*${command.length}\r\n` + command.map(part => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')

/**
 * Decodes the reply in a buffer. Returns undefined while it is incomplete.
 * @param {Buffer} buffer
 * @returns {{ value?: string | null, error?: string } | undefined}
 */
export function parseReply(buffer) {
  const end = buffer.indexOf('\r\n')
  if (end < 0) return undefined
  const kind = String.fromCharCode(buffer[0] ?? 0)
  const head = buffer.toString('utf8', 1, end)
  if (kind === '+' || kind === ':') return { value: head }
  if (kind === '-') return { error: head }
  if (kind !== '$') return { error: `the reply is not understood: ${JSON.stringify(kind + head)}` }
  const length = Number(head)
  if (length < 0) return { value: null }
  const start = end + 2
  return buffer.length < start + length + 2 ? undefined : { value: buffer.toString('utf8', start, start + length) }
}
