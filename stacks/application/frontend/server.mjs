// @ts-check
// The Guestbook's frontend: the page, and the classic `guestbook.php` in front of Redis. It writes to the leader and reads from a
// follower, each time by a connection of its own as PHP did, so that Tetragon sees every one.
//
// One file without dependencies: it is mounted, with index.html beside it, from a ConfigMap into a plain Node image.
//
//   PORT                                     of the page and the API (8080)
//   METRICS_PORT                             of /metrics (9113)
//   REDIS_LEADER_HOST, REDIS_LEADER_PORT     where messages are written (redis-leader, 6379)
//   REDIS_FOLLOWER_HOST, REDIS_FOLLOWER_PORT where they are read (redis-follower, 6379)
//   REDIS_TIMEOUT                            milliseconds for a connection and its answer (2000)
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'

// --- Redis -----------------------------------------------------------------------------------------------------------------------

/**
 * @typedef {object} Redis
 * @property {string} host
 * @property {number} port
 * @property {number} timeout ms for the connection and the answer together
 */

/** Redis is away, slow, or refused a command. */
export class RedisError extends Error {
  /** @override */
  name = 'RedisError'
}

/**
 * Sends one command over a new connection and returns its answer, null for a key that is not there.
 * @param {Redis} redis
 * @param {...string} command
 * @returns {Promise<string | null>}
 * @throws RedisError
 */
