import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FrontendMetrics } from '../../../../stacks/application/frontend/frontend-metrics.mjs'
import { encodeCommand, parseReply, RedisError, sendCommand } from '../../../../stacks/application/frontend/redis.mjs'
import { createGuestbookServer, createMetricsServer } from '../../../../stacks/application/frontend/server.mjs'

const folder = resolve('stacks/application/frontend')
const page = readFileSync(resolve(folder, 'index.html'), 'utf8')

/** Decodes the command in a buffer. Returns undefined while it is incomplete. */
function readCommand(bytes: Buffer): string[] | undefined {
  let at = 0
  const number = (): number => {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return Number.NaN
    const value = Number(bytes.toString('latin1', at + 1, end))
    at = end + 2
    return value
  }
  const command: string[] = []
  for (let left = number(); left > 0; left--) {
    const length = number()
    if (Number.isNaN(length) || bytes.length < at + length + 2) return undefined
    command.push(bytes.toString('utf8', at, at + length))
    at += length + 2
  }
  return command
}

/** A fake Redis with SET, GET and PING over the real protocol. A leader and its follower share their values. */
class FakeRedis {
  readonly server: Server
  readonly values: Map<string, string>
  readonly commands: string[][] = []
  connections = 0
  /** Raw bytes to reply instead; null for no reply. */
  replyInstead: string | null | undefined

  constructor(values: Map<string, string>) {
    this.values = values
    this.server = createServer(socket => {
      this.connections++
      let bytes = Buffer.alloc(0)
      socket.on('error', () => {})
      socket.on('data', chunk => {
        bytes = Buffer.concat([bytes, chunk])
        const command = readCommand(bytes)
        if (command) this.answer(socket, command)
      })
    })
  }

  answer(socket: Socket, command: string[]): void {
    this.commands.push(command)
    if (this.replyInstead === null) return
    if (this.replyInstead !== undefined) return void socket.end(this.replyInstead)
    const [verb, key = '', value = ''] = command
    if (verb === 'PING') socket.write('+PONG\r\n')
    else if (verb === 'SET') {
      this.values.set(key, value)
      socket.write('+OK\r\n')
    } else {
      const found = this.values.get(key)
      // In two parts, as a network can deliver it.
      const reply = Buffer.from(found === undefined ? '$-1\r\n' : `$${Buffer.byteLength(found)}\r\n${found}\r\n`)
      socket.write(reply.subarray(0, 5))
      setTimeout(() => socket.write(reply.subarray(5)), 5)
    }
  }
}

const listen = async (server: Server | HttpServer): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('the Redis protocol', () => {
  test('counts bytes, not characters', () => {
    expect(encodeCommand(['SET', 'clé', ''])).toBe('*3\r\n$3\r\nSET\r\n$4\r\nclé\r\n$0\r\n\r\n')
  })

  test.each([
    ['+OK\r\n', { value: 'OK' }],
    [':12\r\n', { value: '12' }],
    ['$-1\r\n', { value: null }],
    ['$0\r\n\r\n', { value: '' }],
    ['$4\r\na\r\nb\r\n', { value: 'a\r\nb' }],
    ['-READONLY no\r\n', { error: 'READONLY no' }],
    ['+O', undefined],
    ['$5\r\nabc', undefined],
    ['$5\r\nabcde', undefined],
  ])('decodes %j', (bytes, reply) => {
    expect(parseReply(Buffer.from(bytes))).toEqual(reply)
  })

  test('reports a reply that is not from Redis', () => {
    expect(parseReply(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))?.error).toContain('not understood')
  })
})

