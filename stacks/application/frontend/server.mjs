// @ts-check The Guestbook's frontend: the page, and the API of the classic `guestbook.php` on top of Redis. It writes
// to the leader and reads from a follower. Like PHP, it opens a new connection for each command, so that Tetragon sees
// every one.
//
// The Pod mounts these modules and index.html from a ConfigMap into a plain Node image, so they have no dependencies.
//
//   PORT                                     of the page and the API (8080)
//   METRICS_PORT                             of /metrics (9113)
//   REDIS_LEADER_HOST, REDIS_LEADER_PORT     where messages are written (redis-leader, 6379)
//   REDIS_FOLLOWER_HOST, REDIS_FOLLOWER_PORT where messages are read (redis-follower, 6379)
//   REDIS_TIMEOUT                            milliseconds for a connection and its reply (2000)
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { FrontendMetrics } from './frontend-metrics.mjs'
import { infoPage } from './info-page.mjs'
import { RedisError, sendCommand } from './redis.mjs'

/**
 * @typedef {object} Options
 * @property {import('./redis.mjs').Redis} leader
 * @property {import('./redis.mjs').Redis} follower
 * @property {string} page HTML
 * @property {Record<string, string | undefined>} [env] shown on the info page
 *
 * @typedef {object} Answer
 * @property {string} route label in the metrics
 * @property {number} [code] 200 by default
 * @property {string} type
 * @property {string} body
 */

/** @param {string} message */
const jsonError = message => `{"error": ${JSON.stringify(message)}}`

/**
 * Creates the server of the page and the API. It does not listen yet.
 * @param {Options} options
 * @param {FrontendMetrics} metrics
 */
export function createGuestbookServer(options, metrics) {
  const { leader, follower, page, env = {} } = options
  const pod = hostname()

  /**
   * @param {'leader' | 'follower'} role
   * @param {...string} command
   */
  const redis = async (role, ...command) => {
    try {
      return await sendCommand(role === 'leader' ? leader : follower, ...command)
    } catch (error) {
      metrics.addRedisError(role)
      throw error
    }
  }

  /**
   * Answers `?cmd=set&key=messages&value=...`, which replaces the value, and `?cmd=get&key=messages`, which returns it.
   * @param {URLSearchParams} query
   * @param {import('node:http').IncomingMessage} request
   * @returns {Promise<Answer>}
   */
  const api = async (query, request) => {
    const command = query.get('cmd')
    const key = query.get('key') || 'messages'
    const type = 'application/json'
    if (command === null) return { route: 'info', type: 'text/html; charset=utf-8', body: infoPage(env, request) }
    if (command !== 'get' && command !== 'set')
      return {
        route: 'other',
        code: 400,
        type,
        body: jsonError(`cmd must be get or set, not ${JSON.stringify(command)}`),
      }
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

  /**
   * Checks both Redis servers.
   * @returns {Promise<Answer>}
   */
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
   * @returns {Promise<Answer> | Answer}
   */
  const answer = request => {
    const text = 'text/plain; charset=utf-8'
    if (!['GET', 'HEAD', 'POST'].includes(request.method ?? ''))
      return { route: 'other', code: 405, type: text, body: 'GET, HEAD or POST\n' }
    const base = 'http://guestbook'
    if (!URL.canParse(request.url ?? '', base)) return { route: 'other', code: 400, type: text, body: 'invalid URL\n' }
    const { pathname, searchParams } = new URL(request.url ?? '', base)
    if (pathname === '/guestbook.php') return api(searchParams, request)
    if (pathname === '/' || pathname === '/index.html')
      return { route: 'index', type: 'text/html; charset=utf-8', body: page }
    if (pathname === '/healthz') return { route: 'health', type: text, body: 'ok\n' }
    if (pathname === '/readyz') return ready()
    return { route: 'other', code: 404, type: text, body: 'not found\n' }
  }

  // As in PHP's `$_GET`, the API takes all messages from the URL, so the limit must fit the page's longest list.
  return createServer({ maxHeaderSize: 128 * 1024 }, async (request, response) => {
    const startedAt = performance.now()
    request.resume()
    /** @type {Answer} */
    let reply
    try {
      reply = await answer(request)
    } catch (error) {
      console.error(error)
      reply = {
        route: 'other',
        code: 500,
        type: 'application/json',
        body: jsonError('internal error of the Guestbook'),
      }
    }
    const code = reply.code ?? 200
    response.on('close', () => {
      // The kubelet's probes are not visits.
      if (reply.route !== 'health') metrics.addRequest(reply.route, code, (performance.now() - startedAt) / 1000)
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

/**
 * Creates the server of /metrics.
 * @param {FrontendMetrics} metrics
 */
export const createMetricsServer = metrics =>
  createServer((request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end('/metrics\n')
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
    response.end(metrics.text())
  })

/** @param {NodeJS.ProcessEnv} env */
function main(env) {
  const timeout = Number(env.REDIS_TIMEOUT || 2000)
  const metrics = new FrontendMetrics()
  const page = createGuestbookServer(
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
  const servers = [page, createMetricsServer(metrics)]
  page.listen(Number(env.PORT || 8080), () => {
    const address = page.address()
    console.log(`guestbook: listening on :${typeof address === 'object' ? address?.port : address}`)
  })
  servers[1]?.listen(Number(env.METRICS_PORT || 9113))
  // The first process of a container has no default signal handlers. Without these, the Pod uses up its grace period.
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.once(signal, () => {
      for (const server of servers) server.close()
    })
}

if (import.meta.main) main(process.env)