export function ask({ host, port, timeout }, ...command) {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const socket = connect({ host, port })
    const timer = setTimeout(() => fail(`no answer within ${timeout} ms`), timeout)
    /** @param {string} why */
    const fail = why => {
      clearTimeout(timer)
      socket.destroy()
      reject(new RedisError(`Redis at ${host}:${port}: ${why}`))
    }
    socket.on('error', error => fail(explain(error)))
    socket.on('close', () => fail('the connection was closed before the answer'))
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

/** @param {NodeJS.ErrnoException} error of several addresses, when all of them failed, the message is empty */
const explain = error => error.message || error.code || 'no connection'

/**
 * A command as Redis reads it: an array of strings, each with its length in bytes.
 * @param {string[]} command
 */
export const encodeCommand = command =>
  `*${command.length}\r\n` + command.map(part => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')

/**
 * The one reply that a buffer holds; undefined while it is not complete.
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
  if (kind !== '$') return { error: `an answer that is not understood: ${JSON.stringify(kind + head)}` }
  const length = Number(head)
  if (length < 0) return { value: null }
  const start = end + 2
  return buffer.length < start + length + 2 ? undefined : { value: buffer.toString('utf8', start, start + length) }
}

// --- Metrics ---------------------------------------------------------------------------------------------------------------------

const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/**
 * @param {string} route
 * @param {number} code
 */
const labelled = (route, code) => `route="${route}",code="${code}"`

/** What is counted, in Prometheus' own words. */
export class Metrics {
  /** @type {Map<string, number>} by labels */
  #requests = new Map()
  /** @type {Map<string, number>} by role */
  #redisErrors = new Map([
    ['leader', 0],
    ['follower', 0],
  ])
  /** @type {Map<string, { buckets: number[], sum: number, count: number }>} by route */
  #durations = new Map()

  constructor() {
    // Zero is an answer; a series that is not there yet is none.
    for (const route of ['index', 'get', 'set']) {
      this.#requests.set(labelled(route, 200), 0)
      this.#durations.set(route, { buckets: bounds.map(() => 0), sum: 0, count: 0 })
    }
  }

  /**
   * @param {string} route one of few
   * @param {number} code
   * @param {number} seconds
   */
  request(route, code, seconds) {
    const labels = labelled(route, code)
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1)
    const duration = this.#durations.get(route) ?? { buckets: bounds.map(() => 0), sum: 0, count: 0 }
    duration.buckets = duration.buckets.map((count, i) => (seconds <= (bounds[i] ?? 0) ? count + 1 : count))
    duration.sum += seconds
    duration.count++
    this.#durations.set(route, duration)
  }

  /** @param {'leader' | 'follower'} role */
  redisError(role) {
    this.#redisErrors.set(role, (this.#redisErrors.get(role) ?? 0) + 1)
  }

  text() {
    const lines = [
      '# HELP guestbook_http_requests_total Requests answered.',
      '# TYPE guestbook_http_requests_total counter',
    ]
    for (const [labels, count] of this.#requests) lines.push(`guestbook_http_requests_total{${labels}} ${count}`)
    lines.push(
      '# HELP guestbook_redis_errors_total Commands that Redis did not answer, or refused.',
      '# TYPE guestbook_redis_errors_total counter',
    )
    for (const [role, count] of this.#redisErrors) lines.push(`guestbook_redis_errors_total{role="${role}"} ${count}`)
    const name = 'guestbook_http_request_duration_seconds'
    lines.push(`# HELP ${name} Time from a request to the end of its answer.`, `# TYPE ${name} histogram`)
    for (const [route, { buckets, sum, count }] of this.#durations)
      lines.push(
        ...buckets.map((below, i) => `${name}_bucket{route="${route}",le="${bounds[i]}"} ${below}`),
        `${name}_bucket{route="${route}",le="+Inf"} ${count}`,
        `${name}_sum{route="${route}"} ${sum}`,
        `${name}_count{route="${route}"} ${count}`,
      )
    return lines.join('\n') + '\n'
  }
}

// --- The page that says too much ---------------------------------------------------------------------------------------------------

/** @param {string} text */
const escapeHtml = text => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)

/**
 * Stands for `phpinfo()`, which the original Guestbook shows to whoever leaves out `cmd`. That it tells a stranger about the pod and
 * its cluster is meant: it is there to be found. It shows the environment only, and never a token.
 * @param {Record<string, string | undefined>} env
 * @param {import('node:http').IncomingMessage} request
 */
export function infoPage(env, request) {
  /** @type {[string, Record<string, string | undefined>][]} */
  const tables = [
    [
      'System',
      {
        Host: hostname(),
        Platform: `${process.platform} ${process.arch}`,
        Node: process.version,
        Program: process.argv.slice(0, 2).join(' '),
        User: `${process.getuid?.()}:${process.getgid?.()}`,
        Memory: `${Math.round(process.memoryUsage.rss() / 1e6)} MB`,
      },
    ],
    ['Environment', env],
    ['Request', Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))],
  ]
  const sections = tables.map(([title, rows]) => {
    const body = Object.entries(rows)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value = '']) => {
        const shown = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/.test(value) ? '(a token)' : value
        return `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(shown)}</td></tr>`
      })
    return `<h2>${title}</h2>\n<table>\n${body.join('\n')}\n</table>`
  })
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>info()</title>
<style>body{font:14px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}table{width:100%;border-collapse:collapse}th,td{text-align:left;vertical-align:top;border:1px solid #8886;padding:.3rem .6rem;overflow-wrap:anywhere}th{width:16rem}</style>
<h1>Guestbook on Node ${process.version}</h1>
${sections.join('\n')}
</html>
`
}

// --- The servers -------------------------------------------------------------------------------------------------------------------

/**
 * @typedef {object} Options
 * @property {Redis} leader
 * @property {Redis} follower
 * @property {string} page HTML
 * @property {Record<string, string | undefined>} [env] what the info page shows
 *
 * @typedef {object} Reply
 * @property {string} route for the metrics
 * @property {number} [code] 200 by default
 * @property {string} type
 * @property {string} body
 */

/** @param {string} message */
const jsonError = message => `{"error": ${JSON.stringify(message)}}`

/**
 * The page and the API, as a server that does not listen yet.
 * @param {Options} options
 * @param {Metrics} metrics
 */
export function guestbookServer(options, metrics) {
  const { leader, follower, page, env = {} } = options
  const pod = hostname()

  /**
   * @param {'leader' | 'follower'} role
   * @param {...string} command
   */
  const redis = async (role, ...command) => {
    try {
      return await ask(role === 'leader' ? leader : follower, ...command)
    } catch (error) {
      metrics.redisError(role)
      throw error
    }
  }

  /**
   * `?cmd=set&key=messages&value=...` replaces the whole value, `?cmd=get&key=messages` returns it.
   * @param {URLSearchParams} query
   * @param {import('node:http').IncomingMessage} request
   * @returns {Promise<Reply>}
   */
  const api = async (query, request) => {
    const command = query.get('cmd')
    const key = query.get('key') || 'messages'
    const type = 'application/json'
    if (command === null) return { route: 'info', type: 'text/html; charset=utf-8', body: infoPage(env, request) }
    if (command !== 'get' && command !== 'set')
      return { route: 'other', code: 400, type, body: jsonError(`cmd is ${JSON.stringify(command)}, not get or set`) }
    const route = command
    try {
      if (command === 'get') {
        const value = await redis('follower', 'GET', key)
        return { route, type, body: `{"data": ${JSON.stringify(value ?? '')}}` }
      }
      const value = query.get('value')
      if (value === null) return { route, code: 400, type, body: jsonError('cmd=set needs a value') }
      await redis('leader', 'SET', key, value)
      return { route, type, body: '{"message": "Updated"}' }
    } catch (error) {
      if (!(error instanceof RedisError)) throw error
      return { route, code: 502, type, body: jsonError(error.message) }
    }
  }

  /** @returns {Promise<Reply>} */
  const ready = async () => {
    const roles = /** @type {const} */ (['leader', 'follower'])
    const answers = await Promise.allSettled(roles.map(role => redis(role, 'PING')))
    const down = answers.flatMap(answer => (answer.status === 'rejected' ? [String(answer.reason.message)] : []))
    return {
      route: 'health',
      code: down.length > 0 ? 503 : 200,
      type: 'text/plain; charset=utf-8',
      body: down.length > 0 ? down.join('\n') + '\n' : 'ok\n',
    }
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @returns {Promise<Reply> | Reply}
   */
  const answer = request => {
    const text = 'text/plain; charset=utf-8'
    if (!['GET', 'HEAD', 'POST'].includes(request.method ?? ''))
      return { route: 'other', code: 405, type: text, body: 'GET, HEAD or POST\n' }
    const base = 'http://guestbook'
    if (!URL.canParse(request.url ?? '', base))
      return { route: 'other', code: 400, type: text, body: 'not an address\n' }
    const { pathname, searchParams } = new URL(request.url ?? '', base)
    if (pathname === '/guestbook.php') return api(searchParams, request)
    if (pathname === '/' || pathname === '/index.html')
      return { route: 'index', type: 'text/html; charset=utf-8', body: page }
    if (pathname === '/healthz') return { route: 'health', type: text, body: 'ok\n' }
    if (pathname === '/readyz') return ready()
    return { route: 'other', code: 404, type: text, body: 'not here\n' }
  }

  // As long as the page's longest list of messages: PHP's `$_GET`, and so the API, takes everything from the address.
  return createServer({ maxHeaderSize: 128 * 1024 }, async (request, response) => {
    const began = performance.now()
    request.resume()
    /** @type {Reply} */
    let reply
    try {
      reply = await answer(request)
    } catch (error) {
      console.error(error)
      reply = { route: 'other', code: 500, type: 'application/json', body: jsonError('a mistake in the Guestbook') }
    }
    const code = reply.code ?? 200
    response.on('close', () => {
      // The kubelet's probes are nobody's visits.
      if (reply.route !== 'health') metrics.request(reply.route, code, (performance.now() - began) / 1000)
    })
    response.writeHead(code, {
      'content-type': reply.type,
      'content-length': Buffer.byteLength(reply.body),
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'self' 'unsafe-inline' data:; form-action 'self'",
      'x-served-by': pod,
    })
    response.end(request.method === 'HEAD' ? undefined : reply.body)
  })
}

/** @param {Metrics} metrics */
export const metricsServer = metrics =>
  createServer((request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end('/metrics\n')
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
    response.end(metrics.text())
  })

/** @param {NodeJS.ProcessEnv} env */
function main(env) {
  const timeout = Number(env.REDIS_TIMEOUT || 2000)
  const metrics = new Metrics()
  const page = guestbookServer(
    {
      leader: { host: env.REDIS_LEADER_HOST || 'redis-leader', port: Number(env.REDIS_LEADER_PORT || 6379), timeout },
      follower: {
        host: env.REDIS_FOLLOWER_HOST || 'redis-follower',
        port: Number(env.REDIS_FOLLOWER_PORT || 6379),
        timeout,
      },
      page: readFileSync(join(import.meta.dirname, 'index.html'), 'utf8'),
      env,
    },
    metrics,
  )
  const servers = [page, metricsServer(metrics)]
  page.listen(Number(env.PORT || 8080), () => {
    const address = page.address()
    console.log(`guestbook: on :${typeof address === 'object' ? address?.port : address}`)
  })
  servers[1]?.listen(Number(env.METRICS_PORT || 9113))
  // As the first process of its container it gets no default handler: without this a pod takes its whole grace period to go.
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.once(signal, () => {
      for (const server of servers) server.close()
    })
}

if (import.meta.main) main(process.env)