describe('the Guestbook', () => {
  let leader: FakeRedis
  let follower: FakeRedis
  let servers: (Server | HttpServer)[]
  let url = ''
  let metricsUrl = ''

  beforeEach(async () => {
    const values = new Map<string, string>()
    leader = new FakeRedis(values)
    follower = new FakeRedis(values)
    const redis = async (fake: FakeRedis) => ({ host: '127.0.0.1', port: await listen(fake.server), timeout: 200 })
    const metrics = new FrontendMetrics()
    const guestbook = createGuestbookServer(
      {
        leader: await redis(leader),
        follower: await redis(follower),
        page,
        env: {
          REDIS_LEADER_HOST: 'redis-leader',
          MARKUP: '<b>&',
          CLUSTER_TOKEN: 'Bearer eyJhbGciOi.eyJpc3MiOi.c2lnbmF0dXJl',
        },
      },
      metrics,
    )
    const measured = createMetricsServer(metrics)
    url = `http://127.0.0.1:${await listen(guestbook)}`
    metricsUrl = `http://127.0.0.1:${await listen(measured)}/metrics`
    servers = [guestbook, measured, leader.server, follower.server]
  })
  afterEach(() => {
    for (const server of servers) {
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
    }
  })

  const call = (query: string, init?: RequestInit) => fetch(`${url}/guestbook.php?${query}`, init)

  test('answers like the original', async () => {
    const set = await call('cmd=set&key=messages&value=Hello,World')
    expect(set.headers.get('content-type')).toBe('application/json')
    expect(await set.text()).toBe('{"message": "Updated"}')
    expect(await (await call('cmd=get&key=messages')).text()).toBe('{"data": "Hello,World"}')
    expect(await (await call('cmd=get&key=nothing')).text()).toBe('{"data": ""}')
  })

  test('writes to the leader and reads from the follower, with a connection per command', async () => {
    await call('cmd=set&value=a')
    await call('cmd=get')
    await call('cmd=get')
    expect(leader.commands).toEqual([['SET', 'messages', 'a']])
    expect(follower.commands).toEqual([
      ['GET', 'messages'],
      ['GET', 'messages'],
    ])
    expect([leader.connections, follower.connections]).toEqual([1, 2])
  })

  test('accepts POST like GET, but not DELETE', async () => {
    await call('cmd=set&value=posted', { method: 'POST', body: 'ignored=1' })
    expect(await (await call('cmd=get', { method: 'POST' })).json()).toEqual({ data: 'posted' })
    expect((await call('cmd=get', { method: 'DELETE' })).status).toBe(405)
  })

  test('keeps quotes, line breaks, other scripts and the longest list of the page', async () => {
    const value = `"quoted" \\ \r\n $1 ${'зачем? 你好 🎉,'.repeat(1000)}`
    const query = new URLSearchParams({ cmd: 'set', key: 'k', value }).toString()
    expect(query.length).toBeGreaterThan(64 * 1024)
    const set = await call(query)
    expect(set.status).toBe(200)
    expect(await (await call('cmd=get&key=k')).json()).toEqual({ data: value })
  })

  test('rejects an invalid request without a command to Redis', async () => {
    const missing = await call('cmd=set&key=messages')
    expect([missing.status, await missing.json()]).toEqual([400, { error: 'cmd=set needs a value' }])
    const unknown = await call('cmd=flush')
    expect([unknown.status, await unknown.json()]).toEqual([400, { error: 'cmd must be get or set, not "flush"' }])
    expect((await fetch(`${url}/etc/passwd`)).status).toBe(404)
    expect(leader.commands).toEqual([])
  })

  test.each([
    ['does not reply', () => (follower.replyInstead = null), /no reply within 200 ms/],
    ['closes the connection', () => (follower.replyInstead = ''), /closed before the reply/],
    ['returns an error', () => (follower.replyInstead = '-LOADING dataset in memory\r\n'), /LOADING dataset in memory/],
    ['is down', () => follower.server.close(), /ECONNREFUSED/],
  ])('returns and counts an error when Redis %s', async (_what, breakIt, message) => {
    breakIt()
    const reply = await call('cmd=get&key=messages')
    expect(reply.status).toBe(502)
    expect(((await reply.json()) as { error: string }).error).toMatch(/^Redis at 127\.0\.0\.1:\d+: /)
    expect(((await (await call('cmd=get')).json()) as { error: string }).error).toMatch(message)
    expect(await (await fetch(metricsUrl)).text()).toContain('guestbook_redis_errors_total{role="follower"} 2\n')
    // The rest still works.
    expect((await call('cmd=set&value=a')).status).toBe(200)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  })

  test('is ready only if both Redis servers answer', async () => {
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    follower.server.close()
    const reply = await fetch(`${url}/readyz`)
    expect(reply.status).toBe(503)
    expect(await reply.text()).toMatch(/^Redis at .*ECONNREFUSED.*\n$/)
  })

  test('shows its environment without cmd, but no token and no markup', async () => {
    const reply = await fetch(`${url}/guestbook.php`)
    expect(reply.headers.get('content-type')).toContain('text/html')
    const html = await reply.text()
    expect(html).toContain('<th scope="row">REDIS_LEADER_HOST</th><td>redis-leader</td>')
    expect(html).toContain('&#60;b&#62;&#38;')
    expect(html).not.toContain('<b>')
    expect(html).toContain('<th scope="row">CLUSTER_TOKEN</th><td>(a token)</td>')
    expect(html).not.toContain('eyJhbGciOi')
  })

  test('serves the page with the name of the pod', async () => {
    for (const path of ['/', '/index.html', '/?x=1']) {
      const reply = await fetch(url + path)
      expect(reply.status).toBe(200)
      expect(reply.headers.get('x-served-by')).toBe(hostname())
      expect(await reply.text()).toBe(page)
    }
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  test('measures requests by status code, without the probes', async () => {
    await call('cmd=set&value=a')
    await call('cmd=get')
    await call('cmd=get')
    await call('cmd=flush')
    await fetch(`${url}/healthz`)
    await fetch(url)
    const reply = await fetch(metricsUrl)
    expect(reply.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    const text = await reply.text()
    const samples = text.split('\n').filter(line => line.startsWith('guestbook_http_requests_total{'))
    expect(samples.sort()).toEqual([
      'guestbook_http_requests_total{route="get",code="200"} 2',
      'guestbook_http_requests_total{route="index",code="200"} 1',
      'guestbook_http_requests_total{route="other",code="400"} 1',
      'guestbook_http_requests_total{route="set",code="200"} 1',
    ])
    const name = 'guestbook_http_request_duration_seconds'
    expect(text).toContain(`# TYPE ${name} histogram`)
    expect(text).toContain(`${name}_bucket{route="get",le="+Inf"} 2\n`)
    expect(text).toContain(`${name}_count{route="get"} 2\n`)
    const below = [...text.matchAll(/_bucket\{route="get",le="[\d.]+"\} (\d+)/g)].map(match => Number(match[1]))
    expect(below).toHaveLength(11)
    expect(below).toEqual([...below].sort((a, b) => a - b))
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [\d.e+-]+)$/)
  })
})

describe('a command', () => {
  test('fails after the timeout', async () => {
    const silent = createServer(socket => socket.on('error', () => {}))
    const port = await listen(silent)
    await expect(sendCommand({ host: '127.0.0.1', port, timeout: 50 }, 'PING')).rejects.toThrow(RedisError)
    silent.close()
  })
})

describe('the page', () => {
  test('loads nothing from other sites', () => {
    const elsewhere = [...page.matchAll(/(?:https?:)?\/\/[\w.-]+/g)].map(match => match[0])
    expect(elsewhere).toEqual(['http://www.w3.org'])
    expect(page).not.toMatch(/<(script|img|iframe)[^>]+src=|<link[^>]+stylesheet|@import/)
  })

  test('shows messages as text, never as markup', () => {
    expect(page).toContain('textContent = text')
    expect(page).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write/)
  })
})
